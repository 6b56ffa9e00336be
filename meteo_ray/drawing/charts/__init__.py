"""Weather charts: one module a family, each drawing function registered under its product and elements."""

from meteo_ray.drawing.charts import (
    air,
    centre_pages,
    general,
    marine,
    plain_fields,
    precipitation,
    profiles,
    radar,
    satellite,
    scenes,
    sections,
    series,
    small_areas,
    soundings,
    sparse,
    stations,
    surface,
    timelines,
    typhoon,
    upper_air,
    warnings,
)
from meteo_ray.drawing.charts.registry import CHARTS, Chart, product_charts, vocabulary

__all__ = [
    "CHARTS", "Chart", "air", "centre_pages", "general", "marine", "plain_fields", "precipitation", "product_charts",
    "profiles", "radar", "satellite", "scenes", "sections", "series", "small_areas", "soundings", "sparse", "stations",
    "surface", "timelines", "typhoon", "upper_air", "vocabulary", "warnings",
]  # fmt: skip
