"""What a task learns from all rows at once, before the first epoch; kept in the run's folder for a run that goes on."""

import logging
import shutil
from pathlib import Path

import pyarrow as pa

from meteo_ray.batch import Batch, concatenate
from meteo_ray.errors import UsageError
from meteo_ray.files import replace_folder
from meteo_ray.progress import ProgressLine
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.distributed import Workers
from meteo_ray.training.task import Prepare, Task
from meteo_ray.training.training_rows import Stream
from meteo_ray.training.unreadable import UnreadableRows, split_readable

logger = logging.getLogger("meteo_ray")

KEPT = "before_training"


class FirstLook:
    """Lets `task` learn from the training `rows`, or recall what it has learnt in the folder of the `run`."""

    def __init__(self, task: Task, rows: pa.Table, stream: Stream, settings: LoopSettings, run: Path) -> None:
        self._task, self._rows, self._stream = task, rows, stream
        self._batch_size, self._max_unreadable = settings.batch_size, settings.max_unreadable
        self._kept = run / KEPT

    def learn(self, workers: Workers) -> None:
        """In one worker; the others take what it kept, or learn it themselves where a task keeps nothing."""
        if workers.rank == 0 and not self._recalled():
            self._task.before_training(self._collect)
            self._keep()
        workers.wait()
        if workers.rank > 0 and not self._recalled():
            self._task.before_training(self._collect)

    def _recalled(self) -> bool:
        try:
            return self._kept.is_dir() and self._task.recall(self._kept)
        except UsageError as error:
            logger.warning("%s; it is learnt again", error)
            return False

    def _keep(self) -> None:
        scratch = self._kept.with_name(f".{KEPT}.new")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        self._task.keep(scratch)
        replace_folder(scratch, self._kept)

    def _collect(self, label: str, prepare: Prepare) -> Batch:
        """Every training row that can be read once, in order, as `prepare` makes it.

        Raises:
            UsageError: when too many cannot be read.
        """
        parts = []
        line = ProgressLine(f"{self._task.name} {label}", self._rows.num_rows, unit="rows")
        unreadable = UnreadableRows(self._task.name, "training", self._rows.num_rows, self._max_unreadable)
        for batch in self._stream(self._rows, prepare, self._batch_size):
            readable, lost = split_readable(batch)
            unreadable.add(lost)
            parts.append(readable)
            line.update(len(batch["ok"]))
        line.close()
        return concatenate(parts)
