"""What the training loop needs to know about the gate (R10-R13)."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from meteo_ray.backbones import resolve_init
from meteo_ray.config.gate import GateTraining
from meteo_ray.dataset.pixels import PreparePixels
from meteo_ray.dataset.sampling import weighted_order
from meteo_ray.errors import UsageError
from meteo_ray.evaluation.calibration import best_f1_threshold
from meteo_ray.evaluation.metrics import binary_metrics
from meteo_ray.gate.bundle import GateCalibration, write_bundle
from meteo_ray.gate.descriptors import PrepareDescriptors
from meteo_ray.gate.loss import gate_loss
from meteo_ray.gate.model import ARCHITECTURE, GateLogits, GateModel
from meteo_ray.labels import Vocabulary
from meteo_ray.schema import TRAIN, Batch
from meteo_ray.training.task import Feedback, Loss, Phase, Prepare, Progress, Task

# Columns that PreparePixels and the loss read; the rest of the index stays at home.
COLUMNS = ("image_id", "path", "sha256", "product", "is_meteo")


# What cross-entropy skips.
UNKNOWN_KIND = -1


class GateTask(Task):
    """ResNet-18 with one logit, trained on every row whose `is_meteo` is known.

    Args:
        config: the gate's settings.
        data: the prepared data folder.
        vocabulary: travels into the bundle; titles of the augmentation come from its products.
        seed: of the order and the augmentation.
        cache: where fixed pixels are kept, see `PreparePixels`.
    """

    name: ClassVar[str] = "gate"
    watch: ClassVar[str] = "auc"

    def __init__(
        self, config: GateTraining, data: Path, vocabulary: Vocabulary, seed: int = 0, cache: Path | None = None
    ) -> None:
        self.config, self.data, self.vocabulary, self.seed, self.cache = config, data, vocabulary, seed, cache
        self.init = resolve_init(ARCHITECTURE, config.init)
        self._kinds: tuple[str, ...] = ()

    # -- data --------------------------------------------------------------------------------------------------------

    def rows(self, index: pa.Table, split: str) -> pa.Table:
        found = gate_rows(index, split, skip_ambiguous=self.config.skip_ambiguous and split != TRAIN)
        positives = pc.sum(found["is_meteo"]).as_py() or 0
        if not 0 < positives < found.num_rows:
            raise UsageError(
                f"the {split} split has {positives} weather charts and {found.num_rows - positives} other images with "
                "a known is_meteo; the gate needs both: add rows to labels.jsonl or split otherwise "
                "(jobs/prepare_data.py --split-by)"
            )
        self._kinds = kinds(gate_rows(index, TRAIN, skip_ambiguous=False)) if self.config.kind_weight else ()
        return found.select(COLUMNS).append_column("kind", kind_positions(found, self._kinds))

    def order(self, rows: pa.Table, epoch: int, feedback: Feedback | None) -> NDArray[np.int64]:
        weights = sampling_weights(
            rows["is_meteo"].to_numpy(zero_copy_only=False),
            self._hard_losses(epoch, feedback),
            self.config.hard_share,
            self.config.hard_weight,
        )
        return weighted_order(weights, rows.num_rows, np.random.default_rng([self.seed, epoch]))

    def _hard_losses(self, epoch: int, feedback: Feedback | None) -> np.ndarray | None:
        return feedback.row_loss if feedback is not None and epoch >= self.config.hard_from_epoch else None

    def prepare(self, split: str, epoch: int) -> Prepare:
        fixed = split != TRAIN
        pixels = PreparePixels(
            self.data,
            seed=self.seed,
            epoch=None if fixed else epoch,
            augmentation=self.config.augmentation,
            cache=self.cache,
            vocabulary=self.vocabulary,
        )
        return PrepareDescriptors(pixels) if self.config.descriptors else pixels

    def collate(self, batch: Batch) -> dict[str, torch.Tensor]:
        tensors = {
            "image": torch.from_numpy(np.array(batch["image"])),  # a copy: Ray's arrays are read-only
            "target": torch.from_numpy(batch["is_meteo"].astype(np.float32)),
            "kind": torch.from_numpy(np.array(batch["kind"])),
        }
        if self.config.descriptors:
            tensors["descriptors"] = torch.from_numpy(np.array(batch["descriptors"]))
        return tensors

    # -- model -------------------------------------------------------------------------------------------------------

    def build(self) -> nn.Module:
        return GateModel(self.init, self.config.input_size, self.config.descriptors, len(self._kinds))

    def parameter_groups(self, model: nn.Module) -> Mapping[str, nn.Module | list[nn.Parameter]]:
        gate = cast(GateModel, model)
        heads = [gate.head] if gate.kind_head is None else [gate.head, gate.kind_head]
        return {"backbone": gate.backbone, "head": nn.ModuleList(heads)}

    def phases(self) -> list[Phase]:
        """Head first, then everything (R11); random weights are not worth freezing and learn at the head's rate."""
        settings, pretrained = self.config, self.init != "none"
        head_only = Phase(
            "head",
            settings.frozen_epochs,
            {"head": settings.frozen_head_rate},
            minimum_learning_rate=settings.minimum_rate,
        )
        backbone_rate = settings.backbone_rate if pretrained else settings.head_rate
        everything = Phase(
            "everything",
            settings.full_epochs,
            {"backbone": backbone_rate, "head": settings.head_rate},
            minimum_learning_rate=settings.minimum_rate,
        )
        return [head_only, everything] if pretrained and settings.frozen_epochs else [everything]

    def loss(self, model: nn.Module, batch: dict[str, torch.Tensor], progress: Progress) -> Loss:
        logits: GateLogits = model(batch["image"], batch.get("descriptors"))
        rows = self._losses(logits.chart, batch["target"])
        if logits.kind is None or (batch["kind"] == UNKNOWN_KIND).all():
            return Loss(rows.mean(), rows=rows.detach())
        of_kinds = F.cross_entropy(logits.kind, batch["kind"], ignore_index=UNKNOWN_KIND)
        return Loss(rows.mean() + self.config.kind_weight * of_kinds, {"kind_loss": of_kinds.detach()}, rows.detach())

    def _losses(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return gate_loss(logits, targets, self.config.bce_share, self.config.focal_gamma)

    # -- validation and result ---------------------------------------------------------------------------------------

    def outputs(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> Batch:
        logits = model(batch["image"], batch.get("descriptors")).chart
        return {
            "logit": logits.float().cpu().numpy(),
            "target": batch["target"].cpu().numpy(),
            "loss": self._losses(logits, batch["target"]).cpu().numpy(),
        }

    def metrics(self, outputs: Batch) -> dict[str, float]:
        """R14's metrics of raw probabilities at their own best threshold, and the mean loss."""
        scores = 1 / (1 + np.exp(-outputs["logit"].astype(np.float64)))
        threshold = best_f1_threshold(outputs["target"], scores)
        known = binary_metrics(outputs["target"], scores, threshold)
        return {
            **{name: float(value) for name, value in known.items() if value is not None},
            "loss": float(outputs["loss"].mean()),
        }

    def export(self, model: nn.Module, outputs: Batch, folder: Path) -> dict[str, Any]:
        calibration = GateCalibration.fit(outputs["logit"], outputs["target"])
        write_bundle(folder, model, self.config, self.vocabulary, calibration)
        scores = calibration.probabilities(outputs["logit"])
        return dict(binary_metrics(outputs["target"], scores, calibration.threshold))


def gate_rows(index: pa.Table, split: str, skip_ambiguous: bool) -> pa.Table:
    """The rows of a split whose `is_meteo` is known; with `skip_ambiguous` without those marked in `extra`."""
    keep = pc.and_(pc.equal(index["split"], split), pc.is_valid(index["is_meteo"]))
    found = index.filter(pc.fill_null(keep, False))
    if not skip_ambiguous:
        return found
    clear = [not json.loads(extra or "{}").get("ambiguous", False) for extra in found["extra"].to_pylist()]
    return found.filter(pa.array(clear, type=pa.bool_()))


def kinds(rows: pa.Table) -> tuple[str, ...]:
    """Every product and every kind of other image among the rows, in alphabetical order."""
    return tuple(sorted({kind for kind in _kind_names(rows) if kind}))


def kind_positions(rows: pa.Table, known: tuple[str, ...]) -> pa.Array:
    """Each row's place in `known`, int64 `(rows,)`; UNKNOWN_KIND where it has no kind or another one."""
    position = {name: number for number, name in enumerate(known)}
    return pa.array([position.get(kind or "", UNKNOWN_KIND) for kind in _kind_names(rows)], pa.int64())


def _kind_names(rows: pa.Table) -> list[str | None]:
    columns = (rows[name].to_pylist() for name in ("product", "extra"))
    return [product or json.loads(extra or "{}").get("kind") for product, extra in zip(*columns, strict=True)]


def sampling_weights(
    positive: np.ndarray, row_loss: np.ndarray | None, hard_share: float, hard_weight: float
) -> NDArray[np.float64]:
    """How likely each row is drawn, `(rows,)`: both classes weigh the same, hard rows more within theirs (R12).

    Hard are the `hard_share` of the rows of highest loss among those of a class that were seen; rows not seen yet
    (NaN) weigh like the ordinary ones.
    """
    weights = np.ones(len(positive))
    for members in (np.flatnonzero(positive), np.flatnonzero(~positive.astype(bool))):
        if row_loss is not None:
            seen = members[np.isfinite(row_loss[members])]
            count = int(hard_share * len(seen))
            weights[seen[np.argsort(-row_loss[seen], kind="stable")[:count]]] = hard_weight
        weights[members] /= max(weights[members].sum(), 1)
    return weights
