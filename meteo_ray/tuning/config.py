"""Settings of a sweep (R42)."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from meteo_ray.config.parsing import JobConfig
from meteo_ray.evaluation.config import END_TO_END
from meteo_ray.stages import STAGES

SPEED = "images_per_second"
"""The objective that every space has besides measures of quality."""

SECONDS_AN_HOUR = 3600

# The part of --hours in which trials run. In the rest the best model is saved: voters are fitted and validation is
# judged once more, which takes as long as an epoch or two of the hundreds that a night holds.
SEARCHING = 0.95

if TYPE_CHECKING:
    Space = str
else:  # the choices that --help shows and a wrong flag is answered with
    Space = Literal[(*(stage.name for stage in STAGES), END_TO_END)]


class TuneJob(JobConfig):
    """Search one of the spaces in tune_spaces/ with Optuna; trainings run as trials of Ray Tune."""

    space: Space
    """Which space: a stage's searches training settings, cascade how trained models decide."""
    data: Path | None = None
    """The data folder (or METEO_RAY_DATA), prepared by jobs/prepare_data.py."""
    models: Path | None = None
    """The model folder (or METEO_RAY_MODELS); the sweep is kept in its `tune/SPACE/`."""
    base: Path | None = None
    """A YAML file for jobs/train_SPACE.py, or for jobs/evaluate.py where the space is cascade; trials change only what
    the space names, and the first trial nothing. Each trains with one worker, whatever its training.workers."""
    trials: int | None = Field(None, gt=0)
    """How many settings to try altogether, those before --resume included; default: 20, of the cascade 1000."""
    hours: float | None = Field(None, gt=0)
    """When the best model has to be there. The last twentieth is kept for saving it, of the cascade for judging test
    images; trials that still run then are ended, and go on with --resume."""
    concurrent: int = Field(1, gt=0)
    """Trials at a time. They share the GPUs, or the cores, in equal parts."""
    grace_epochs: int | None = Field(None, gt=0)
    """Epochs that every trial may run before a weak one is ended; default: until two epochs after everything that it
    varies has begun to act (frozen epochs + warm-up + 2), and no less is taken."""
    objectives: tuple[str, ...] = ()
    """What to improve, the first decides which model is saved; default: the stage's watched metric, of the cascade
    quality. images_per_second is one, for where quality and speed conflict; with several no trial is ended early."""
    resume: bool = False
    """Go on with a sweep that was interrupted, or with more trials or hours."""
    overwrite: bool = False
    """Forget a sweep of the same space that stands in the folder."""
    seed: int = 0
    """Seeds the search."""

    @property
    def searching_seconds(self) -> float | None:
        """Seconds from the start in which trials run."""
        return None if self.hours is None else self.hours * SECONDS_AN_HOUR * SEARCHING

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.resume and self.overwrite:
            raise ValueError("--resume keeps what --overwrite removes: give one of them")
        if self.space == END_TO_END and (self.concurrent > 1 or self.grace_epochs is not None):
            raise ValueError(
                f"--concurrent and --grace-epochs are for trainings; --space {END_TO_END} trains nothing and tries one "
                "setting after the other, in milliseconds: leave them out"
            )
        if SPEED in self.objectives and self.concurrent > 1:
            raise ValueError(f"--objectives {SPEED}: trials side by side slow each other down: leave --concurrent at 1")
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError("--objectives names one twice")
        return self
