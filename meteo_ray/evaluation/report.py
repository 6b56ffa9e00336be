"""The evaluation for people: a few lines for the terminal, and one self-contained HTML page with plots and mistakes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined

from meteo_ray.batch import Batch
from meteo_ray.evaluation.config import END_TO_END
from meteo_ray.evaluation.run import Outcome, write_file
from meteo_ray.files import visible
from meteo_ray.imaging.contact_sheet import contact_sheet
from meteo_ray.imaging.data_uri import jpeg_data_uri
from meteo_ray.judging.judge import Judged
from meteo_ray.stages import CASCADE
from meteo_ray.streaming.pixels import PIXEL_COLUMNS

# Three lines of six pictures for each kind of mistake: 6 * (156 + 6) + 6 = 978 pixels, about the width of the page.
COLUMNS, WORST = 6, 18
TILE_SIZE = (156, 117)
JPEG_QUALITY = 80


@dataclass(frozen=True)
class ShownMistakes:
    """Images that a stage judged wrong, the worst first, as one picture and as a list."""

    title: str
    score: str
    count: int
    sheet: str
    listed: list[tuple[str, float]]


def headlines() -> dict[str, tuple[str, ...]]:
    """What each stage is known by, and all of them end to end: there the last stage's metrics come first."""
    stages = {name: judging.evaluation() for name, judging in CASCADE.items()}
    last_first = [metric for stage in reversed(stages.values()) for metric in stage.cascade_headline]
    return {**{name: stage.headline for name, stage in stages.items()}, END_TO_END: tuple(last_first)}


def summary(document: Mapping[str, Any]) -> str:
    """One line a stage: its main metrics, or why it was not evaluated."""
    lines = [f"{document['split']} split"]
    for stage, names in headlines().items():
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
        headlines=headlines(),
        plots={name: CASCADE[name].evaluation().plots(scored) for name, scored in outcome.scored.items()},
        mistakes={name: mistakes(name, scored.judged, pixels) for name, scored in outcome.scored.items()},
        doubted=doubted_labels(outcome, pixels),
    )
    write_file(path, page, "--report")


def mistakes(stage: str, judged: Judged, pixels: Callable[[Batch], Batch]) -> list[ShownMistakes]:
    """The worst of each kind of mistake that a stage shows."""
    found = []
    for kind in CASCADE[stage].evaluation().mistakes(judged):
        worst = kind.rows[:WORST]
        listed = [
            (judged.rows["path"][int(row)].as_py(), float(score))
            for row, score in zip(worst, kind.scores, strict=False)
        ]
        captions = [_caption(f"{score:.3f}", path) for path, score in listed]
        found.append(
            ShownMistakes(kind.title, kind.score, len(kind.rows), _sheet(judged, worst, captions, pixels), listed)
        )
    return found


def doubted_labels(outcome: Outcome, pixels: Callable[[Batch], Batch]) -> dict[str, str]:
    """Stage -> the pictures whose labels its model doubts, in the order of the list; stages without any are left out.

    The caption says what the model thinks of the label: "wind? 0.03" was labelled wind, "no wind? 0.97" was not.
    """
    found = {}
    for stage, scored in outcome.scored.items():
        judged = scored.judged
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
    return jpeg_data_uri(contact_sheet(list(images), captions, COLUMNS, TILE_SIZE), JPEG_QUALITY)


def number(value: Any) -> str:
    """A metric for reading: whole numbers as they are, others with four digits, "–" where undefined."""
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
