"""Pictures that are no weather charts, many of them in a chart's clothes; one module a family."""

from meteo_ray.drawing.lookalikes import (
    bare_maps,
    diagrams,
    documents,
    figures,
    grids,
    interfaces,
    maps,
    marked_maps,
    patterned_maps,
    photographs,
    pictures,
    plots,
    scales,
)
from meteo_ray.drawing.lookalikes.registry import KINDS, LOOKALIKES, Lookalike

__all__ = ["KINDS", "LOOKALIKES", "Lookalike", "bare_maps", "diagrams", "documents", "figures", "grids", "interfaces",
           "maps", "marked_maps", "patterned_maps", "photographs", "pictures", "plots", "scales"]  # fmt: skip
