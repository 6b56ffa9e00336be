"""Settings of reading what is written on charts."""

from typing import Literal, Self

from pydantic import Field, model_validator

from meteo_ray.config.fields import Share, Size
from meteo_ray.config.parsing import Section


class TextSettings(Section):
    """How what is written on charts is read."""

    mode: Literal["off", "title", "page"] = "off"
    """What is read of a chart: nothing, its title and caption, or every line. The whole page takes several times as
    long."""
    seconds: float = Field(60.0, gt=0)
    """Seconds that one image may take before it goes without its text; the slowest take a few."""
    images_per_child: Size = 1000
    """Images after which the process that reads is replaced: engines of this kind grow in long runs. A start takes as
    long as a few images."""
    resident_mb: Size = 1024
    """Memory in MB (2^20 bytes) that this process may hold after an image; with more it is replaced."""
    undecided_from: Share = 0.2
    """Images whose gate score is this high or higher are read as well as charts..."""
    undecided_to: Share = 0.8
    """...up to this score: there the title may tell what the picture leaves open."""
    minimum_score: Share = 0.5
    """Lines of which the engine is less sure are left out."""

    def is_undecided(self, score: float) -> bool:
        """Whether an image with this gate score is read although it may be no chart."""
        # As a Python float: a float32 would be compared after rounding these bounds, here and not elsewhere.
        return self.mode != "off" and self.undecided_from <= float(score) <= self.undecided_to

    @model_validator(mode="after")
    def _band(self) -> Self:
        if self.undecided_from > self.undecided_to:
            raise ValueError(f"undecided_from {self.undecided_from} is above undecided_to {self.undecided_to}")
        return self
