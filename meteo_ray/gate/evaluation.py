"""What the gate is worth on a labelled split: metrics with intervals, slices, robustness and a baseline (R14)."""

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow as pa

from meteo_ray.calibration.votes import unstacked
from meteo_ray.gate.baseline import gate_baseline
from meteo_ray.gate.config import GateEvaluationSettings
from meteo_ray.gate.predictor import GatePredictor
from meteo_ray.gate.robustness import gate_robustness
from meteo_ray.gate.rows import gate_rows
from meteo_ray.gate.verdict import GateVerdict
from meteo_ray.judging.judge import Judged
from meteo_ray.judging.stage_evaluation import Mistakes, Scored, SplitContext, StageEvaluation, cost
from meteo_ray.metrics import plots
from meteo_ray.metrics.binary import area_under_roc, binary_metrics
from meteo_ray.metrics.bootstrap import bootstrap_intervals
from meteo_ray.metrics.label_errors import label_errors
from meteo_ray.metrics.slices import Slices, sliced
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.text.reading_quality import reading_quality
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.comparison import compared, pages_written


class GateEvaluation(StageEvaluation):
    """On every row whose `is_meteo` is known."""

    headline: ClassVar = (
        "auc", "f1", "precision", "recall", "eer", "ece", "accuracy", "threshold", "positives", "negatives",
    )  # fmt: skip
    cascade_headline: ClassVar = ("gate_accuracy", "gate_f1", "images", "charts", "passed", "false_alarms")

    def rows(self, context: SplitContext) -> pa.Table:
        job = cast(GateEvaluationSettings, context.job)
        rows = gate_rows(context.index, job.split, skip_ambiguous=not job.include_ambiguous)
        return context.with_texts(rows)

    def score(self, context: SplitContext, predictor: GatePredictor, rows: pa.Table) -> Scored:
        job = cast(GateEvaluationSettings, context.job)
        judged = context.judge("gate", predictor, rows, extra=("title", "text"))
        heard = predictor.verdict.hears(pages_written(judged.rows))
        found = gate_metrics(judged, predictor.verdict.thresholds(heard), job.bootstrap_rounds, job.seed)
        found |= {"voters": _voters(judged, predictor.verdict), "text": reading_quality(judged.rows)}
        if job.robustness:
            threshold = predictor.verdict.threshold_in_force(False)
            found["robustness"] = gate_robustness(
                predictor, rows, context.data, job.degradations, threshold, job.seed, job.data_workers
            )
        if job.baseline:
            train, validation = (gate_rows(context.index, split, split != TRAIN) for split in (TRAIN, VALIDATION))
            pixels = context.judge.pixels()
            found["baseline"] = gate_baseline(train, validation, rows, pixels, job.seed, job.data_workers)
        return Scored(found, judged)

    def end_to_end(self, judged: Mapping[str, Judged], vocabulary: Vocabulary) -> dict[str, Any]:
        """gate_accuracy and gate_f1 of passing at all; images, charts, passed and false_alarms are counts."""
        gated = judged["gate"]
        is_meteo, called = _truth(gated), np.asarray(gated.columns["is_meteo"], dtype=bool)
        passing = binary_metrics(is_meteo, called.astype(np.float64), 0.5)
        return {
            "gate_accuracy": passing["accuracy"],
            "gate_f1": passing["f1"],
            "images": gated.rows.num_rows,
            "charts": int(is_meteo.sum()),
            "passed": int(called.sum()),
            "false_alarms": int((called & ~is_meteo).sum()),
        }

    def plots(self, scored: Scored) -> list[str]:
        found, targets, scores = scored.metrics, _truth(scored.judged), scored.judged.columns["gate_score"]
        drawn = [plots.reliability_diagram(targets, scores)] if len(targets) else []
        if 0 < targets.sum() < len(targets):
            drawn = [plots.roc(targets, scores, found["threshold"]), plots.precision_recall(targets, scores), *drawn]
        return drawn + ([plots.robustness(found["robustness"])] if "robustness" in found else [])

    def mistakes(self, scored: Scored) -> list[Mistakes]:
        """False alarms of the highest score and misses of the lowest."""
        judged = scored.judged
        truth, called = _truth(judged), np.asarray(judged.columns["is_meteo"], dtype=bool)
        scores = judged.columns["gate_score"]
        found = []
        for title, wrong, sign in (("False alarms", called & ~truth, -1), ("Missed charts", truth & ~called, 1)):
            members = np.flatnonzero(wrong)
            worst = members[np.argsort(sign * scores[members], kind="stable")]
            found.append(Mistakes(title, "gate score", worst, scores[worst]))
        return found


def gate_metrics(judged: Judged, thresholds: np.ndarray, rounds: int, seed: int) -> dict[str, Any]:
    """`binary_metrics` with intervals of auc and f1, slices, likely label errors, and what the run cost.

    `thresholds` are those in force, `(rows,)`: where text was heard another one is.
    """
    targets, scores = _truth(judged), np.asarray(judged.columns["gate_score"], dtype=np.float64)

    def of_draw(drawn: np.ndarray) -> dict[str, float | None]:
        found = binary_metrics(targets[drawn], scores[drawn], thresholds[drawn])
        return {name: found[name] for name in ("auc", "f1")}

    intervals = bootstrap_intervals(of_draw, len(targets), seed, rounds)
    return {
        **binary_metrics(targets, scores, thresholds),
        "interval": {name: intervals.get(name) for name in ("auc", "f1")},
        **cost(judged),
        "slices": gate_slices(judged, thresholds),
        **label_errors(judged.rows, targets[:, None], scores[:, None], ["is_meteo"]),
    }


def _voters(judged: Judged, verdict: GateVerdict) -> dict[str, Any]:
    """AUC of each voter, see `compared`."""
    votes = unstacked(judged.columns["gate_votes"], verdict.voters)
    return compared(verdict, votes, pages_written(judged.rows), _truth(judged), area_under_roc, "auc")


def gate_slices(judged: Judged, thresholds: np.ndarray) -> Slices:
    """Per slice: rows, positives, accuracy, recall, false_alarm_rate and auc; None where undefined. `thresholds` is
    `(rows,)`."""
    targets = _truth(judged)
    scores = np.asarray(judged.columns["gate_score"], dtype=np.float64)

    def score(rows: np.ndarray) -> dict[str, Any]:
        found = binary_metrics(targets[rows], scores[rows], thresholds[rows])
        called = scores[rows] >= thresholds[rows]
        return {
            "rows": int(rows.sum()),
            "positives": found["positives"],
            "accuracy": found["accuracy"],
            "recall": _share(called[targets[rows]]),
            "false_alarm_rate": _share(called[~targets[rows]]),
            "auc": found["auc"],
        }

    return sliced(judged.rows, judged.columns.get("augmented", ()), score)


def _truth(judged: Judged) -> np.ndarray:
    return np.array(judged.rows["is_meteo"].to_pylist(), dtype=bool)


def _share(values: np.ndarray) -> float | None:
    return float(values.mean()) if len(values) else None
