"""How a stage decides on votes without the network that gave them: text is heard after the pixels are seen."""

from collections.abc import Sequence
from typing import Any, Protocol

from meteo_ray.batch import Batch
from meteo_ray.calibration.votes import Votes


class Verdict(Protocol):
    """From votes to a stage's answer."""

    @property
    def voters(self) -> tuple[str, ...]:
        """Who votes on the pixels, in the order in which their votes travel."""
        ...

    @property
    def reads_text(self) -> bool:
        """Whether what is written changes its answers."""
        ...

    def __call__(self, votes: Votes, pages: Sequence[Any]) -> Batch:
        """Decide on votes `(rows, questions)` by voter and on one page an image, None where its text was not read.

        Columns of the stage come back, not always all of them: those that pixels alone decide on are left out.
        """
        ...
