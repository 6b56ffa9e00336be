"""Pictures that are no weather charts, many of them in a chart's clothes; one module a family."""

from meteo_ray.demo.lookalikes import diagrams, documents, grids, interfaces, maps, pictures, plots, scales
from meteo_ray.demo.lookalikes.registry import KINDS, LOOKALIKES, Lookalike

__all__ = ["KINDS", "LOOKALIKES", "Lookalike", "diagrams", "documents", "grids", "interfaces", "maps", "pictures",
           "plots", "scales"]  # fmt: skip
