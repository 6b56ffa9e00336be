"""What the training loop needs to know about the product stage (R30-R34)."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow as pa
import torch
from torch import nn

from meteo_ray.batch import Batch
from meteo_ray.imaging.augment_config import UNALTERED
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.bundle import write_bundle
from meteo_ray.products.calibration import Heard, ProductsCalibration
from meteo_ray.products.candidate_scoring import IMPOSSIBLE, log_likelihoods, pack
from meteo_ray.products.config import ProductsTraining
from meteo_ray.products.detected_scores import DetectedScores
from meteo_ray.products.feature_store import FeatureStore, StoredPixels, complete, feature_tensors
from meteo_ray.products.light_path import cross_fitted, details, fit_detected_scores, fit_shortlist
from meteo_ray.products.lora_adapter import adapter_parameters, load_trained_state, trained_state, training_model
from meteo_ray.products.loss import answer_loss, candidate_loss
from meteo_ray.products.prompt import PromptEncoder
from meteo_ray.products.questions import LISTED, AskingQuestions, PrepareQuestions, Question, TrainingQuestions
from meteo_ray.products.rows import product_rows
from meteo_ray.products.shortlist import Shortlist
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.streaming.pixels import PreparePixels
from meteo_ray.streaming.sampling import weighted_order
from meteo_ray.training.device import pick_device
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.training.task import Collect, Feedback, Loss, Phase, Prepare, Progress, Task


class ProductsTask(Task):
    """Gemma 3, asked to choose among candidates; trained on the charts whose product is known.

    Args:
        config: the product stage's settings.
        inputs: the prepared data folder, with what the element stage answers in its index; the vocabulary, whose names
            stand in the prompt; the cache, where decoded images are kept and what the vision tower makes of them, see
            `FeatureStore`.
        seed: of order, candidate lists, augmentation and the adapter's first weights.
        use_gpu: the training's setting; False: on the CPU even where there is a GPU.

    Raises:
        UsageError: when the base model is not on this machine.
    """

    name: ClassVar[str] = "products"
    watch: ClassVar[str] = "log_probability"

    def __init__(
        self, config: ProductsTraining, inputs: TaskInputs, seed: int = 0, use_gpu: bool | None = None
    ) -> None:
        self.config, self.inputs, self.seed, self.use_gpu = config, inputs, seed, use_gpu
        self.vocabulary, self.cache = inputs.vocabulary, inputs.cache
        self.base = GemmaBase.open(config.base_model)
        self.shortlist = Shortlist.untrained(self.vocabulary)
        self._detected: DetectedScores | None = None
        self._listed: dict[str, np.ndarray] = {}
        self._rows: dict[str, pa.Table] = {}

    @cached_property
    def _encoder(self) -> PromptEncoder:
        return PromptEncoder(self.base.processor, self.vocabulary)

    @cached_property
    def _store(self) -> FeatureStore | None:
        if not self.config.stored_draws or self.cache is None:
            return None
        return FeatureStore.of(self.base, str(pick_device(self.use_gpu)), self.cache)

    @cached_property
    def _positions(self) -> dict[str, int]:
        return {product_id: position for position, product_id in enumerate(self.vocabulary.product_ids)}

    # -- data --------------------------------------------------------------------------------------------------------

    def rows(self, index: pa.Table, split: str) -> pa.Table:
        self._rows[split] = found = product_rows(index, split, self.inputs)
        if split == TRAIN:
            self._require_room(index)
        return found

    def before_training(self, collect: Collect) -> None:
        """Fit what chooses the candidates: seconds, without pixels but for what the element stage made of them."""
        training, validation = self._rows[TRAIN], self._rows[VALIDATION]
        self.shortlist = fit_shortlist(training, validation, self.vocabulary, self.config)
        self._detected = fit_detected_scores(validation, self.vocabulary)
        listed = cross_fitted(self.shortlist, validation, self.config)
        self._listed = dict(zip(validation["image_id"].to_pylist(), listed, strict=True))

    def _require_room(self, index: pa.Table) -> None:
        """Raises UsageError when features of both splits would not fit where they are kept."""
        if self._store is None:
            return
        keys: set[str] = set()
        for split in (TRAIN, VALIDATION):
            pixels = cast(StoredPixels, cast(PrepareQuestions, self.prepare(split, 0)).pixels)
            keys |= pixels.keys(product_rows(index, split, self.inputs))
        self._store.require_room(keys, self.config.stored_gb)

    def order(self, rows: pa.Table, epoch: int, feedback: Feedback | None) -> np.ndarray:
        """Rare products come more often, as `balance` says."""
        rng = np.random.default_rng([self.seed, epoch])
        if not self.config.balance:
            return rng.permutation(rows.num_rows).astype(np.int64)
        _, product, counts = np.unique(rows["product"].to_pylist(), return_inverse=True, return_counts=True)
        return weighted_order((1.0 / counts[product]) ** self.config.balance, rows.num_rows, rng)

    def follows_losses(self, epoch: int) -> bool:
        return False

    def prepare(self, split: str, epoch: int) -> Prepare:
        """Training rows are altered anew in every epoch; others are judged as they are, as in an archive (R5)."""
        training, config = split == TRAIN, self.config
        pixels = PreparePixels(
            self.inputs.data,
            seed=self.seed,
            epoch=epoch if training else None,
            augmentation=config.augmentation if training else UNALTERED,
            cache=self.inputs.images,
            size=self.base.image_size,
            vocabulary=self.vocabulary,
        )
        if self._store is not None:
            pixels = StoredPixels(**vars(pixels), store=self._store, draws=config.stored_draws)
        asking = AskingQuestions(self.shortlist, config.candidates, config.title_in_prompt)
        if not training:
            return PrepareQuestions(pixels, asking, self._listed)
        hard, untitled = config.hard_negatives, config.untitled_share
        return PrepareQuestions(pixels, TrainingQuestions(asking, self._detected, hard, untitled, self.seed, epoch))

    def collate(self, batch: Batch) -> dict[str, torch.Tensor]:
        """The tensors of `candidate_scoring.pack`, and positions in the vocabulary: answer `(rows, answers)`, target
        `(rows,)`."""
        questions = [Question.from_json(str(text)) for text in batch["question"]]
        prompts = [self._encoder.encode_prompt(asked.elements, asked.candidates, asked.title) for asked in questions]
        scored = [self._scored(asked) for asked in questions]
        answers = [self._encoder.encode_answers(names) for names in scored]
        position = np.full((len(questions), max(map(len, answers))), -1, dtype=np.int64)
        for row, names in enumerate(scored):
            position[row, : len(names)] = [self._positions[name] for name in names]
        target = np.array([self._positions[str(product)] for product in batch["product"]], dtype=np.int64)
        return {
            **pack(prompts, answers, self.base),
            **self._seen(batch),
            "answer": torch.from_numpy(position),
            "target": torch.from_numpy(target),
            **({LISTED: torch.from_numpy(np.array(batch[LISTED]))} if LISTED in batch else {}),
        }

    def _seen(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Pixels, or what is stored of them."""
        if self._store is not None:
            return feature_tensors(batch, self._store)
        return {"image": torch.from_numpy(np.array(batch["image"]))}  # a copy: Ray's arrays are read-only

    def _scored(self, asked: Question) -> list[str]:
        """The answers, and the other candidates too where the loss compares them."""
        if self.config.loss == "answer":
            return asked.answers
        return [*asked.answers, *(name for name in asked.candidates if name not in asked.answers)]

    # -- model -------------------------------------------------------------------------------------------------------

    def build(self) -> nn.Module:
        """On the GPU at once when there is one: quantising four billion weights on a CPU takes minutes."""
        return training_model(self.base, self.config, str(pick_device(self.use_gpu)), self.seed)

    def parameter_groups(self, model: nn.Module) -> Mapping[str, nn.Module | list[nn.Parameter]]:
        return {"adapter": adapter_parameters(model)} if self.config.adaptation == "lora" else {"model": model}

    def origin(self) -> str:
        """A digest of the base model's files; its folder may move. What earlier stages answered stands in the index."""
        return self.base.digest

    def files(self) -> list[Path]:
        return [self.base.folder]

    def phases(self) -> list[Phase]:
        """One phase: cosine from the peak to the minimum (R34)."""
        group = "adapter" if self.config.adaptation == "lora" else "model"
        rates = {group: self.config.learning_rate}
        settings = self.config
        return [Phase("answers", settings.epochs, rates, settings.warmup_epochs, settings.minimum_learning_rate)]

    def loss(self, model: nn.Module, batch: dict[str, torch.Tensor], progress: Progress) -> Loss:
        """Mean over rows of what `config.loss` names; prompt tokens are not learned."""
        scores, answer = self._log_likelihoods(model, batch), batch["answer"]
        right = (answer == batch["target"][:, None]).int().argmax(dim=1)
        parts = {}
        if self.config.loss != "candidates":
            parts["answer_loss"] = answer_loss(scores, right)
        if self.config.loss != "answer":
            parts["candidate_loss"] = candidate_loss(scores, right, answer >= 0)
        rows = torch.stack(list(parts.values())).sum(dim=0)
        return Loss(rows.mean(), {name: part.detach().mean() for name, part in parts.items()}, rows.detach())

    def _log_likelihoods(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        if self._store is not None:
            batch = complete(batch, self._store, model, self.base)
        return log_likelihoods(model, batch, self.base)

    # -- validation and result ---------------------------------------------------------------------------------------

    def outputs(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> Batch:
        """The parts of `Heard`, log-likelihoods and the shortlist's probabilities in float32."""
        scores = self._log_likelihoods(model, batch).float().cpu().numpy()
        answer = batch["answer"].cpu().numpy()
        every = np.full((len(answer), len(self.vocabulary.products)), IMPOSSIBLE, dtype=np.float32)
        row, column = np.nonzero(answer >= 0)
        every[row, answer[row, column]] = scores[row, column]
        return {
            "log_likelihood": every,
            "target": batch["target"].cpu().numpy(),
            LISTED: batch[LISTED].cpu().numpy(),
        }

    def metrics(self, outputs: Batch) -> dict[str, float]:
        heard, names = _heard(outputs), self.vocabulary.product_ids
        found = ProductsCalibration.fit(heard, self.config.none_share).metrics(heard, names)
        return {name: value for name, value in found.items() if value is not None}

    def export(self, model: nn.Module, outputs: Batch, folder: Path) -> dict[str, Any]:
        heard = _heard(outputs)
        calibration = ProductsCalibration.fit(heard, self.config.none_share)
        told = details(self.shortlist, self.inputs)
        write_bundle(folder, model, self.base, self.config, self.shortlist, calibration, told)
        return {**calibration.metrics(heard, self.vocabulary.product_ids), "below": calibration.below}

    # -- checkpoints -------------------------------------------------------------------------------------------------

    def state(self, model: nn.Module) -> dict[str, torch.Tensor]:
        return trained_state(model, self.config.adaptation)

    def load_state(self, model: nn.Module, state: dict[str, torch.Tensor]) -> None:
        load_trained_state(model, state, self.config.adaptation)


def _heard(outputs: Batch) -> Heard:
    return Heard(outputs[LISTED], outputs["log_likelihood"], outputs["target"])
