"""What charts were answered, as every figure of the stage counts it: "none of these" is an answer too, a wrong one."""

from collections.abc import Sequence

import numpy as np

from meteo_ray.judging.judge import Judged
from meteo_ray.products.calibration import NONE_OF_THESE


def answers_of(judged: Judged, column: str = "product") -> list[str]:
    """Each chart's answer in a column of products: an id, or NONE_OF_THESE."""
    return [NONE_OF_THESE if answer is None else str(answer) for answer in judged.columns.get(column, ())]


def ranked_answers(judged: Judged) -> list[list[str]]:
    """Each chart's products, the likeliest first; NONE_OF_THESE stands before them where it is the answer."""
    return behind_none(
        answers_of(judged), [[entry["id"] for entry in top] for top in judged.columns.get("product_top", ())]
    )


def behind_none(answers: Sequence[str], ranked: Sequence[Sequence[str]]) -> list[list[str]]:
    """Rankings of products, after NONE_OF_THESE where that is the answer."""
    pairs = zip(answers, ranked, strict=True)
    return [[NONE_OF_THESE, *names] if answer == NONE_OF_THESE else list(names) for answer, names in pairs]


def said_by_language_model(judged: Judged, ids: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    """Of the charts that the language model was asked about: their products, and its own ranking of the candidates.

    `ids` are the products in the order of the column `product_log_likelihood`.
    """
    said = np.asarray(judged.columns.get("product_log_likelihood", np.zeros((0, len(ids)))))
    asked = np.flatnonzero(np.isfinite(said).any(axis=1))
    targets = judged.rows["product"].to_pylist()
    ranked = [
        [ids[place] for place in np.argsort(-row, kind="stable") if np.isfinite(row[place])] for row in said[asked]
    ]
    return [str(targets[row]) for row in asked], ranked
