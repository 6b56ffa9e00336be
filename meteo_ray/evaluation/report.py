"""The evaluation for people: a few lines for the terminal, and one self-contained HTML page with plots and mistakes."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from meteo_ray.archive.report import visible
from meteo_ray.dataset.contact_sheet import COLUMNS, contact_sheet
from meteo_ray.errors import UsageError
from meteo_ray.evaluation import plots
from meteo_ray.evaluation.judging import Judged
from meteo_ray.evaluation.run import Outcome

# Two lines of thumbnails for each kind of mistake.
WORST = 2 * COLUMNS

# What each stage is known by, first the metric that its target names.
HEADLINES: dict[str, tuple[str, ...]] = {
    "gate": ("auc", "f1", "precision", "recall", "eer", "ece", "accuracy", "threshold", "positives", "negatives"),
    "elements": ("map", "micro_f1", "macro_f1", "sequence_micro_f1", "sequence_macro_f1"),
    "products": ("top1", "top3", "top5", "chance", "agreement", "ece"),
    "cascade": (
        "product_accuracy",
        "product_accuracy_passed",
        "gate_accuracy",
        "gate_f1",
        "element_micro_f1",
        "agreement",
        "images",
        "charts",
        "passed",
        "false_alarms",
        "with_product",
    ),
}


@dataclass(frozen=True)
class Mistakes:
    """Images that the gate judged wrong, the surest first, as one picture and as a list."""

    title: str
    count: int
    sheet: str
    listed: list[tuple[str, float]]


def summary(document: Mapping[str, Any]) -> str:
    """One line a stage: its main metrics, or why it was not evaluated."""
    lines = [f"{document['split']} split"]
    for stage, names in HEADLINES.items():
        found = document.get(stage)
        if found is None:
            continue
        if "absent" in found:
            lines.append(f"  {stage}: not evaluated: {found['absent']}")
            continue
        known = [f"{name} {number(found[name])}" for name in names if found.get(name) is not None]
        lines.append(f"  {stage}: {'  '.join(known)}")
    return "\n".join(lines)


def write_report(path: Path, data: Path, outcome: Outcome) -> None:
    """Write the page beside its place and rename it; everything is inline, names are escaped, nothing is fetched.

    Raises:
        UsageError: when it cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("meteo_ray.evaluation", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(visible=visible, number=number)
    page = environment.get_template("report.html").render(
        document=outcome.document,
        headlines=HEADLINES,
        plots=stage_plots(outcome),
        mistakes=gate_mistakes(outcome.judged["gate"], data) if "gate" in outcome.judged else [],
    )
    scratch = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch.write_text(page, "utf-8", errors="replace")
        os.replace(scratch, path)
    except OSError as error:
        raise UsageError(f"--report {path}: cannot write: {error}") from None
    finally:
        scratch.unlink(missing_ok=True)


def stage_plots(outcome: Outcome) -> dict[str, list[str]]:
    """Stage -> its plots as `data:` URIs."""
    draw = {"gate": _gate_plots, "elements": _elements_plots, "products": _products_plots}
    return {stage: draw[stage](outcome.document[stage], judged) for stage, judged in outcome.judged.items()}


def gate_mistakes(judged: Judged, data: Path) -> list[Mistakes]:
    """False alarms of the highest score and misses of the lowest."""
    truth = np.array(judged.rows["is_meteo"].to_pylist(), dtype=bool)
    called = np.asarray(judged.columns["is_meteo"], dtype=bool)
    scores, paths = judged.columns["gate_score"], judged.rows["path"].to_pylist()
    found = []
    for title, wrong, sign in (("False alarms", called & ~truth, -1), ("Missed charts", truth & ~called, 1)):
        members = np.flatnonzero(wrong)
        worst = members[np.argsort(sign * scores[members], kind="stable")][:WORST]
        listed = [(paths[row], float(scores[row])) for row in worst]
        sheet = contact_sheet(data, [path for path, _ in listed]) if listed else ""
        found.append(Mistakes(title, len(members), sheet, listed))
    return found


def number(value: Any) -> str:
    """A metric for reading: whole numbers as they are, others with four digits, "–" where undefined."""
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _gate_plots(found: Mapping[str, Any], judged: Judged) -> list[str]:
    targets = np.array(judged.rows["is_meteo"].to_pylist(), dtype=bool)
    scores = judged.columns["gate_score"]
    drawn = [plots.reliability_diagram(targets, scores)] if len(targets) else []
    if 0 < targets.sum() < len(targets):
        drawn = [plots.roc(targets, scores, found["threshold"]), plots.precision_recall(targets, scores), *drawn]
    return drawn + ([plots.robustness(found["robustness"])] if "robustness" in found else [])


def _elements_plots(found: Mapping[str, Any], judged: Judged) -> list[str]:
    return [plots.average_precision_bars(found["ap"], found["support"])]


def _products_plots(found: Mapping[str, Any], judged: Judged) -> list[str]:
    if not judged.rows.num_rows:
        return []
    targets = [str(product) for product in judged.rows["product"].to_pylist()]
    answers = [str(answer) for answer in judged.columns["product"]]
    right = [answer == target for answer, target in zip(answers, targets, strict=True)]
    return [
        plots.reliability_diagram(right, judged.columns["product_score"]),
        plots.confusion(targets, answers),
    ]
