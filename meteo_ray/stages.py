"""The stages that there are. A new one is a folder with its description, and its line here."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from meteo_ray.elements.stage import ELEMENTS
from meteo_ray.gate.stage import GATE
from meteo_ray.products.stage import PRODUCTS
from meteo_ray.schema import predictions_schema
from meteo_ray.stage import Judging, Stage

STAGES: tuple[Stage, ...] = (
    GATE,
    ELEMENTS,
    PRODUCTS,
)


def cascade_of(stages: Iterable[Stage]) -> dict[str, Judging]:
    """The stages that judge images, by name, in the order in which they do."""
    return {stage.name: stage.judging for stage in stages if stage.judging is not None}


CASCADE = cascade_of(STAGES)

PREDICTIONS = predictions_schema(judging.columns for judging in CASCADE.values())
"""Arrow schema of the archive's predictions."""

if TYPE_CHECKING:
    StageName = str
    JudgingStageName = str
else:  # the choices that --help shows and a wrong flag is answered with
    StageName = Literal[tuple(stage.name for stage in STAGES)]
    JudgingStageName = Literal[tuple(CASCADE)]


def stage_named(name: str) -> Stage:
    """Raises KeyError for a name that no stage has."""
    return {stage.name: stage for stage in STAGES}[name]
