"""The three stages end to end, as an archive sees them: a chart that the gate turns away is lost to the others."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.evaluation.stage_metrics import agreement, multi_hot
from meteo_ray.metrics.binary import binary_metrics
from meteo_ray.metrics.multilabel import multilabel_metrics
from meteo_ray.predictor import Predictor
from meteo_ray.streaming.judge import Judge, Judged
from meteo_ray.vocabulary import Vocabulary, element_ids

# A call of the products stage: as many as the archive job gives it.
PRODUCT_BATCH = 8


def run_cascade(
    judge: Judge, rows: pa.Table, gate: Predictor, elements: Predictor, products: Any, vocabulary: Vocabulary
) -> dict[str, Any]:
    """Judge `rows` (whose is_meteo is known) stage by stage and score the outcome; see `cascade_metrics`."""
    gated = judge("cascade: gate", gate, rows)
    passed = gated.rows.filter(pa.array(gated.columns["is_meteo"], pa.bool_()))
    tagged = judge("cascade: elements", elements, passed)
    detected = [element_ids(row) for row in tagged.columns["elements"]] if tagged.rows.num_rows else []
    asked = _replace(tagged.rows, "elements", pa.array(detected, pa.list_(pa.string())))
    named = judge(
        "cascade: products", products, asked, size=products.image_size, extra=("elements",), batch_size=PRODUCT_BATCH
    )
    return cascade_metrics(gated, tagged, named, vocabulary)


def cascade_metrics(gated: Judged, tagged: Judged, named: Judged, vocabulary: Vocabulary) -> dict[str, Any]:
    """Score judgements of the three stages, of which each has judged what the one before let through.

    Returns:
        gate_accuracy, gate_f1: of passing at all.
        product_accuracy: share of the charts with a known product that got it in the end; turned away is wrong.
        product_accuracy_passed: the same among those that passed.
        element_micro_f1: of charts with known elements that passed.
        agreement: mean share of the answered products' elements that were detected.
        seconds_per_image: by stage, and `total` for each input.
        images, charts, passed, false_alarms, with_product, unreadable: counts.
    """
    is_meteo = np.array(gated.rows["is_meteo"].to_pylist(), dtype=bool)
    called = np.asarray(gated.columns["is_meteo"], dtype=bool)
    passing = binary_metrics(is_meteo, called.astype(np.float64), 0.5)
    right, with_product = _product_hits(gated, named)
    named_with_product = int(pc.sum(pc.is_valid(named.rows["product"])).as_py() or 0)
    return {
        "gate_accuracy": passing["accuracy"],
        "gate_f1": passing["f1"],
        "product_accuracy": right / with_product if with_product else None,
        "product_accuracy_passed": right / named_with_product if named_with_product else None,
        "element_micro_f1": _element_micro_f1(tagged, vocabulary),
        "agreement": _agreement(named, vocabulary),
        "seconds_per_image": _seconds(gated, tagged, named),
        "images": gated.rows.num_rows,
        "charts": int(is_meteo.sum()),
        "passed": int(called.sum()),
        "false_alarms": int((called & ~is_meteo).sum()),
        "with_product": with_product,
        "unreadable": gated.unreadable + tagged.unreadable + named.unreadable,
    }


def _product_hits(gated: Judged, named: Judged) -> tuple[int, int]:
    """Charts whose product came out right, and charts whose product is known."""
    answers = dict(zip(named.rows["image_id"].to_pylist(), named.columns.get("product", ()), strict=True))
    known = gated.rows.filter(pc.is_valid(gated.rows["product"]))
    pairs = zip(known["image_id"].to_pylist(), known["product"].to_pylist(), strict=True)
    return sum(answers.get(image_id) == product for image_id, product in pairs), known.num_rows


def _element_micro_f1(tagged: Judged, vocabulary: Vocabulary) -> float | None:
    known = (
        tagged.rows["elements"].is_valid().to_numpy(zero_copy_only=False) if tagged.rows.num_rows else np.zeros(0, bool)
    )
    if not known.any():
        return None
    targets = multi_hot([row for row in tagged.rows["elements"].to_pylist() if row is not None], vocabulary)
    found = multi_hot(tagged.columns["elements"][known], vocabulary)
    names = vocabulary.element_ids
    value: float | None = multilabel_metrics(targets, found, np.full(len(names), 0.5), names)["micro_f1"]
    return value


def _agreement(named: Judged, vocabulary: Vocabulary) -> float | None:
    if not named.rows.num_rows:
        return None
    shown = [element_ids(row) for row in named.rows["elements"].to_pylist()]
    return agreement([str(answer) for answer in named.columns["product"]], shown, vocabulary)


def _seconds(gated: Judged, tagged: Judged, named: Judged) -> dict[str, float | None]:
    total = gated.seconds + tagged.seconds + named.seconds
    return {
        "gate": gated.seconds_per_image,
        "elements": tagged.seconds_per_image,
        "products": named.seconds_per_image,
        "total": total / gated.rows.num_rows if gated.rows.num_rows else None,
    }


def _replace(rows: pa.Table, name: str, values: pa.Array) -> pa.Table:
    position = rows.schema.get_field_index(name)
    return rows.set_column(position, pa.field(name, values.type), values)
