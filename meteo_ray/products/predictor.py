"""The product stage at work: what is known of a chart in, its product with a probability and the runners-up out."""

from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from meteo_ray.batch import Batch, objects
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.products.base_model import GemmaBase, Quantize
from meteo_ray.products.bundle import base_before_training, read_bundle, read_shortlist
from meteo_ray.products.config import CANDIDATES
from meteo_ray.products.language_model import LanguageModel
from meteo_ray.products.questions import AskingQuestions, elements_of, evidence_of, titles_of
from meteo_ray.products.shortlist import Shortlist
from meteo_ray.products.verdict import ProductsVerdict, answered
from meteo_ray.training.device import pick_device
from meteo_ray.vocabulary import Vocabulary, load_vocabulary

TOP = 5

READS = ("elements", "element_scores", "descriptors", "title", "text")
"""Columns that it reads beside `image`, where they are there."""


class ProductsPredictor:
    """Stage 3 of the cascade; see `judging.predictor.Predictor`.

    Args:
        asking: the shortlist and how its candidates are put to the language model.
        verdict: weighs what both say.
        version: of the bundle.
        language_model: None: the shortlist answers alone.
        below: charts of which the shortlist is this sure are not put to the language model; None: all are.
        least: "none of these" is answered where no product is as likely as this.
    """

    def __init__(
        self,
        asking: AskingQuestions,
        verdict: ProductsVerdict,
        version: str,
        language_model: LanguageModel | None = None,
        below: float | None = None,
        least: float = 0.0,
    ) -> None:
        self.asking, self.verdict, self.version = asking, verdict, version
        self.language_model, self.below, self.least = language_model, below, least
        self.vocabulary = asking.shortlist.vocabulary

    @classmethod
    def load(
        cls,
        bundle: Path,
        device: str | None = None,
        vocabulary: Vocabulary | None = None,
        *,
        base_model: str | Path | None = None,
        quantize: Quantize | None = None,
        most: int | None = None,
        below: float | None = None,
        blend: float = 1.0,
        least: float = 0.0,
        **options: Any,
    ) -> Self:
        """Read a bundle. `vocabulary` may hold products that came up after training: they are ranked like the others.

        `most` candidates are asked about, as in training unless given; the language model counts `blend` times as much
        as there, and with 0 is not loaded; `base_model` is where an adapter's base lies now, if not where it was
        trained from; `options` are those of `LanguageModel`.

        Raises:
            UsageError: bundle missing or damaged, or its base model missing or another one.
        """
        place = torch.device(device) if device else pick_device()
        loaded = read_bundle(Path(bundle), str(place), vocabulary, base_model, quantize, with_language_model=blend > 0)
        training, chooser = loaded.training, None
        asking = AskingQuestions(loaded.shortlist, most or training.candidates, training.title_in_prompt)
        if loaded.base is not None and loaded.model is not None:
            options = {"beam_width": training.beam_width, **options}
            chooser = LanguageModel(loaded.model, loaded.base, asking.shortlist.vocabulary, place, **options)
        return cls(asking, loaded.calibration.verdict.blended(blend), loaded.version, chooser, below, least)

    @classmethod
    def from_base(
        cls,
        base_model: str | Path,
        vocabulary: Vocabulary | None = None,
        device: str | None = None,
        quantize: Quantize = "none",
        asking: AskingQuestions | None = None,
        most: int | None = None,
        below: float | None = None,
        least: float = 0.0,
        **options: Any,
    ) -> Self:
        """The untrained base model as a predictor: the zero-shot baseline (R36), asked about `most` candidates of
        an untrained shortlist unless `asking` says otherwise. Raises UsageError when there is no such base."""
        place = torch.device(device) if device else pick_device()
        base = GemmaBase.open(base_model)
        if asking is None:
            shortlist = Shortlist.untrained(vocabulary or load_vocabulary())
            asking = AskingQuestions(shortlist, most or CANDIDATES, with_title=True)
        known = asking.shortlist.vocabulary
        model = LanguageModel(base.load_model(quantize, str(place)), base, known, place, **options)
        return cls(asking, ProductsVerdict.of_language_model(), f"zero-shot-{base.digest[:12]}", model, below, least)

    @classmethod
    def zero_shot_of(
        cls,
        bundle: Path,
        vocabulary: Vocabulary | None = None,
        device: str | None = None,
        quantize: Quantize | None = None,
        most: int | None = None,
        base_model: str | Path | None = None,
        **options: Any,
    ) -> Self:
        """What a bundle's language model was before it was trained, loaded as in training unless `quantize` says
        otherwise, and asked the same: the baseline to report beside it.

        Raises:
            UsageError: when the base model is no longer on this machine or another one, or the bundle has none.
        """
        base, training = base_before_training(Path(bundle), base_model)
        shortlist = read_shortlist(Path(bundle), vocabulary)
        asking = AskingQuestions(shortlist, most or training.candidates, training.title_in_prompt)
        options = {"beam_width": training.beam_width, **options}
        return cls.from_base(base.folder, None, device, quantize or training.quantize, asking, **options)

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of the images that it takes, in pixels."""
        return INPUT_SIZE if self.language_model is None else self.language_model.image_size

    @property
    def needs_pixels(self) -> bool:
        """The language model alone looks at the image; the shortlist knows it by its descriptors."""
        return self.language_model is not None

    def __call__(self, batch: Batch) -> Batch:
        """Judge `batch["image"]`, uint8 `(rows, height, width, 3)` of `image_size`, given what else is known; where it
        `needs_pixels`, else any will do.

        Columns that are read where they are there: elements (lists of ids, or of `{"id", "score"}`), element_scores and
        descriptors (lists of numbers, or None), title and text.

        Returns:
            product: ids, None for "none of these".
            product_score: float32, the calibrated probability of that answer.
            product_top: lists of up to five `{"id", "score"}`, best first, "none of these" left out.
            product_candidates: lists of ids that were, or would have been, put to the language model.
            product_alone: ids, what the shortlist would answer alone, None for "none of these".
            product_sure: float32, how sure it is of that.
            product_asked: bool, whether the language model was asked.
            product_tokens: int64, what was put to it, see `LanguageModel.tokens`; 0 where it was not asked.
            product_listed: float32 `(rows, products + 1)`, what the shortlist says, "none of these" last.
            product_log_likelihood: float32 `(rows, products)`, what the language model says; -inf of what it was not
                asked about.
        """
        rows = len(batch["image"])
        nothing = objects([None] * rows)
        elements = elements_of(batch.get("elements", nothing))
        questions, listed = self.asking(evidence_of(batch), elements, titles_of(batch))
        asked = self._to_ask(listed)
        log_likelihood = np.full((rows, len(self.vocabulary.products)), -np.inf)
        tokens = np.zeros(rows, dtype=np.int64)
        if self.language_model is not None and asked.any():
            put = [question for question, ask in zip(questions, asked, strict=True) if ask]
            chosen = self.language_model.choose(batch["image"][asked], put)
            tokens[asked] = self.language_model.tokens(put)
            for row, answers in zip(np.flatnonzero(asked), chosen, strict=True):
                places = [self._place[name] for name in answers]
                log_likelihood[row, places] = list(answers.values())
        candidates = np.array([len(question.candidates) for question in questions], dtype=np.int64)
        return {
            **self._answers(self.verdict.probabilities(listed, log_likelihood, candidates)),
            "product_candidates": objects([question.candidates for question in questions]),
            "product_alone": self._named(answered(listed, self.least)),
            "product_sure": listed.max(axis=1, initial=0.0),
            "product_asked": asked,
            "product_tokens": tokens,
            "product_listed": listed,
            "product_log_likelihood": log_likelihood.astype(np.float32),
        }

    def _to_ask(self, listed: NDArray[np.float32]) -> NDArray[np.bool_]:
        if self.language_model is None:
            return np.zeros(len(listed), dtype=bool)
        below = np.inf if self.below is None or self.below >= 1 else self.below  # 1 is all, however sure
        return np.asarray(listed.max(axis=1, initial=0.0) < below)

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.vocabulary.product_ids)}

    def _answers(self, probabilities: np.ndarray) -> Batch:
        ids = self.vocabulary.product_ids
        ranked = np.argsort(-probabilities[:, :-1], axis=1, kind="stable")[:, :TOP]
        tops = [
            [{"id": ids[place], "score": float(row[place])} for place in places if row[place] > 0]
            for row, places in zip(probabilities, ranked, strict=True)
        ]
        answers = answered(probabilities, self.least)
        return {
            "product": self._named(answers),
            "product_score": probabilities[np.arange(len(answers)), answers].astype(np.float32),
            "product_top": objects(tops),
        }

    def _named(self, places: NDArray[np.int64]) -> np.ndarray:
        """Ids of products by their places, None for "none of these", which comes after them."""
        ids = [*self.vocabulary.product_ids, None]
        return objects([ids[place] for place in places])
