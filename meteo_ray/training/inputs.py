"""What a training job is given: its folders, the index and the vocabulary, all checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from meteo_ray.errors import UsageError
from meteo_ray.streaming.config import MOST_CACHE_GB
from meteo_ray.streaming.image_store import ImageStore
from meteo_ray.streaming.index import read_index
from meteo_ray.training.config import TrainingJob
from meteo_ray.vocabulary import Vocabulary, choose_vocabulary


@dataclass(frozen=True)
class TaskInputs:
    """What a task is made from: the folders and the vocabulary, all checked.

    `index_folder` is where the index and what belongs to it lie, if not in DATA/index; `answered_by` the versions of
    earlier stages' models whose answers stand in the index, by stage.
    """

    data: Path
    models: Path
    cache: Path
    index: pa.Table
    vocabulary: Vocabulary
    index_folder: Path | None = None
    answered_by: Mapping[str, str] = field(default_factory=dict)
    cache_gb: float = MOST_CACHE_GB

    @property
    def images(self) -> ImageStore:
        """Where decoded images are kept, in `cache`."""
        return ImageStore(self.cache, self.cache_gb)


def check_inputs(job: TrainingJob) -> TaskInputs:
    """Resolve and check a training job's folders. Raises UsageError naming what is missing and what to do."""
    data, models = given_folders(job)
    index = read_index(data, job.index)
    cache = (job.cache or data / "cache").resolve()
    return TaskInputs(data, models, cache, index, choose_vocabulary(job.labels, data), job.index, cache_gb=job.cache_gb)


def without_images(job: TrainingJob, read: Callable[[Path], pa.Table]) -> TaskInputs:
    """For a stage whose data is no folder of images: `read(data)` is its index. Raises UsageError as `check_inputs`."""
    data, models = given_folders(job)
    cache = (job.cache or models / "cache").resolve()
    return TaskInputs(data, models, cache, read(data), choose_vocabulary(job.labels, data))


def given_folders(job: TrainingJob) -> tuple[Path, Path]:
    """--data and --models, absolute. Raises UsageError where one was not given."""
    for name in ("data", "models"):
        if getattr(job, name) is None:
            raise UsageError(f"--{name} is required (or set METEO_RAY_{name.upper()})")
    assert job.data is not None
    assert job.models is not None
    return job.data.resolve(), job.models.resolve()
