"""The retrieval stage on feature maps that a frozen trunk has made once: trainings of seconds instead of hours.

The same task, losses, loop and measures as jobs/train_retrieval.py with --retrieval.epochs 0; only the trunk is not
asked again for what it has answered. Every training chart has DRAWS augmented maps, which epochs take by turns.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from torch import Tensor, nn

from meteo_ray.backbones import init_digest, to_float
from meteo_ray.batch import Batch, objects
from meteo_ray.files import safely_replaced
from meteo_ray.imaging.augment_config import UNALTERED, AugmentConfig
from meteo_ray.progress import ProgressLine
from meteo_ray.retrieval.config import RetrievalTraining
from meteo_ray.retrieval.model import Encoded, RetrievalDimensions, RetrievalModel
from meteo_ray.retrieval.relevance import COLUMN
from meteo_ray.retrieval.task import RetrievalTask
from meteo_ray.schema import TRAIN
from meteo_ray.streaming.pixels import PIXEL_COLUMNS, PreparePixels
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.device import pick_device
from meteo_ray.training.loop import TrainingRun
from meteo_ray.training.task import Prepare
from meteo_ray.vocabulary import Vocabulary

DRAWS = 2
BATCH = 16


@dataclass(frozen=True)
class FeatureMaps:
    """What a trunk makes of charts: float16 `(draws, charts, channels, height, width)`, the unaltered image first, by
    the charts' ids."""

    maps: np.ndarray
    place: dict[str, int]

    def of(self, image_ids: Any, draw: int = 0) -> np.ndarray:
        """Float32 `(rows, channels, height, width)`."""
        return self.maps[draw, [self.place[str(name)] for name in image_ids]].astype(np.float32)

    def means(self, image_ids: Any) -> np.ndarray:
        """The trunk's pooled features, float32 `(rows, channels)`."""
        return self.of(image_ids).mean(axis=(2, 3))


def feature_maps(
    data: Path, rows: pa.Table, vocabulary: Vocabulary, config: RetrievalTraining, kept: Path, seed: int = 0
) -> FeatureMaps:
    """Of all rows of an index, kept in the folder `kept` for the next call with these images in this order."""
    digest = init_digest(config.backbone, config.init)
    ids, contents = rows["image_id"].to_pylist(), rows["sha256"].to_pylist()
    images = list(zip(ids, contents, strict=True))
    name = hashlib.sha256(f"{digest} {config.input_size} {DRAWS} {seed} {images}".encode()).hexdigest()[:16]
    file = kept / f"maps-{name}.npy"
    place = {image_id: number for number, image_id in enumerate(ids)}
    if not file.is_file():
        kept.mkdir(parents=True, exist_ok=True)
        maps = np.stack([_maps(data, rows, vocabulary, config, draw, seed) for draw in range(DRAWS + 1)])
        with safely_replaced(file) as opened:
            np.save(opened, maps)
    return FeatureMaps(np.load(file, mmap_mode="r"), place)


@torch.inference_mode()
def _maps(
    data: Path, rows: pa.Table, vocabulary: Vocabulary, config: RetrievalTraining, draw: int, seed: int
) -> np.ndarray:
    trunk = RetrievalModel(RetrievalDimensions.of(config), config.init).backbone.eval()
    altering, epoch = (AugmentConfig(), draw) if draw else (UNALTERED, None)
    pixels = PreparePixels(data, seed, epoch, altering, vocabulary=vocabulary)
    line, found = ProgressLine(f"feature maps {draw + 1}/{DRAWS + 1}", rows.num_rows), []
    for start in range(0, rows.num_rows, BATCH):
        part = rows.slice(start, BATCH)
        images = pixels({column: objects(part[column].to_pylist()) for column in PIXEL_COLUMNS})
        if not images["ok"].all():
            raise SystemExit(f"{data}: some images cannot be read as they were indexed; prepare the folder again")
        found.append(trunk(to_float(torch.from_numpy(images["image"]), config.input_size)).numpy().astype(np.float16))
        line.update(part.num_rows)
    line.close()
    return np.concatenate(found)


class OnMaps(RetrievalModel):
    """The model without its trunk: feature maps in."""

    def __init__(self, dimensions: RetrievalDimensions, database: Tensor | None) -> None:
        super().__init__(dimensions, database=database)
        self.backbone = nn.Sequential()

    def forward(self, images: Tensor) -> Encoded:
        return self.coded(images)


class FrozenTrunkTask(RetrievalTask):
    """RetrievalTask whose images are feature maps."""

    def __init__(self, config: RetrievalTraining, maps: FeatureMaps, vocabulary: Vocabulary, seed: int) -> None:
        super().__init__(config, Path(), vocabulary, seed)
        self.maps = maps

    def prepare(self, split: str, epoch: int) -> Prepare:
        draw = 1 + epoch % DRAWS if split == TRAIN else 0

        def prepare(batch: Batch) -> Batch:
            maps = self.maps.of(batch["image_id"], draw)
            return {**batch, "image": maps, "ok": np.ones(len(maps), dtype=bool)}

        return prepare

    def build(self) -> nn.Module:
        self._network = OnMaps(RetrievalDimensions.of(self.config), self._objective.database())
        return self._network


def stream(rows: pa.Table, prepare: Callable[[Batch], Batch], batch_size: int) -> Iterator[Batch]:
    """`streaming.stream.stream` without Ray: there is nothing to decode."""
    for start in range(0, rows.num_rows, batch_size):
        part = rows.slice(start, batch_size)
        columns = {name: objects(part[name].to_pylist()) for name in part.column_names if name != "row"}
        yield prepare(columns | ({"row": part["row"].to_numpy()} if "row" in part.column_names else {}))


class NoHost:
    """Keeps nothing: a training takes seconds."""

    rank, world_size = 0, 1

    def latest_checkpoint(self) -> Path | None:
        return None

    def report(self, metrics: dict[str, Any], write_checkpoint: Callable[[Path], None]) -> None:
        return

    def validated(self, entry: dict[str, Any]) -> None:
        return


@dataclass(frozen=True)
class Trained:
    """A model and what it makes of charts, of its best epoch on validation and of its last one."""

    task: FrozenTrunkTask
    model: OnMaps

    @torch.inference_mode()
    def encode(self, image_ids: Any) -> np.ndarray:
        """Outputs `(rows, bits)`, float32."""
        outputs: np.ndarray = self.model.eval()(torch.from_numpy(self.task.maps.of(image_ids))).outputs.numpy()
        return outputs


def train(
    config: RetrievalTraining, maps: FeatureMaps, index: pa.Table, vocabulary: Vocabulary, folder: Path, seed: int
) -> Trained:
    """Train the branches by the one loop; the best epoch on validation is kept."""
    task = FrozenTrunkTask(config, maps, vocabulary, seed)
    settings = LoopSettings(batch_size=16, patience=0, precision="fp32", seed=seed)
    finished = TrainingRun(task, index, settings, folder, NoHost(), stream, pick_device()).fit()
    return Trained(task, finished.model)


__all__ = ["COLUMN", "DRAWS", "FeatureMaps", "Trained", "feature_maps", "train"]
