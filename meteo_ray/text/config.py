"""Settings of reading what is written on charts."""

from typing import Literal

from pydantic import Field

from meteo_ray.config.fields import Share, Size
from meteo_ray.config.parsing import Section


class ReadingSettings(Section):
    """How what is written on charts is read."""

    mode: Literal["off", "title", "page"] = "page"
    """What is read of a chart: nothing, its title and caption, or every line. The whole page takes several times as
    long. Models hear best what was read in the same way for their training."""
    seconds: float = Field(60.0, gt=0)
    """Seconds that one image may take before it goes without its text; the slowest take a few."""
    images_per_child: Size = 1000
    """Images after which the process that reads is replaced: engines of this kind grow in long runs. A start takes as
    long as a few images."""
    resident_mb: Size = 1024
    """Memory in MB (2^20 bytes) that this process may hold after an image; with more it is replaced."""
    minimum_score: Share = 0.5
    """Lines of which the engine is less sure are left out."""


class TextSettings(ReadingSettings):
    """The same for an archive, where it is off by default, and for which of its images."""

    mode: Literal["off", "title", "page"] = "off"
    """What is read of a chart: nothing, its title and caption, or every line; see jobs/read_text.py."""
    undecided_from: Share = 0.2
    """Images that are no charts to the gate are read as well from this score on: there the title may tell what the
    picture leaves open."""

    def is_undecided(self, score: float) -> bool:
        """Whether an image with this gate score is read although it may be no chart."""
        # As a Python float: a float32 would be compared after rounding this bound, here and not elsewhere.
        return self.mode != "off" and self.undecided_from <= float(score)
