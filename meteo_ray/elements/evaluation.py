"""What the element stage is worth on a labelled split: metrics with intervals, slices, sequences (R26)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from meteo_ray.elements.predictor import ElementsPredictor
from meteo_ray.elements.rows import count_labels, labelled_charts
from meteo_ray.judging.judge import Judged
from meteo_ray.judging.stage_evaluation import Scored, SplitContext, StageEvaluation, cost
from meteo_ray.metrics import plots
from meteo_ray.metrics.bootstrap import bootstrap_interval
from meteo_ray.metrics.label_errors import label_errors
from meteo_ray.metrics.multilabel import multilabel_metrics
from meteo_ray.metrics.slices import Slices, sliced
from meteo_ray.text.table import with_texts
from meteo_ray.vocabulary import Vocabulary, element_ids


class ElementsEvaluation(StageEvaluation):
    """On every chart whose elements are known; elements that came up after training are left out of the measures."""

    headline: ClassVar = ("map", "micro_f1", "macro_f1", "sequence_micro_f1", "sequence_macro_f1")
    cascade_headline: ClassVar = ("element_micro_f1",)

    def rows(self, context: SplitContext) -> pa.Table:
        rows = labelled_charts(context.index, context.job.split)
        count_labels(rows, context.vocabulary)  # refuses an index made with another vocabulary
        return with_texts(rows, context.data, context.job.index)

    def score(self, context: SplitContext, predictor: ElementsPredictor, rows: pa.Table) -> Scored:
        job = context.job
        judged = context.judge("elements", predictor, rows, extra=("title", "text"))
        names = predictor.element_ids
        found = elements_metrics(judged, names, context.vocabulary, job.bootstrap_rounds, job.seed)
        return Scored(found, judged)

    def end_to_end(self, judged: Mapping[str, Judged], vocabulary: Vocabulary) -> dict[str, Any]:
        """element_micro_f1: of charts with known elements that passed."""
        return {"element_micro_f1": _element_micro_f1(judged["elements"], vocabulary)}

    def plots(self, scored: Scored) -> list[str]:
        return [plots.average_precision_bars(scored.metrics["ap"], scored.metrics["support"])]


def elements_metrics(
    judged: Judged, names: Sequence[str], vocabulary: Vocabulary, rounds: int, seed: int
) -> dict[str, Any]:
    """`multilabel_metrics` with an interval of map, slices, likely label errors; and F1 of beam search's sequences.

    `names` are the elements that the model knows, `(labels,)`: the beginning of the vocabulary.
    """
    targets = multi_hot(judged.rows["elements"].to_pylist(), vocabulary)[:, : len(names)]
    scores, thresholds = judged.columns["element_scores"], judged.columns["element_thresholds"]
    sequences = multi_hot(judged.columns["element_sequence"], vocabulary)[:, : len(names)]
    of_sequence = multilabel_metrics(targets, sequences, np.full(len(names), 0.5), names)

    def mean_ap(truth: np.ndarray, values: np.ndarray) -> float | None:
        found: float | None = multilabel_metrics(truth, values, np.zeros(len(names)), names)["map"]
        return found

    return {
        **multilabel_metrics(targets, scores, thresholds, names),
        "interval": {"map": bootstrap_interval(mean_ap, targets, scores, seed, rounds) if rounds else None},
        "sequence_micro_f1": of_sequence["micro_f1"],
        "sequence_macro_f1": of_sequence["macro_f1"],
        **cost(judged),
        "slices": elements_slices(judged, targets, scores, thresholds, names),
        **label_errors(judged.rows, targets, scores, names),
    }


def multi_hot(rows: Iterable[Any], vocabulary: Vocabulary) -> np.ndarray:
    """Element lists (ids, or {"id", "score"}) -> bool `(rows, elements)`."""
    vectors = [vocabulary.multi_hot(element_ids(row)) for row in rows]
    return np.array(vectors, dtype=bool).reshape(len(vectors), len(vocabulary.elements))


def elements_slices(
    judged: Judged, targets: np.ndarray, scores: np.ndarray, thresholds: np.ndarray, names: Sequence[str]
) -> Slices:
    """Per slice: rows, micro_f1 and map of targets, scores and thresholds `(n, labels)`; None where undefined."""

    def score(rows: np.ndarray) -> dict[str, Any]:
        found = multilabel_metrics(targets[rows], scores[rows], thresholds[rows], names)
        return {"rows": found["count"], "micro_f1": found["micro_f1"], "map": found["map"]}

    return sliced(judged.rows, judged.columns.get("augmented", ()), score)


def _element_micro_f1(tagged: Judged, vocabulary: Vocabulary) -> float | None:
    known = (
        tagged.rows["elements"].is_valid().to_numpy(zero_copy_only=False) if tagged.rows.num_rows else np.zeros(0, bool)
    )
    if not known.any():
        return None
    learnt = tagged.columns["element_scores"].shape[1]  # what was appended after the training does not count
    targets = multi_hot([row for row in tagged.rows["elements"].to_pylist() if row is not None], vocabulary)[:, :learnt]
    found = multi_hot(tagged.columns["elements"][known], vocabulary)[:, :learnt]
    names = vocabulary.element_ids[:learnt]
    value: float | None = multilabel_metrics(targets, found, np.full(len(names), 0.5), names)["micro_f1"]
    return value
