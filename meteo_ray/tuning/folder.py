"""Where a sweep lies: MODELS/tune/SPACE/, and what may be found there when a command comes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from meteo_ray.errors import UsageError
from meteo_ray.files import SIGN, held, remove_folder, require_ours
from meteo_ray.tuning.config import TuneJob
from meteo_ray.tuning.study import JOURNAL


@dataclass(frozen=True)
class SweepFolder:
    """Names of what a sweep writes."""

    path: Path

    @property
    def trials(self) -> Path:
        """A folder for each trial: log, metrics, checkpoint and weights."""
        return self.path / "trials"

    @property
    def ray(self) -> Path:
        """Ray Tune's own files, of the last call alone."""
        return self.path / "ray"

    @property
    def models(self) -> Path:
        """A model folder that holds the best trial's bundle."""
        return self.path / "models"

    @property
    def table(self) -> Path:
        return self.path / "trials.csv"

    @property
    def best(self) -> Path:
        return self.path / "best.yaml"

    @property
    def checks(self) -> Path:
        """What the cascade is worth with the settings before and the chosen ones, for programs."""
        return self.path / "checks.json"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @contextmanager
    def taken(self, job: TuneJob) -> Iterator[None]:
        """Hold the folder, emptied for a new sweep, or with the one that is to go on.

        Raises:
            UsageError: when another sweep runs here, or what stands here is not what the command expects.
        """
        with held(self.path, f"{self.path}: another sweep of this space runs here; wait for it or end it"):
            self._prepare(job)
            yield

    def _prepare(self, job: TuneJob) -> None:
        begun = (self.path / JOURNAL).is_file()
        if job.resume and not begun:
            raise UsageError(f"{self.path}: no sweep to resume here; leave --resume out to start one")
        if job.overwrite:
            require_ours(self.path, "sweep", JOURNAL)
            remove_folder(self.path)
        elif not job.resume and self.path.exists() and any(self.path.iterdir()):
            raise UsageError(
                f"{self.path}: a sweep of this space stands here; --resume goes on, --overwrite forgets it"
            )
        self.trials.mkdir(parents=True, exist_ok=True)
        (self.path / SIGN).touch()
