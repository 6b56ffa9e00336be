"""What each stage is worth on its own: metrics with intervals, and slices of the split (R14, R26, R36)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from meteo_ray.metrics.binary import binary_metrics
from meteo_ray.metrics.bootstrap import bootstrap_interval
from meteo_ray.metrics.label_errors import label_errors
from meteo_ray.metrics.multilabel import multilabel_metrics
from meteo_ray.metrics.ranking import ranking_metrics
from meteo_ray.metrics.slices import elements_slices, gate_slices
from meteo_ray.products.candidates import MINIMUM_MATCH, candidates, match
from meteo_ray.streaming.judge import Judged
from meteo_ray.vocabulary import Vocabulary, element_ids

# Confused pairs that are worth a line each.
MOST_CONFUSIONS = 30


def gate_metrics(judged: Judged, threshold: float, rounds: int, seed: int) -> dict[str, Any]:
    """`binary_metrics` with intervals of auc and f1, slices, likely label errors, and what the run cost."""
    targets, scores = _bools(judged.rows, "is_meteo"), judged.columns["gate_score"]

    def metric(name: str) -> Any:
        return lambda truth, values: binary_metrics(truth, values, threshold)[name]

    return {
        **binary_metrics(targets, scores, threshold),
        "interval": {
            name: bootstrap_interval(metric(name), targets, scores, seed, rounds) if rounds else None
            for name in ("auc", "f1")
        },
        **_cost(judged),
        "slices": gate_slices(judged, threshold),
        **label_errors(judged.rows, targets[:, None], scores[:, None], ["is_meteo"]),
    }


def elements_metrics(
    judged: Judged, thresholds: np.ndarray, vocabulary: Vocabulary, rounds: int, seed: int
) -> dict[str, Any]:
    """`multilabel_metrics` with an interval of map, slices, likely label errors; and F1 of beam search's sequences."""
    targets = multi_hot(judged.rows["elements"].to_pylist(), vocabulary)
    scores = judged.columns["element_scores"]
    names = vocabulary.element_ids
    sequences = multi_hot(judged.columns["element_sequence"], vocabulary)
    of_sequence = multilabel_metrics(targets, sequences, np.full(len(names), 0.5), names)

    def mean_ap(truth: np.ndarray, values: np.ndarray) -> float | None:
        found: float | None = multilabel_metrics(truth, values, thresholds, names)["map"]
        return found

    return {
        **multilabel_metrics(targets, scores, thresholds, names),
        "interval": {"map": bootstrap_interval(mean_ap, targets, scores, seed, rounds) if rounds else None},
        "sequence_micro_f1": of_sequence["micro_f1"],
        "sequence_macro_f1": of_sequence["macro_f1"],
        **_cost(judged),
        "slices": elements_slices(judged, targets, scores, thresholds, names),
        **label_errors(judged.rows, targets, scores, names),
    }


def products_metrics(
    judged: Judged, vocabulary: Vocabulary, rounds: int, seed: int, minimum_match: float = MINIMUM_MATCH
) -> dict[str, Any]:
    """`ranking_metrics` given the rows' own elements; chance, agreement, confusion and an interval of top1 (R36).

    `chance` is what drawing evenly among the candidates would reach. `agreement` is the mean share of the answered
    product's elements that the row shows.
    """
    targets = [str(product) for product in judged.rows["product"].to_pylist()]
    shown = [element_ids(elements) for elements in judged.rows["elements"].to_pylist()]
    ranked = [[entry["id"] for entry in top] for top in judged.columns["product_top"]]
    answers = [str(answer) for answer in judged.columns["product"]]
    right = np.array([answer == target for answer, target in zip(answers, targets, strict=True)])
    interval = bootstrap_interval(lambda hits, _: float(hits.mean()), right, right, seed, rounds) if rounds else None
    return {
        **ranking_metrics(targets, ranked, judged.columns["product_score"]),
        "chance": _mean(
            [_chance(target, row, vocabulary, minimum_match) for target, row in zip(targets, shown, strict=True)]
        ),
        "interval": {"top1": interval},
        "agreement": agreement(answers, shown, vocabulary),
        "equal_elements": _equal_elements(targets, answers, vocabulary),
        "confusions": _confusions(targets, answers),
        **_cost(judged),
    }


def agreement(answers: Sequence[str], shown: Sequence[Sequence[str]], vocabulary: Vocabulary) -> float | None:
    """Mean share of the answered products' required elements that are among those shown; None without rows."""
    return _mean(
        [match(row, vocabulary.product_by_id[answer].elements) for answer, row in zip(answers, shown, strict=True)]
    )


def multi_hot(rows: Iterable[Any], vocabulary: Vocabulary) -> np.ndarray:
    """Element lists (ids, or {"id", "score"}) -> bool `(rows, elements)`."""
    vectors = [vocabulary.multi_hot(element_ids(row)) for row in rows]
    return np.array(vectors, dtype=bool).reshape(len(vectors), len(vocabulary.elements))


def _chance(target: str, elements: Sequence[str], vocabulary: Vocabulary, minimum_match: float) -> float:
    listed = candidates(elements, vocabulary, minimum_match)
    return 1 / len(listed) if target in listed else 0.0


def _equal_elements(targets: Sequence[str], answers: Sequence[str], vocabulary: Vocabulary) -> dict[str, Any]:
    """How often products that require the very same elements are taken for each other (R36)."""
    required = {product.id: frozenset(product.elements) for product in vocabulary.products}
    sizes = Counter(required.values())
    pairs = [(t, a) for t, a in zip(targets, answers, strict=True) if sizes[required[t]] > 1]
    return {
        "rows": len(pairs),
        "top1": _mean([target == answer for target, answer in pairs]),
        "confused_within": _mean(
            [target != answer and required[target] == required[answer] for target, answer in pairs]
        ),
    }


def _confusions(targets: Sequence[str], answers: Sequence[str]) -> list[dict[str, Any]]:
    """Wrong answers, the most frequent pairs first."""
    pairs = Counter((target, answer) for target, answer in zip(targets, answers, strict=True) if target != answer)
    return [{"product": t, "answered": a, "rows": n} for (t, a), n in pairs.most_common(MOST_CONFUSIONS)]


def _cost(judged: Judged) -> dict[str, Any]:
    return {
        "rows": judged.rows.num_rows,
        "unreadable": judged.unreadable,
        "seconds_per_image": judged.seconds_per_image,
    }


def _bools(rows: pa.Table, column: str) -> np.ndarray:
    return np.array(rows[column].to_pylist(), dtype=bool)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
