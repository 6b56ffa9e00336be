"""Reading or recognising? Altered charts under their own title, under another product's and under none (R5, R36).

What is written is read from the unaltered file, so a drawn title tries what the language model sees, and nothing else.
On images that are judged no drawn title tells the product. So the charts that got another's are judged once more: the
same in everything else, but under their own name. What the model gains by that it has read.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from meteo_ray.imaging.augment.title import OTHER, OWN
from meteo_ray.judging.judge import Judged
from meteo_ray.judging.stage_evaluation import SplitContext
from meteo_ray.metrics.ranking import ranking_metrics
from meteo_ray.metrics.slices import NOT_APPLIED, by_record
from meteo_ray.products.answers import ranked_answers

MEASURES = ("top1", "top3", "top5", "ece")


def under_own_titles(context: SplitContext) -> SplitContext:
    """The same with every drawn title naming the chart's own product."""
    return replace(context, judge=replace(context.judge, title_own_share=1.0, note="under their own titles"))


def misled(judged: Judged) -> pa.Table:
    """The rows on which another product's title was drawn."""
    return judged.rows.filter(pa.array(_whose(judged).get(OTHER, np.zeros(judged.rows.num_rows, dtype=bool))))


def title_slices(judged: Judged, told: Judged | None) -> dict[str, dict[str, Any]]:
    """rows and MEASURES of charts by the title drawn: own, other, none; those that no row has are left out.

    Args:
        judged: what was said of the altered charts.
        told: the same of those `misled`, judged `under_own_titles`; None when they were not.
    """
    parts = [(OWN, told, _whose(told).get(OWN))] if told is not None else []
    parts += [(whose, judged, _whose(judged).get(whose)) for whose in (OTHER, NOT_APPLIED)]
    return {whose: _measures(of, rows) for whose, of, rows in parts if rows is not None}


def _whose(judged: Judged) -> dict[str, np.ndarray]:
    return by_record(judged.columns.get("augmented", ()), "title", "whose")


def _measures(judged: Judged, members: np.ndarray) -> dict[str, Any]:
    chosen = np.flatnonzero(members)
    targets = judged.rows["product"].to_pylist()
    ranked = ranked_answers(judged)
    confidence = np.asarray(judged.columns["product_score"])[chosen]
    found = ranking_metrics([str(targets[row]) for row in chosen], [ranked[row] for row in chosen], confidence)
    return {"rows": len(chosen), **{name: found[name] for name in MEASURES}}
