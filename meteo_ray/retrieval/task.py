"""What the training loop needs to know about the retrieval stage."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from meteo_ray.backbones import init_digest, init_files, resolve_init
from meteo_ray.batch import Batch
from meteo_ray.errors import UsageError
from meteo_ray.imaging.augment_config import UNALTERED
from meteo_ray.retrieval.bundle import Background, unit, write_bundle
from meteo_ray.retrieval.codes import pack
from meteo_ray.retrieval.config import RetrievalTraining
from meteo_ray.retrieval.model import DATABASE, Encoded, RetrievalDimensions, RetrievalModel
from meteo_ray.retrieval.objectives import Objective, objective
from meteo_ray.retrieval.ranking import map_among_themselves, map_of_codes
from meteo_ray.retrieval.relevance import COLUMN, Classes, classes_of, labelled, one_product
from meteo_ray.schema import TRAIN
from meteo_ray.streaming.image_store import ImageStore
from meteo_ray.streaming.pixels import PIXEL_COLUMNS, PreparePixels
from meteo_ray.training.task import Feedback, Loss, Phase, Prepare, Progress, Share, Task
from meteo_ray.vocabulary import Vocabulary


class RetrievalTask(Task):
    """Codes near to each other for charts that are alike.

    Between two epochs the codes of all training charts are solved for anew: `loss` keeps the outputs that it sees, and
    `metrics`, which ends an epoch before its checkpoint is written, solves. The codes are a buffer of the model, so
    that a run which goes on has them.

    Args:
        config: the stage's settings.
        data: the prepared data folder.
        vocabulary: fixes the classes by which charts are alike, and travels into the bundle.
        seed: of the order, the first codes and the augmentation.
        cache: where decoded images are kept, see `PreparePixels`.
    """

    name: ClassVar[str] = "retrieval"
    watch: ClassVar[str] = "map"

    def __init__(
        self,
        config: RetrievalTraining,
        data: Path,
        vocabulary: Vocabulary,
        seed: int = 0,
        cache: ImageStore | None = None,
    ) -> None:
        self.config, self.data, self.vocabulary, self.seed, self.cache = config, data, vocabulary, seed, cache
        self.init = resolve_init(config.backbone, config.init)
        self._classes: Classes | None = None
        self._known_objective: Objective | None = None
        self._network: RetrievalModel | None = None

    # -- data --------------------------------------------------------------------------------------------------------

    def rows(self, index: pa.Table, split: str) -> pa.Table:
        relevance = self.config.relevance
        found = labelled(index, split, relevance)
        classes = self._classes_of(found[COLUMN[relevance]].to_pylist())
        if split == TRAIN:
            self._classes, self._known_objective = classes, None
        return found.select(list(dict.fromkeys((*PIXEL_COLUMNS, COLUMN[relevance], COLUMN["products"]))))

    def _classes_of(self, values: Any) -> Classes:
        return classes_of(values, self.config.relevance, self.vocabulary)

    def order(self, rows: pa.Table, epoch: int, feedback: Feedback | None) -> NDArray[np.int64]:
        """A sample without repetition."""
        drawn = np.random.default_rng([self.seed, epoch]).permutation(rows.num_rows)
        return drawn[: self.config.samples]

    def follows_losses(self, epoch: int) -> bool:
        return False

    def prepare(self, split: str, epoch: int) -> Prepare:
        """Training rows are altered anew in every epoch; others are judged as they are, as in an archive."""
        training = split == TRAIN
        return PreparePixels(
            self.data,
            self.seed,
            epoch if training else None,
            self.config.augmentation if training else UNALTERED,
            self.cache,
            vocabulary=self.vocabulary,
        )

    def collate(self, batch: Batch) -> dict[str, Tensor]:
        tensors = {
            "image": torch.from_numpy(np.array(batch["image"])),  # a copy: Ray's arrays are read-only
            "classes": torch.from_numpy(self._classes_of(batch[COLUMN[self.config.relevance]])),
            "products": torch.from_numpy(one_product(batch[COLUMN["products"]].tolist(), self.vocabulary)),
        }
        return tensors | ({"row": torch.from_numpy(np.array(batch["row"]))} if "row" in batch else {})

    # -- model -------------------------------------------------------------------------------------------------------

    @property
    def _objective(self) -> Objective:
        """Made where training happens: it does not travel with the task."""
        if self._known_objective is None:
            if self._classes is None:
                raise RuntimeError("RetrievalTask.rows must see the training rows first: the loss compares with them")
            self._known_objective = objective(self.config, self._classes, self.seed)
        return self._known_objective

    def build(self) -> nn.Module:
        self._network = RetrievalModel(RetrievalDimensions.of(self.config), self.init, self._objective.database())
        return self._network

    def files(self) -> list[Path]:
        return init_files(self.config.backbone, self.init)

    def origin(self) -> str:
        return init_digest(self.config.backbone, self.init)

    def parameter_groups(self, model: nn.Module) -> Mapping[str, nn.Module | list[nn.Parameter]]:
        network = cast(RetrievalModel, model)
        return {"trunk": network.backbone, "branches": network.branches}

    def phases(self) -> list[Phase]:
        """The branches, then everything; random weights are not worth freezing and learn at the branches' rate.

        Raises:
            UsageError: where all epochs were to be frozen and the trunk knows nothing.
        """
        config, pretrained = self.config, self.init != "none"
        rates = {"trunk": config.trunk_rate if pretrained else config.head_rate, "branches": config.head_rate}
        branches = {"branches": config.head_rate}
        frozen = Phase("branches", config.frozen_epochs, branches, config.warmup_epochs, config.minimum_rate)
        everything = Phase("all", config.epochs, rates, config.warmup_epochs, config.minimum_rate)
        found = [phase for phase in ([frozen] if pretrained else []) + [everything] if phase.epochs]
        if not found:
            raise UsageError(
                "--retrieval.epochs 0 leaves the trunk as it is, and that starts from random weights: name some with "
                "--retrieval.init, such as MODELS/elements, or give --retrieval.epochs"
            )
        return found

    def loss(self, model: nn.Module, batch: dict[str, Tensor], progress: Progress) -> Loss:
        network = cast(RetrievalModel, model)
        encoded: Encoded = model(batch["image"])
        with torch.autocast(batch["image"].device.type, enabled=False):
            terms = self._objective.losses(network, encoded.outputs.float(), batch["row"])
            rows = sum(terms.values(), torch.zeros(()).to(encoded.outputs.device))
        parts = {name: term.mean().detach() for name, term in terms.items()} if len(terms) > 1 else {}
        return Loss(rows.mean(), parts, rows.detach())

    def after_epoch(self, model: nn.Module, share: Share) -> None:
        """The codes are solved for with what the epoch has seen."""
        self._objective.after_epoch(cast(RetrievalModel, model), share)

    # -- validation and result ---------------------------------------------------------------------------------------

    def outputs(self, model: nn.Module, batch: dict[str, Tensor]) -> Batch:
        encoded: Encoded = model(batch["image"])
        return {
            "outputs": encoded.outputs.float().cpu().numpy(),
            "pooled": encoded.pooled.float().cpu().numpy(),
            "classes": batch["classes"].cpu().numpy(),
            "products": batch["products"].cpu().numpy(),
        }

    def metrics(self, outputs: Batch) -> dict[str, float]:
        """See `measured`."""
        return self.measured(self._network, outputs)

    def measured(self, model: RetrievalModel | None, outputs: Batch) -> dict[str, float]:
        """map: every validation chart asks all others, ties in any order. Where codes are solved for, solved_map: it
        asks these codes, the paper's protocol, whose database has seen the labels."""
        codes, classes = pack(outputs["outputs"]), outputs["classes"]
        found = {"map": map_among_themselves(codes, classes) or 0.0}
        if model is not None and model.database is not None and self._classes is not None:
            solved = pack(model.database.cpu().numpy())
            found["solved_map"] = map_of_codes(codes, classes, solved, self._classes) or 0.0
        return found

    def export(self, model: nn.Module, outputs: Batch, folder: Path) -> dict[str, Any]:
        network = cast(RetrievalModel, model)
        tensors = {name: tensor for name, tensor in model.state_dict().items() if name != DATABASE}
        background = Background(unit(outputs["pooled"]), outputs["products"], self.vocabulary.product_ids)
        write_bundle(folder, tensors, network.dimensions, self.config, self.vocabulary, background)
        return self.measured(network, outputs)
