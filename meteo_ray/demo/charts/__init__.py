"""Weather charts: one module a family, each drawing function registered under its product and elements."""

from meteo_ray.demo.charts import (
    air,
    general,
    marine,
    precipitation,
    profiles,
    radar,
    satellite,
    series,
    stations,
    surface,
    typhoon,
    upper_air,
    warnings,
)
from meteo_ray.demo.charts.registry import CHARTS, Chart, product_charts, vocabulary

__all__ = [
    "CHARTS", "Chart", "air", "general", "marine", "precipitation", "product_charts", "profiles", "radar",
    "satellite", "series", "stations", "surface", "typhoon", "upper_air", "vocabulary", "warnings",
]  # fmt: skip
