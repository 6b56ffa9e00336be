"""Settings of a sweep (R42)."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from meteo_ray.config.parsing import JobConfig
from meteo_ray.evaluation.config import END_TO_END
from meteo_ray.stages import STAGES

if TYPE_CHECKING:
    Space = str
else:  # the choices that --help shows and a wrong flag is answered with
    Space = Literal[(*(stage.name for stage in STAGES), END_TO_END)]


class TuneJob(JobConfig):
    """Search one of the spaces in tune_spaces/ with Ray Tune and Optuna."""

    space: Space
    """Which space: a stage's searches training settings, cascade the thresholds of trained models."""
    data: Path | None = None
    """The data folder (or METEO_RAY_DATA), prepared by jobs/prepare_data.py."""
    models: Path | None = None
    """The model folder (or METEO_RAY_MODELS); the sweep is kept in its `tune/SPACE/`."""
    base: Path | None = None
    """A YAML file for jobs/train_SPACE.py; trials change only what the space names."""
    trials: int = Field(20, gt=0)
    """How many settings to try."""
    hours: float | None = Field(None, gt=0)
    """Stop starting trials after this time; those that run are ended too."""
    concurrent: int = Field(1, gt=0)
    """Trials at a time; one GPU carries one."""
    grace_epochs: int = Field(2, gt=0)
    """Epochs that every trial may run before a weak one is stopped."""
    resume: bool = False
    """Go on with a sweep that was interrupted."""
    overwrite: bool = False
    """Forget a sweep of the same space that stands in the folder."""
    seed: int = 0
    """Seeds the search."""
