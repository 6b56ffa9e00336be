"""What the training loop needs to know about the element stage (R20-R26)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import nn

from meteo_ray.backbones import init_digest, init_files, resolve_init
from meteo_ray.batch import Batch, objects
from meteo_ray.calibration.votes import VoterGroup, Votes, weighed
from meteo_ray.elements.beam_search import beam_search
from meteo_ray.elements.bundle import write_bundle
from meteo_ray.elements.calibration import ElementsCalibration, of_network
from meteo_ray.elements.class_weights import class_weights
from meteo_ray.elements.config import ElementsTraining
from meteo_ray.elements.earlier_model import take_heads
from meteo_ray.elements.int8_encoder import activation_ranges, sample_rows, write_ranges
from meteo_ray.elements.label_order import LabelOrder
from meteo_ray.elements.loss import asymmetric_loss, parallel_loss, sequence_loss
from meteo_ray.elements.model import ElementsDimensions, ElementsModel
from meteo_ray.elements.repeat_factors import drawing_weights
from meteo_ray.elements.rows import count_labels, labelled_charts
from meteo_ray.elements.targets import PrepareElements, collate
from meteo_ray.elements.teacher_forcing import teacher_forcing
from meteo_ray.elements.verdict import ElementsVerdict
from meteo_ray.errors import UsageError
from meteo_ray.imaging.augment_config import UNALTERED, AugmentConfig
from meteo_ray.metrics.multilabel import mean_average_precision, multilabel_metrics
from meteo_ray.preparation.duplicates import near_any
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.streaming.image_store import ImageStore
from meteo_ray.streaming.pixels import PIXEL_COLUMNS, PreparePixels
from meteo_ray.streaming.row_weights import row_weights
from meteo_ray.streaming.sampling import group_by_length, weighted_order
from meteo_ray.text.table import texts_path, with_texts
from meteo_ray.training.auxiliary_images import auxiliary_digest, auxiliary_rows, with_auxiliary
from meteo_ray.training.task import Collect, Feedback, Loss, Phase, Prepare, Progress, Task
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.training import VoterTraining, vote_arrays, vote_tensors
from meteo_ray.voters.verdict import alone
from meteo_ray.voters.voters import votes_in

# Trees of each element: a third of the gate's, for there are thirty times as many questions; not tuned.
TREE_ROUNDS = 300


class ElementsTask(Task):
    """The CNN-RNN network, trained on every weather chart whose elements are known.

    Args:
        config: the stage's settings.
        data: the prepared data folder.
        vocabulary: fixes the labels and their order, and travels into the bundle.
        seed: of the order, the label order, scheduled sampling and the augmentation.
        cache: where decoded images are kept, see `PreparePixels`.
        batch_size: of the loop; rows of similar sequence length are grouped for it.
        index: the folder of the index and the texts, if not DATA/index.
    """

    name: ClassVar[str] = "elements"
    watch: ClassVar[str] = "map"

    def __init__(
        self,
        config: ElementsTraining,
        data: Path,
        vocabulary: Vocabulary,
        seed: int = 0,
        cache: ImageStore | None = None,
        batch_size: int = 32,
        index: Path | None = None,
    ) -> None:
        self.config, self.data, self.vocabulary = config, data, vocabulary
        self.seed, self.batch_size, self.cache, self.index = seed, batch_size, cache, index
        self.init = resolve_init(config.backbone, config.init, self.name)
        self.voting = VoterTraining(config, self.init, self.name, vocabulary.element_ids, TREE_ROUNDS, seed)
        self.auxiliary = auxiliary_rows(config.auxiliary, seed, lambda index: labelled_charts(index, TRAIN))
        self._counts: NDArray[np.int64] | None = None
        self._weights: torch.Tensor | None = None
        self._samples = pa.table({})

    # -- data --------------------------------------------------------------------------------------------------------

    def rows(self, index: pa.Table, split: str) -> pa.Table:
        training = with_auxiliary(self._labelled(index, TRAIN), self.auxiliary, index, near_any)
        self._counts, self._weights = count_labels(training, self.vocabulary), None
        validation = labelled_charts(index, VALIDATION)
        self._samples = validation.take(sample_rows(validation.num_rows)).select(PIXEL_COLUMNS)
        # No row is asked how strange its source is: pixels and text are weighed against each other, see `_calibrate`.
        self.voting.see(training, 0, ["elements", "weight"], texts_path(self.data, self.index))
        found = training if split == TRAIN else self._labelled(index, split)
        if not found.num_rows or not count_labels(found, self.vocabulary).any():
            raise UsageError(
                f"the {split} split has no weather chart with a known element; add `labels` to rows of labels.jsonl "
                "or split otherwise (jobs/prepare_data.py --split-by)"
            )
        return found

    def _labelled(self, index: pa.Table, split: str) -> pa.Table:
        found = labelled_charts(index, split)
        return with_texts(found.append_column("weight", row_weights(found)), self.data, self.index)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Training rows of every label, `(labels,)`; known once `rows` has seen the index."""
        if self._counts is None:
            raise RuntimeError("ElementsTask.rows must see the index first: label order and class weights come from it")
        return self._counts

    def order(self, rows: pa.Table, epoch: int, feedback: Feedback | None) -> NDArray[np.int64]:
        """Every row once, in random order, or as often as it weighs; batches hold sequences of similar length if
        wanted (R28)."""
        rng = np.random.default_rng([self.seed, epoch])
        weights = drawing_weights(rows, self.vocabulary, self.config.rare_share)
        equal = len(np.unique(weights)) <= 1
        order = rng.permutation(rows.num_rows) if equal else weighted_order(weights, rows.num_rows, rng)
        if not self.config.length_grouping:
            return order
        lengths = np.minimum(pc.list_value_length(rows["elements"]).to_numpy(), self.config.max_labels)
        return group_by_length(order, lengths, self.batch_size, rng)

    def follows_losses(self, epoch: int) -> bool:
        return False

    def prepare(self, split: str, epoch: int) -> Prepare:
        """Training rows are altered anew in every epoch; others are judged as they are, as in an archive (R5)."""
        if split == TRAIN:
            return self._prepare(epoch, self.config.augmentation)
        return self.voting.preparing(self._prepare(None, UNALTERED), self.vocabulary)

    def _prepare(self, epoch: int | None, augmentation: AugmentConfig) -> PrepareElements:
        pixels = PreparePixels(self.data, self.seed, epoch, augmentation, self.cache, vocabulary=self.vocabulary)
        order, config = LabelOrder.by_frequency(self.counts), self.config
        return PrepareElements(pixels, order, config.max_labels, config.shuffled_share, self.seed, epoch)

    def _sample_images(self) -> np.ndarray:
        """Some validation images as they are judged, uint8 `(rows, 240, 320, 3)`."""
        pixels = PreparePixels(self.data, self.seed, None, UNALTERED, self.cache, vocabulary=self.vocabulary)
        found = pixels({name: objects(self._samples[name].to_pylist()) for name in PIXEL_COLUMNS})
        images: np.ndarray = found["image"][found["ok"]]
        return images

    def before_training(self, collect: Collect) -> None:
        """Fit what votes beside the network."""
        self.voting.fit(collect, self._prepare, self.config.augmentation, self._targets, self.vocabulary)

    def keep(self, folder: Path) -> None:
        self.voting.keep(folder)

    def recall(self, folder: Path) -> bool:
        return self.voting.recall(folder)

    def _targets(self, batch: Batch) -> np.ndarray:
        return np.array([self.vocabulary.multi_hot(names) for names in batch["elements"]])

    def collate(self, batch: Batch) -> dict[str, torch.Tensor]:
        return {**collate(batch), **vote_tensors(batch)}

    # -- model -------------------------------------------------------------------------------------------------------

    def build(self) -> nn.Module:
        dimensions = ElementsDimensions.of(self.config, len(self.vocabulary.elements))
        model = ElementsModel(dimensions, self.init, self.config.gradient_checkpointing)
        take_heads(model, self.init, self.vocabulary)
        return model

    def origin(self) -> str:
        known = init_digest(self.config.backbone, self.init)
        return " ".join([known, *self.voting.origin(), *auxiliary_digest(self.auxiliary)])

    def files(self) -> list[Path]:
        return init_files(self.config.backbone, self.init)

    def parameter_groups(self, model: nn.Module) -> Mapping[str, nn.Module | list[nn.Parameter]]:
        model = cast(ElementsModel, model)
        return {
            "encoder": model.encoder,
            "decoder": nn.ModuleList([model.projection, model.parallel_head, model.decoder]),
        }

    def compiled_parts(self, model: nn.Module) -> list[nn.Module]:
        """The encoder: the decoder has another number of steps in every batch, and is little work."""
        return [cast(ElementsModel, model).encoder]

    def phases(self) -> list[Phase]:
        """Decoder first, then everything (R22); random weights are not frozen and learn at the decoder's rate."""
        config, pretrained = self.config, self.init != "none"
        frozen_epochs = config.frozen_epochs if pretrained else 0
        frozen_warmup = min(config.frozen_warmup_epochs, frozen_epochs)
        full_rates = {
            "encoder": config.encoder_rate if pretrained else config.decoder_rate,
            "decoder": config.decoder_rate,
        }
        full_warmup = min(config.warmup_epochs, config.full_epochs)
        phases = [
            Phase("decoder", frozen_epochs, {"decoder": config.frozen_rate}, frozen_warmup, config.minimum_rate),
            Phase("everything", config.full_epochs, full_rates, full_warmup, config.minimum_rate),
        ]
        return [phase for phase in phases if phase.epochs]

    def loss(self, model: nn.Module, batch: dict[str, torch.Tensor], progress: Progress) -> Loss:
        config, targets, sequences = self.config, batch["targets"], batch["sequences"]
        share = teacher_forcing(progress.fraction, config.teacher_forcing_start, config.teacher_forcing_end)
        parallel_logits, sequence_logits = model(batch["image"], sequences, batch["forcing_draws"] < share)
        parallel = self._parallel_loss(parallel_logits, targets)
        sequence = sequence_loss(sequence_logits, sequences)
        rows = config.parallel_weight * parallel + config.sequence_weight * sequence
        parts = {"parallel_loss": parallel.detach().mean(), "sequence_loss": sequence.detach().mean()}
        return Loss(rows.mean(), parts, rows.detach())

    def _parallel_loss(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Of every row, `(batch,)`."""
        config = self.config
        weights = self._class_weights(targets.device)
        if config.parallel_loss == "asymmetric":
            return asymmetric_loss(logits, targets, weights, config.asymmetric_gammas, config.asymmetric_margin)
        return parallel_loss(logits, targets, weights, config.focal_gamma)

    def _class_weights(self, device: torch.device) -> torch.Tensor:
        """Copied once: copying them in every step would make the process wait for the device."""
        if self._weights is None or self._weights.device != device:
            weights = class_weights(self.counts, self.config.class_weight_limit)
            self._weights = torch.from_numpy(weights).to(device)
        return self._weights

    # -- validation and result ---------------------------------------------------------------------------------------

    def outputs(self, model: nn.Module, batch: dict[str, torch.Tensor]) -> Batch:
        """parallel (logits), emitted (probabilities of the sequence head), targets and votes, all `(batch, labels)`."""
        model = cast(ElementsModel, model)
        encoded = model.encode(batch["image"])
        with torch.autocast(batch["image"].device.type, enabled=False):
            found = beam_search(model.decoder, encoded.image, self.config.beam_width, self.config.max_labels)
        return {
            "parallel": encoded.parallel.float().cpu().numpy(),
            "emitted": found.emitted.float().cpu().numpy(),
            "targets": batch["targets"].cpu().numpy(),
            **vote_arrays(batch),
        }

    def metrics(self, outputs: Batch) -> dict[str, float]:
        """R26's means of the network alone, calibrated on the same outputs: to compare epochs, not to report."""
        votes = of_network(outputs["parallel"], outputs["emitted"])
        known = self._judge(self._calibrate([VoterGroup(votes)], outputs["targets"]), votes, outputs["targets"])
        return {name: known[name] or 0.0 for name in ("map", "micro_f1", "macro_f1")}

    def export(self, model: nn.Module, outputs: Batch, folder: Path) -> dict[str, Any]:
        network, targets = cast(ElementsModel, model), outputs["targets"]
        votes = {**of_network(outputs["parallel"], outputs["emitted"]), **votes_in(outputs)}
        verdict = ElementsVerdict.fit(self.vocabulary, votes, targets, self._calibrate, self.voting.written)
        write_bundle(folder, network, self.config, self.counts, verdict, self.voting.voters)
        images = self._sample_images()
        if len(images):
            write_ranges(folder, activation_ranges(network, images))
        return {
            **verdict.measured(votes, targets, self._judge, self.watch),
            **alone(votes, targets, mean_average_precision, self.watch),
        }

    def _calibrate(self, groups: Sequence[VoterGroup], targets: np.ndarray) -> ElementsCalibration:
        """All voters are weighed against each other: many labels of one chart tell more than the gate's one question.

        Pixels and text kept apart had the lower F1 on unseen real sources (docs/results.md).
        """
        together = VoterGroup({name: votes for group in groups for name, votes in group.votes.items()})
        groups = weighed([together], self.config.voter_weights)
        return ElementsCalibration.fit(groups, targets, self.config.borrowed_positives)

    def _judge(self, calibration: ElementsCalibration, votes: Votes, targets: np.ndarray) -> dict[str, Any]:
        scores = calibration.scores(votes)
        return multilabel_metrics(targets, scores, calibration.thresholds, self.vocabulary.element_ids)
