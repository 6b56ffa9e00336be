"""What the training loop needs to know about the gate (R10-R13)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import nn
from torch.nn import functional as F

from meteo_ray.backbones import init_digest, init_files, resolve_init
from meteo_ray.batch import Batch
from meteo_ray.calibration.thresholds import best_f1_threshold
from meteo_ray.calibration.undecided import UNDECIDED, is_undecided, undecided_share
from meteo_ray.calibration.votes import VoterGroup, Votes, weighed
from meteo_ray.errors import UsageError
from meteo_ray.gate.bundle import earlier_scales, write_bundle
from meteo_ray.gate.calibration import NETWORK, GateCalibration
from meteo_ray.gate.config import GateTraining
from meteo_ray.gate.hard_examples import sampling_weights
from meteo_ray.gate.loss import gate_loss
from meteo_ray.gate.model import ARCHITECTURE, GateLogits, GateModel
from meteo_ray.gate.rows import UNKNOWN_KIND, gate_rows, kind_positions, kinds
from meteo_ray.gate.verdict import GateVerdict
from meteo_ray.imaging.augment_config import UNALTERED, AugmentConfig
from meteo_ray.metrics.binary import area_under_roc, binary_metrics
from meteo_ray.preparation.duplicates import near_any
from meteo_ray.schema import TRAIN
from meteo_ray.streaming.image_store import ImageStore
from meteo_ray.streaming.pixels import PIXEL_COLUMNS, PreparePixels
from meteo_ray.streaming.row_weights import row_weights
from meteo_ray.streaming.sampling import weighted_order
from meteo_ray.text.table import texts_path, with_texts
from meteo_ray.training.auxiliary_images import auxiliary_digest, auxiliary_rows, with_auxiliary
from meteo_ray.training.task import Collect, Feedback, Loss, Phase, Prepare, Progress, Task
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.training import VoterTraining, vote_arrays, vote_tensors
from meteo_ray.voters.verdict import alone, on_pixels
from meteo_ray.voters.voters import votes_in

# Columns that PreparePixels and the loss read; the rest of the index stays at home.
COLUMNS = (*PIXEL_COLUMNS, "is_meteo")

# Trees of the gate: those behind the figures of docs/results.md.
TREE_ROUNDS = 1000


class GateTask(Task):
    """ResNet-18 with one logit, trained on every row whose `is_meteo` is known.

    Args:
        config: the gate's settings.
        data: the prepared data folder.
        vocabulary: travels into the bundle; titles of the augmentation come from its products.
        seed: of the order and the augmentation.
        cache: where decoded images are kept, see `PreparePixels`.
        index: the folder of the index and the texts, if not DATA/index.
    """

    name: ClassVar[str] = "gate"
    watch: ClassVar[str] = "auc"

    def __init__(
        self,
        config: GateTraining,
        data: Path,
        vocabulary: Vocabulary,
        seed: int = 0,
        cache: ImageStore | None = None,
        index: Path | None = None,
    ) -> None:
        self.config, self.data, self.vocabulary, self.seed, self.cache = config, data, vocabulary, seed, cache
        self.index = index
        self.init = resolve_init(ARCHITECTURE, config.init, self.name)
        self.auxiliary = auxiliary_rows(
            config.auxiliary, seed, lambda index: gate_rows(index, TRAIN, skip_ambiguous=False)
        )
        self.voting = VoterTraining(config, self.init, self.name, (), TREE_ROUNDS, seed)
        self._earlier = earlier_scales(self.init)  # now: damage is told before the training, not after it
        self._kinds: tuple[str, ...] = ()

    # -- data --------------------------------------------------------------------------------------------------------

    def rows(self, index: pa.Table, split: str) -> pa.Table:
        own = self._labelled(index, TRAIN)
        training = with_auxiliary(own, self.auxiliary, index, near_any)
        self.voting.see(training, own.num_rows, ["is_meteo", "weight"], texts_path(self.data, self.index))
        found = training if split == TRAIN else self._labelled(index, split)
        positives = pc.sum(found["is_meteo"]).as_py() or 0
        if not 0 < positives < found.num_rows:
            raise UsageError(
                f"the {split} split has {positives} weather charts and {found.num_rows - positives} other images with "
                "a known is_meteo; the gate needs both: add rows to labels.jsonl or split otherwise "
                "(jobs/prepare_data.py --split-by)"
            )
        self._kinds = kinds(training) if self.config.kind_weight else ()
        kept = found.select([*COLUMNS, "weight", "title", "text"])
        return kept.append_column("kind", kind_positions(found, self._kinds))

    def _labelled(self, index: pa.Table, split: str) -> pa.Table:
        found = gate_rows(index, split, skip_ambiguous=self.config.skip_ambiguous and split != TRAIN)
        return with_texts(found.append_column("weight", row_weights(found)), self.data, self.index)

    def follows_losses(self, epoch: int) -> bool:
        """From the epoch on in which hard examples are drawn more often (R12)."""
        return self.config.hard_weight > 1 and epoch >= self.config.hard_from_epoch

    def order(self, rows: pa.Table, epoch: int, feedback: Feedback | None) -> NDArray[np.int64]:
        weights = sampling_weights(
            rows["is_meteo"].to_numpy(zero_copy_only=False),
            self._hard_losses(epoch, feedback),
            self.config.hard_share,
            self.config.hard_weight,
            rows["weight"].to_numpy(),
        )
        return weighted_order(weights, rows.num_rows, np.random.default_rng([self.seed, epoch]))

    def _hard_losses(self, epoch: int, feedback: Feedback | None) -> np.ndarray | None:
        return feedback.row_loss if feedback is not None and self.follows_losses(epoch) else None

    def prepare(self, split: str, epoch: int) -> Prepare:
        """Training rows are altered anew in every epoch; others are judged as they are, as in an archive (R5)."""
        if split == TRAIN:
            return self._pixels(epoch, self.config.augmentation)
        return self.voting.preparing(self._pixels(None, UNALTERED), self.vocabulary)

    def _pixels(self, epoch: int | None, augmentation: AugmentConfig) -> PreparePixels:
        return PreparePixels(
            self.data,
            seed=self.seed,
            epoch=epoch,
            augmentation=augmentation,
            cache=self.cache,
            vocabulary=self.vocabulary,
        )

    def before_training(self, collect: Collect) -> None:
        """Fit what votes beside the network."""
        self.voting.fit(collect, self._pixels, self.config.augmentation, _targets, self.vocabulary)

    def keep(self, folder: Path) -> None:
        self.voting.keep(folder)

    def recall(self, folder: Path) -> bool:
        return self.voting.recall(folder)

    def collate(self, batch: Batch) -> dict[str, torch.Tensor]:
        tensors = {
            "image": torch.from_numpy(np.array(batch["image"])),  # a copy: Ray's arrays are read-only
            "target": torch.from_numpy(batch["is_meteo"].astype(np.float32)),
        }
        if (batch["kind"] != UNKNOWN_KIND).any():  # asked here: on a GPU the loss would wait for the answer
            tensors["kind"] = torch.from_numpy(np.array(batch["kind"]))
        return {**tensors, **vote_tensors(batch)}

    # -- model -------------------------------------------------------------------------------------------------------

    def build(self) -> nn.Module:
        return GateModel(self.init, self.config.input_size, len(self._kinds))

    def origin(self) -> str:
        known = init_digest(ARCHITECTURE, self.init)
        return " ".join([known, *self.voting.origin(), *auxiliary_digest(self.auxiliary)])

    def files(self) -> list[Path]:
        return init_files(ARCHITECTURE, self.init)

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
        logits: GateLogits = model(batch["image"])
        rows = self._losses(logits.chart, batch["target"])
        if logits.kind is None or "kind" not in batch:
            return Loss(rows.mean(), rows=rows.detach())
        of_kinds = F.cross_entropy(logits.kind, batch["kind"], ignore_index=UNKNOWN_KIND)
        return Loss(rows.mean() + self.config.kind_weight * of_kinds, {"kind_loss": of_kinds.detach()}, rows.detach())

    def _losses(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return gate_loss(logits, targets, self.config.bce_share, self.config.focal_gamma)

    # -- validation and result ---------------------------------------------------------------------------------------

    def outputs(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> Batch:
        logits = model(batch["image"]).chart
        return {
            "logit": logits.float().cpu().numpy(),
            "target": batch["target"].cpu().numpy(),
            "loss": self._losses(logits, batch["target"]).cpu().numpy(),
            **vote_arrays(batch),
        }

    def metrics(self, outputs: Batch) -> dict[str, float]:
        """R14's metrics of the network's raw probabilities at their own best threshold, and the mean loss."""
        scores = expit(outputs["logit"].astype(np.float64))
        threshold = best_f1_threshold(outputs["target"], scores)
        known = binary_metrics(outputs["target"], scores, threshold)
        return {
            **{name: float(value) for name, value in known.items() if value is not None},
            "loss": float(outputs["loss"].mean()),
        }

    def export(self, model: nn.Module, outputs: Batch, folder: Path) -> dict[str, Any]:
        targets, votes = outputs["target"], {NETWORK: outputs["logit"][:, None], **votes_in(outputs)}
        verdict = GateVerdict.fit(self.vocabulary, votes, targets, self._calibrate, self.voting.written)
        if self.config.threshold is None:
            verdict.image.tell_if_few()
        write_bundle(folder, model, self.config, verdict, self.voting.voters)
        undecided = is_undecided(verdict.image.scores(on_pixels(votes)))
        return {
            UNDECIDED: undecided_share(int(undecided.sum()), len(undecided)),
            **verdict.measured(votes, targets, _judge, self.watch),
            **alone(votes, targets, area_under_roc, self.watch),
        }

    def _calibrate(self, groups: Sequence[VoterGroup], targets: np.ndarray) -> GateCalibration:
        heard = weighed(groups, self.config.voter_weights, self._earlier)
        fitted = GateCalibration.fit(heard, targets)
        return fitted if self.config.threshold is None else replace(fitted, threshold=self.config.threshold)


def _judge(calibration: GateCalibration, votes: Votes, targets: np.ndarray) -> dict[str, Any]:
    return binary_metrics(targets, calibration.scores(votes), calibration.threshold)


def _targets(batch: Batch) -> np.ndarray:
    return np.asarray(batch["is_meteo"], dtype=bool)[:, None]
