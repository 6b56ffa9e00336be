"""The training loop's host inside a trial: scores go to Ray Tune, checkpoints into the trial's own folder."""

import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from meteo_ray.files import replace_folder
from meteo_ray.training.checkpoint import load_state
from meteo_ray.training.loop import is_better

# Keys of what a trial is given and of what it reports: its folder; its scores so far; that it ended by itself.
PLACE, VALUES, ENDED = "_folder", "values", "ended"

# Left in the folder of a trial that ended with an exception: one that its settings are to blame for, and would come
# again; one of the machine, its disks or its mounts.
ERROR, FAULT = "error.txt", "fault.txt"

CHECKPOINT = "checkpoint"

Report = Callable[[dict[str, Any]], None]


class TrialHost:
    """Keeps the latest checkpoint, and tells `report` after every validation how good the best epoch so far is.

    Args:
        folder: the trial's own.
        watch: the metric that decides on the best epoch.
        measures: the metrics that are told of that epoch.
        acts_from: epochs after which everything that the sweep varies has acted.
        report: what is told; an epoch of an earlier process is told again.
    """

    rank, world_size = 0, 1

    def __init__(self, folder: Path, watch: str, measures: Sequence[str], acts_from: int, report: Report) -> None:
        self.folder, self.watch, self.measures, self.acts_from = folder, watch, measures, acts_from
        self._tell = report
        self.best: dict[str, Any] = {}
        self.epochs = 0
        for entry in self._history():
            self._note(entry)

    def latest_checkpoint(self) -> Path | None:
        place = self.folder / CHECKPOINT
        return place if place.is_dir() else None

    def report(self, metrics: dict[str, Any], write_checkpoint: Callable[[Path], None]) -> None:
        scratch = self.folder / f".{CHECKPOINT}.new"
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        write_checkpoint(scratch)
        replace_folder(scratch, self.folder / CHECKPOINT)

    def validated(self, entry: dict[str, Any]) -> None:
        self._note(entry)

    def values(self) -> list[float]:
        """The measures of the best epoch so far; NaN where one is no number, which no entry holds."""
        return [float(self.best.get(f"validation/{name}", math.nan)) for name in self.measures]

    def metrics(self) -> dict[str, float]:
        """All of the best epoch's metrics on the validation split."""
        prefix = "validation/"
        return {name.removeprefix(prefix): value for name, value in self.best.items() if name.startswith(prefix)}

    def _note(self, entry: dict[str, Any]) -> None:
        watched = f"validation/{self.watch}"
        best = self.best.get(watched, math.nan) if self.best else None
        if is_better(entry.get(watched, math.nan), best):
            self.best = entry
        self.epochs = int(entry["epoch"]) + 1
        self._tell({VALUES: self.values(), "epochs": self.epochs, "acts_from": self.acts_from})

    def _history(self) -> list[dict[str, Any]]:
        place = self.latest_checkpoint()
        return [] if place is None else load_state(place, self.folder).history
