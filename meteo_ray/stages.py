"""The stages that there are. A new one is a folder with its description, and its line here."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from meteo_ray.elements.stage import ELEMENTS
from meteo_ray.forecast.stage import FORECAST
from meteo_ray.gate.stage import GATE
from meteo_ray.nowcast.stage import NOWCAST
from meteo_ray.products.stage import PRODUCTS
from meteo_ray.retrieval.stage import RETRIEVAL
from meteo_ray.schema import FILE, MADE_BY, WRITTEN, predictions_schema
from meteo_ray.stage import Judging, Stage

# Those that judge no images come first: the cascade leaves them out.
STAGES: tuple[Stage, ...] = (
    FORECAST,
    NOWCAST,
    GATE,
    ELEMENTS,
    RETRIEVAL,
    PRODUCTS,
)


# Names that the metrics file and its job use beside those of stages.
RESERVED = ("cascade", "all", "split", "counts", "models", "settings", "seed", "versions")


def cascade_of(stages: Iterable[Stage]) -> dict[str, Judging]:
    """The stages that judge images, by name, in the order in which they do.

    Raises:
        ValueError: when a name or a column comes twice, a stage comes before one that it needs, or stages that share
            pixels would have to wait for one with pixels of its own: they all run before it.
    """
    found: dict[str, Judging] = {}
    columns = {*FILE.names, *WRITTEN.names, *MADE_BY.names}
    own_pixels: list[str] = []
    for stage in stages:
        judging = stage.judging
        if judging is None:
            continue
        missing = [name for name in judging.needs if name not in found]
        waits_for = [name for name in own_pixels if name in judging.needs or found[name].passes]
        if stage.name in found or stage.name in RESERVED:
            raise ValueError(f"stages: the name {stage.name!r} is taken")
        if missing:
            raise ValueError(f"stages: {stage.name} needs {', '.join(missing)} before it")
        if waits_for and not judging.own_pixels:
            raise ValueError(f"stages: {stage.name} shares pixels and cannot wait for {', '.join(waits_for)}")
        if columns & set(judging.columns.names):
            raise ValueError(f"stages: {stage.name} has columns that exist: {columns & set(judging.columns.names)}")
        columns |= set(judging.columns.names)
        own_pixels += [stage.name] if judging.own_pixels else []
        found[stage.name] = judging
    return found


CASCADE = cascade_of(STAGES)

PREDICTIONS = predictions_schema(judging.columns for judging in CASCADE.values())
"""Arrow schema of the archive's predictions."""

if TYPE_CHECKING:
    JudgingStageName = str
else:  # the choices that --help shows and a wrong flag is answered with
    JudgingStageName = Literal[tuple(CASCADE)]


def stage_named(name: str) -> Stage:
    """Raises KeyError for a name that no stage has."""
    return {stage.name: stage for stage in STAGES}[name]
