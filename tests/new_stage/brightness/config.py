"""Settings of the brightness stage."""

from pydantic import Field

from meteo_ray.config import Section
from meteo_ray.training.config import LoopSettings, TrainingJob


class BrightnessTraining(Section):
    """How the brightness stage learns."""

    epochs: int = Field(4, gt=0)
    """Passes over the charts."""
    learning_rate: float = Field(0.05, gt=0)
    """Peak of the cosine."""


class TrainBrightnessJob(TrainingJob):
    """Train the brightness stage: how bright is a chart?"""

    training: LoopSettings = LoopSettings(batch_size=8)
    """The training loop."""
    brightness: BrightnessTraining = BrightnessTraining()
    """The brightness stage."""
