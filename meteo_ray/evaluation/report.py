"""The evaluation for people: a few lines for the terminal, and one self-contained HTML page with plots and mistakes."""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined

from meteo_ray.batch import Batch
from meteo_ray.evaluation.run import Outcome, write_file
from meteo_ray.files import visible
from meteo_ray.imaging.contact_sheet import contact_sheet
from meteo_ray.metrics import plots
from meteo_ray.streaming.judge import PIXEL_COLUMNS, Judged

# Three lines of six pictures for each kind of mistake: 6 * (156 + 6) + 6 = 978 pixels, about the width of the page.
COLUMNS, WORST = 6, 18
TILE_SIZE = (156, 117)
JPEG_QUALITY = 80

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
        lines.append(f"  {stage}: {_headline(found, names)}")
        if "baseline" in found:
            lines.append(f"    boosting on descriptors, for comparison: {_headline(found['baseline'], names)}")
    return "\n".join(lines)


def _headline(found: Mapping[str, Any], names: Sequence[str]) -> str:
    return "  ".join(f"{name} {number(found[name])}" for name in names if found.get(name) is not None)


def write_report(path: Path, outcome: Outcome, pixels: Callable[[Batch], Batch]) -> None:
    """Write the page whole or not at all; everything is inline, names are escaped, nothing is fetched.

    `pixels` prepares rows as the stages saw them (`Judge.pixels`), so that the page shows what was judged.

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
        mistakes=gate_mistakes(outcome.judged["gate"], pixels) if "gate" in outcome.judged else [],
        doubted=doubted_labels(outcome, pixels),
    )
    write_file(path, page, "--report")


def stage_plots(outcome: Outcome) -> dict[str, list[str]]:
    """Stage -> its plots as `data:` URIs."""
    draw = {"gate": _gate_plots, "elements": _elements_plots, "products": _products_plots}
    return {stage: draw[stage](outcome.document[stage], judged) for stage, judged in outcome.judged.items()}


def gate_mistakes(judged: Judged, pixels: Callable[[Batch], Batch]) -> list[Mistakes]:
    """False alarms of the highest score and misses of the lowest."""
    truth = np.array(judged.rows["is_meteo"].to_pylist(), dtype=bool)
    called = np.asarray(judged.columns["is_meteo"], dtype=bool)
    scores = judged.columns["gate_score"]
    found = []
    for title, wrong, sign in (("False alarms", called & ~truth, -1), ("Missed charts", truth & ~called, 1)):
        members = np.flatnonzero(wrong)
        worst = members[np.argsort(sign * scores[members], kind="stable")][:WORST]
        listed = [(judged.rows["path"][int(row)].as_py(), float(scores[row])) for row in worst]
        captions = [_caption(f"{score:.3f}", path) for path, score in listed]
        found.append(Mistakes(title, len(members), _sheet(judged, worst, captions, pixels), listed))
    return found


def doubted_labels(outcome: Outcome, pixels: Callable[[Batch], Batch]) -> dict[str, str]:
    """Stage -> the pictures whose labels its model doubts, in the order of the list; stages without any are left out.

    The caption says what the model thinks of the label: "wind? 0.03" was labelled wind, "no wind? 0.97" was not.
    """
    found = {}
    for stage, judged in outcome.judged.items():
        listed = outcome.document[stage].get("label_errors")
        if listed:
            position = {image_id: row for row, image_id in enumerate(judged.rows["image_id"].to_pylist())}
            members = np.array([position[entry["image_id"]] for entry in listed])
            captions = [_caption(_doubt(entry), entry["path"]) for entry in listed]
            found[stage] = _sheet(judged, members, captions, pixels)
    return found


def _doubt(entry: Mapping[str, Any]) -> str:
    return f"{'' if entry['given'] else 'no '}{entry['label']}? {entry['score']:.2f}"


def _caption(text: str, path: str) -> str:
    return f"{text}\n{visible(Path(path).name)}"


def _sheet(judged: Judged, members: np.ndarray, captions: list[str], pixels: Callable[[Batch], Batch]) -> str:
    """The pictures of some rows with their captions below, as a `data:` URI; empty without rows."""
    if not len(members):
        return ""
    rows = judged.rows.take(pa.array(members, pa.int64()))
    images = pixels({name: np.array(rows[name].to_pylist(), dtype=object) for name in PIXEL_COLUMNS})["image"]
    buffer = io.BytesIO()
    contact_sheet(list(images), captions, COLUMNS, TILE_SIZE).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


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
