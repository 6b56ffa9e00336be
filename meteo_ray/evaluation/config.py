"""Config of `jobs/evaluate.py`."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from meteo_ray.gate.config import GateEvaluationSettings
from meteo_ray.products.config import ProductsEvaluationSettings
from meteo_ray.stages import CASCADE

# What evaluation calls the stages end to end, and everything that MODELS holds.
END_TO_END, ALL = "cascade", "all"

if TYPE_CHECKING:
    Scope = str
else:  # the choices that --help shows and a wrong flag is answered with
    Scope = Literal[(*CASCADE, END_TO_END, ALL)]


class EvaluateJob(GateEvaluationSettings, ProductsEvaluationSettings):
    """Score trained models on a labelled split."""

    out: Path
    """The JSON file for the metrics."""
    stage: Scope = ALL
    """What to score: one stage on its own, all of them together end to end, or everything that MODELS holds."""
    report: Path | None = None
    """An HTML page with plots, tables and the worst mistakes; beside it PAGE_elements.csv, the table of elements."""
