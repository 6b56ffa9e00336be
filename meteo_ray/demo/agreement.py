"""How far the answers on a drawn archive agree with what was drawn: what `make demo` says of the archive."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from meteo_ray.archive.results.writer import read_parts
from meteo_ray.metrics.checks import f1_parts
from meteo_ray.vocabulary import element_ids

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Agreement:
    """End to end: a chart that the gate turned away has no elements and no product.

    Attributes:
        images: how many there are, charts and others; the broken files are not among them.
        told_apart: share of the images that were rightly called charts or others.
        element_f1: micro-F1 over the charts whose elements are known; None without such.
        products: share of the charts of a product that got it; None without such.
    """

    images: int
    told_apart: float
    element_f1: float | None
    products: float | None


def agreement(predictions: Path, truth: Path) -> Agreement:
    """Compare the predictions in a folder with a file of `DemoJob.archive_truth`, which has at least one image."""
    drawn = [json.loads(line) for line in truth.read_text("utf-8").splitlines()]
    columns = ["path", "is_meteo", "elements", "product"]
    answers = {row["path"]: row for table, _ in read_parts(predictions, columns) for row in table.to_pylist()}
    pairs = [(row, answers.get(row["path"], {})) for row in drawn]
    right = [answer.get("is_meteo") == bool(row["is_meteo"]) for row, answer in pairs]  # null where it was not judged
    named = [answer.get("product") == row["product"] for row, answer in pairs if row["product"] is not None]
    return Agreement(
        images=len(pairs),
        told_apart=float(np.mean(right)),
        element_f1=_element_f1([pair for pair in pairs if pair[0]["is_meteo"] and pair[0]["labels"] is not None]),
        products=float(np.mean(named)) if named else None,
    )


def _element_f1(pairs: Sequence[tuple[Row, Row]]) -> float | None:
    shown = [(set(row["labels"]), set(element_ids(answer.get("elements")))) for row, answer in pairs]
    names = sorted(set().union(*(first | second for first, second in shown)))
    truth, called = (
        np.array([[name in pair[side] for name in names] for pair in shown], dtype=bool) for side in (0, 1)
    )
    return f1_parts(truth, called)["f1"]
