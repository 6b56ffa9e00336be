"""What the element stage is worth on a labelled split: metrics with intervals, classes, slices, sequences (R26)."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa

from meteo_ray.batch import Batch
from meteo_ray.calibration.votes import unstacked
from meteo_ray.elements.answers import Answers, multi_hot
from meteo_ray.elements.baselines import MEANS, blind, by_keywords
from meteo_ray.elements.class_table import class_table
from meteo_ray.elements.mistakes import worst_charts
from meteo_ray.elements.predictor import ElementsPredictor
from meteo_ray.elements.rows import count_labels, labelled_charts
from meteo_ray.elements.seen_where import seen_where
from meteo_ray.elements.verdict import ElementsVerdict
from meteo_ray.judging.judge import Judged
from meteo_ray.judging.stage_evaluation import Mistakes, Scored, Sheet, SplitContext, StageEvaluation, cost
from meteo_ray.metrics import plots
from meteo_ray.metrics.bootstrap import bootstrap_intervals
from meteo_ray.metrics.calibration_error import label_calibration_errors
from meteo_ray.metrics.error_pairs import error_pairs
from meteo_ray.metrics.label_errors import label_errors
from meteo_ray.metrics.multilabel import mean_average_precision, multilabel_metrics
from meteo_ray.metrics.slices import Slices, sliced
from meteo_ray.schema import TRAIN
from meteo_ray.text.reading_quality import reading_quality
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.boosted_trees import Trees
from meteo_ray.voters.comparison import compared, pages_written


class ElementsEvaluation(StageEvaluation):
    """On every chart whose elements are known; elements that came up after training are left out of the measures."""

    headline: ClassVar = (*MEANS, "ece", "sequence_micro_f1", "sequence_macro_f1")
    cascade_headline: ClassVar = ("element_micro_f1",)

    def rows(self, context: SplitContext) -> pa.Table:
        rows = labelled_charts(context.index, context.job.split)
        count_labels(rows, context.vocabulary)  # refuses an index made with another vocabulary
        return context.with_texts(rows)

    def score(self, context: SplitContext, predictor: ElementsPredictor, rows: pa.Table) -> Scored:
        job = context.job
        judged = context.judge("elements", predictor, rows, extra=("title", "text"))
        answers = Answers.of(judged, predictor.element_ids)
        found = elements_metrics(answers, judged, job.bootstrap_rounds, job.seed)
        found |= thresholds_in_force(predictor.verdict)
        return Scored(found | _beside(context, answers, judged, predictor), judged)

    def end_to_end(self, judged: Mapping[str, Judged], vocabulary: Vocabulary) -> dict[str, Any]:
        """element_micro_f1: of charts with known elements that passed."""
        return {"element_micro_f1": _element_micro_f1(judged["elements"], vocabulary)}

    def plots(self, scored: Scored) -> list[str]:
        found = scored.metrics
        answers = answers_of(scored)
        drawn = [plots.average_precision_bars(found["ap"], found["support"])]
        if answers.targets.size:
            drawn.append(plots.reliability_diagram(answers.targets.ravel(), answers.scores.ravel()))
        wrong = (answers.targets != answers.called).any()
        return [*drawn, plots.error_matrix(answers.targets, answers.called, answers.names)] if wrong else drawn

    def classes(self, scored: Scored) -> list[dict[str, Any]]:
        return class_table(scored.metrics)

    def mistakes(self, scored: Scored) -> list[Mistakes]:
        return worst_charts(answers_of(scored))

    def sheets(self, scored: Scored, predictor: ElementsPredictor, pixels: Callable[[Batch], Batch]) -> list[Sheet]:
        sheet = seen_where(answers_of(scored), scored.judged, predictor, pixels)
        return [sheet] if sheet.images else []


def answers_of(scored: Scored) -> Answers:
    return Answers.of(scored.judged, list(scored.metrics["support"]))


def elements_metrics(answers: Answers, judged: Judged, rounds: int, seed: int) -> dict[str, Any]:
    """`multilabel_metrics` with intervals, calibration, error pairs, slices, likely label errors; F1 of the sequences.

    Returns:
        those, ece over all cells and element_ece {name: value}, interval of MEANS, ap_interval {name: interval or
        None}, error_pairs, sequence_micro_f1 and sequence_macro_f1, `cost`, slices and label errors.
    """
    names, targets, scores, thresholds = answers.names, answers.targets, answers.scores, answers.thresholds
    sequences = multi_hot(judged.columns["element_sequence"], names)
    of_sequence = multilabel_metrics(targets, sequences, np.full(len(names), 0.5), names)
    ece, element_ece = label_calibration_errors(targets, scores)
    return {
        **multilabel_metrics(targets, scores, thresholds, names),
        "ece": ece,
        "element_ece": dict(zip(names, element_ece, strict=True)),
        **_intervals(answers, rounds, seed),
        "error_pairs": error_pairs(targets, answers.called, names),
        "sequence_micro_f1": of_sequence["micro_f1"],
        "sequence_macro_f1": of_sequence["macro_f1"],
        **cost(judged),
        "slices": elements_slices(judged, targets, scores, thresholds, names),
        **label_errors(judged.rows, targets, scores, names),
    }


def _beside(context: SplitContext, answers: Answers, judged: Judged, predictor: ElementsPredictor) -> dict[str, Any]:
    """voters, baselines and text: what the stage's numbers are to be held against."""
    pages, verdict = pages_written(judged.rows), predictor.verdict
    votes = unstacked(judged.columns["element_votes"], verdict.voters)
    voters = compared(verdict, votes, pages, answers.targets, mean_average_precision, "map")
    charts = labelled_charts(context.index, TRAIN)
    shares = count_labels(charts, context.vocabulary)[: len(answers.names)] / max(charts.num_rows, 1)
    baselines = {
        "blind": blind(answers, shares),
        "keywords": by_keywords(answers, pages, context.vocabulary),
        "trees": voters.get(Trees.VOTE),
    }
    return {
        "voters": voters,
        "baselines": {name: found for name, found in baselines.items() if found is not None},
        "text": reading_quality(judged.rows),
    }


def _intervals(answers: Answers, rounds: int, seed: int) -> dict[str, Any]:
    """interval of MEANS and ap_interval of every element, all of the same draws; None where undefined."""
    names, targets, scores, thresholds = answers.names, answers.targets, answers.scores, answers.thresholds

    def of_draw(rows: np.ndarray) -> dict[str, float | None]:
        found = multilabel_metrics(targets[rows], scores[rows], thresholds[rows], names)
        return {**{name: found[name] for name in MEANS}, **{f"ap {name}": value for name, value in found["ap"].items()}}

    intervals = bootstrap_intervals(of_draw, len(targets), seed, rounds)
    return {
        "interval": {name: intervals.get(name) for name in MEANS},
        "ap_interval": {name: intervals.get(f"ap {name}") for name in names},
    }


def thresholds_in_force(verdict: ElementsVerdict) -> dict[str, Any]:
    """threshold {name: value} of charts judged on their pixels; threshold_with_text, None unless text is heard."""
    found = {}
    for key, read in (("threshold", False), ("threshold_with_text", True)):
        values = dict(zip(verdict.vocabulary.element_ids, verdict.thresholds_in_force(read).tolist(), strict=True))
        found[key] = None if read and not verdict.reads_text else values
    return found


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
    names = vocabulary.element_ids[:learnt]
    targets = multi_hot([row for row in tagged.rows["elements"].to_pylist() if row is not None], names)
    found = multi_hot(tagged.columns["elements"][known], names)
    value: float | None = multilabel_metrics(targets, found, np.full(len(names), 0.5), names)["micro_f1"]
    return value
