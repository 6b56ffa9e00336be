"""The product stage at work: pixels and detected elements in, the product with its confidence and runners-up out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import nn

from meteo_ray.batch import Batch
from meteo_ray.products.base_model import GemmaBase, Quantize
from meteo_ray.products.bundle import read_bundle, read_origin
from meteo_ray.products.candidate_scoring import confidences, log_likelihoods, pack
from meteo_ray.products.candidates import MINIMUM_MATCH, candidates
from meteo_ray.products.constrained_decoding import constrained_beam
from meteo_ray.products.prompt import PromptEncoder
from meteo_ray.training.device import autocast, pick_device
from meteo_ray.vocabulary import Vocabulary, element_ids, load_vocabulary

Decoding = Literal["exact", "beam"]

TOP = 5

# At 4 rows the vision tower's widest activations are 4 x 4096 patches x 4304 x 2 B = 0.14 GB; with all products as
# candidates the logits of a part of the vocabulary take 4 x 350 slots x 8192 x 4 B = 0.05 GB. An 8 GB card holds that
# beside 4 GB of weights.
MICRO_BATCH = {"cuda": 4, "cpu": 8}


class ProductsPredictor:
    """Stage 3 of the cascade; see `judging.predictor.Predictor`."""

    def __init__(
        self,
        model: nn.Module,
        base: GemmaBase,
        vocabulary: Vocabulary,
        version: str,
        device: torch.device,
        temperature: float = 1.0,
        minimum_match: float = MINIMUM_MATCH,
        beam_width: int = 3,
        decoding: Decoding = "exact",
        precision: str = "auto",
        micro_batch: int | None = None,
    ) -> None:
        self.model, self.base, self.vocabulary, self.version = model.eval(), base, vocabulary, version
        self.device, self.precision = device, precision
        self.temperature, self.minimum_match = temperature, minimum_match
        self.decoding, self.beam_width = decoding, beam_width
        self.micro_batch = micro_batch or MICRO_BATCH[device.type]
        self._encoder = PromptEncoder(base.processor, vocabulary)

    @classmethod
    def load(
        cls,
        bundle: Path,
        device: str | None = None,
        vocabulary: Vocabulary | None = None,
        *,
        base_model: str | Path | None = None,
        quantize: Quantize | None = None,
        **options: Any,
    ) -> Self:
        """Read a bundle. `vocabulary` may hold products that came up after training: they are scored like the others.

        `options` are minimum_match, decoding, beam_width, precision ("auto", "bf16", "fp32") and micro_batch.

        Raises:
            UsageError: bundle missing or damaged, or its base model missing or another one.
        """
        place = torch.device(device) if device else pick_device()
        loaded = read_bundle(Path(bundle), str(place), vocabulary, base_model, quantize)
        return cls(
            loaded.model,
            loaded.base,
            loaded.vocabulary,
            loaded.version,
            place,
            temperature=loaded.temperature,
            **{"minimum_match": loaded.training.minimum_match, "beam_width": loaded.training.beam_width, **options},
        )

    @classmethod
    def from_base(
        cls,
        base_model: str | Path,
        vocabulary: Vocabulary | None = None,
        device: str | None = None,
        quantize: Quantize = "none",
        **options: Any,
    ) -> Self:
        """The untrained base model as a predictor: the zero-shot baseline (R36)."""
        place = torch.device(device) if device else pick_device()
        base = GemmaBase.open(base_model)
        version = f"zero-shot-{base.digest[:12]}"
        model = base.load_model(quantize, str(place))
        return cls(model, base, vocabulary or load_vocabulary(), version, place, **options)

    @classmethod
    def zero_shot_of(
        cls,
        bundle: Path,
        vocabulary: Vocabulary | None = None,
        device: str | None = None,
        quantize: Quantize | None = None,
        **options: Any,
    ) -> Self:
        """What a bundle's model was before it was trained, loaded as in training unless `quantize` says otherwise: the
        baseline to report beside it.

        Raises:
            UsageError: when the base model is no longer on this machine.
        """
        origin, training = read_origin(Path(bundle))
        options = {"minimum_match": training.minimum_match, "beam_width": training.beam_width, **options}
        return cls.from_base(origin, vocabulary, device, quantize or training.quantize, **options)

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of the images that it takes, in pixels."""
        return self.base.image_size

    def __call__(self, batch: Batch) -> Batch:
        """Judge `batch["image"]`, uint8 `(rows, height, width, 3)` of `image_size`, given `batch["elements"]`.

        `elements` holds a list a row, of ids or of `{"id", "score"}`.

        Returns:
            product (str), product_score (float32, calibrated probability among the candidates) and product_top (list
            of up to five `{"id", "score"}`, best first), each `(rows,)`. With `decoding` "beam" only what the beams
            found is listed, and the probabilities are among those.
        """
        scored = self.beam_search(batch) if self.decoding == "beam" else self.log_likelihoods(batch)
        tops = [self._top(scores) for scores in scored]
        product, score, every = (np.empty(len(tops), dtype=kind) for kind in (object, np.float32, object))
        for row, top in enumerate(tops):
            product[row], score[row], every[row] = top[0]["id"], top[0]["score"], top
        return {"product": product, "product_score": score, "product_top": every}

    @torch.inference_mode()
    def log_likelihoods(self, batch: Batch) -> list[dict[str, float]]:
        """For every row of `batch` (as in `__call__`) its candidates' ids and log-likelihoods."""
        found = []
        for rows in self._chunks(batch):
            listed, prompts, answers = self._ask([batch["elements"][row] for row in rows])
            packed = {name: tensor.to(self.device) for name, tensor in pack(prompts, answers, self.base).items()}
            with autocast(self.device, self.precision):
                scores = log_likelihoods(self.model, {**packed, "image": self._images(batch, rows)}, self.base)
            for names, row in zip(listed, scores.double().cpu().numpy(), strict=True):
                found.append(dict(zip(names, row[: len(names)].tolist(), strict=True)))
        return found

    @torch.inference_mode()
    def beam_search(self, batch: Batch) -> list[dict[str, float]]:
        """For every row of `batch` (as in `__call__`) the products that a constrained beam finds (R35), best first, and
        their log-likelihoods."""
        found = []
        for rows in self._chunks(batch):
            listed, prompts, answers = self._ask([batch["elements"][row] for row in rows])
            with autocast(self.device, self.precision):
                decoded = constrained_beam(
                    self.model, self.base, self._images(batch, rows), prompts, answers, self.beam_width
                )
            for names, row in zip(listed, decoded, strict=True):
                found.append({names[place]: score for place, score in zip(row.answers, row.scores, strict=True)})
        return found

    def _top(self, scores: dict[str, float]) -> list[dict[str, Any]]:
        values = np.array(list(scores.values()))
        if not len(values) or not np.isfinite(values).all():
            raise FloatingPointError(f"products {self.version}: a candidate's score is not a number")
        names, shares = list(scores), confidences(values[None], self.temperature)[0]
        best = np.argsort(-shares, kind="stable")[:TOP]
        return [{"id": names[place], "score": float(shares[place])} for place in best]

    def _ask(self, elements: Sequence[Any]) -> tuple[list[list[str]], list[list[int]], list[list[list[int]]]]:
        """Candidates, prompt and answers of every row, the last two as token ids."""
        detected = [element_ids(row) for row in elements]
        listed = [candidates(row, self.vocabulary, self.minimum_match) for row in detected]
        prompts = [self._encoder.encode_prompt(*pair) for pair in zip(detected, listed, strict=True)]
        return listed, prompts, [self._encoder.encode_answers(names) for names in listed]

    def _chunks(self, batch: Batch) -> list[range]:
        """Row numbers of each micro-batch. Raises ValueError when the images have another size or type."""
        images = batch["image"]
        width, height = self.image_size
        if images.shape[1:] != (height, width, 3) or images.dtype != np.uint8:
            raise ValueError(f"expected uint8 (rows, {height}, {width}, 3), got {images.dtype} {images.shape}")
        starts = range(0, len(images), self.micro_batch)
        return [range(start, min(start + self.micro_batch, len(images))) for start in starts]

    def _images(self, batch: Batch, rows: range) -> torch.Tensor:
        """uint8 on the device; a copy, because Ray's arrays are read-only."""
        return torch.from_numpy(np.array(batch["image"][rows.start : rows.stop])).to(self.device)
