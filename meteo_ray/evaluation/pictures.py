"""Pictures of judged rows for the report: the worst mistakes, labels that a model doubts, what a stage shows itself."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from meteo_ray.batch import Batch
from meteo_ray.evaluation.run import Outcome
from meteo_ray.files import visible
from meteo_ray.imaging.contact_sheet import contact_sheet
from meteo_ray.imaging.data_uri import jpeg_data_uri
from meteo_ray.judging.stage_evaluation import Scored
from meteo_ray.stages import CASCADE

# Three lines of six pictures for each kind of mistake: 6 * (156 + 6) + 6 = 978 pixels, about the width of the page.
COLUMNS, WORST = 6, 18
TILE_SIZE = (156, 117)
JPEG_QUALITY = 80

# Four pictures a line where there is more to see in each: 4 * (236 + 6) + 6 = 974 pixels.
LARGE_COLUMNS, LARGE_TILE = 4, (236, 177)

Pixels = Callable[[Batch], Batch]
"""Prepares rows as the stages saw them (`Judge.pixels`), so that the page shows what was judged."""


@dataclass(frozen=True)
class ShownMistakes:
    """Images that a stage judged wrong, the worst first, as one picture and as a list of path, score and detail."""

    title: str
    score: str
    count: int
    sheet: str
    listed: list[tuple[str, float, str]]


@dataclass(frozen=True)
class ShownSheet:
    """A stage's `Sheet` as one picture."""

    title: str
    note: str
    picture: str


def sheets(stage: str, scored: Scored, predictor: Any, pixels: Pixels) -> list[ShownSheet]:
    """What a stage shows more of than it answers, each with the name of its file."""
    paths, found = scored.judged.rows["path"], []
    for sheet in CASCADE[stage].evaluation().sheets(scored, predictor, pixels):
        captions = [caption(text, paths[int(row)].as_py()) for text, row in zip(sheet.texts, sheet.rows, strict=True)]
        picture = as_sheet(sheet.images, captions, LARGE_COLUMNS, LARGE_TILE)
        found.append(ShownSheet(sheet.title, sheet.note, picture))
    return found


def mistakes(stage: str, scored: Scored, pixels: Pixels) -> list[ShownMistakes]:
    """The worst of each kind of mistake that a stage shows."""
    judged, found = scored.judged, []
    for kind in CASCADE[stage].evaluation().mistakes(scored):
        worst = kind.rows[:WORST]
        paths = [judged.rows["path"][int(row)].as_py() for row in worst]
        details = kind.details or [""] * len(kind.rows)
        listed = [
            (path, float(score), detail) for path, score, detail in zip(paths, kind.scores, details, strict=False)
        ]
        captions = [caption(detail or f"{score:.3f}", path) for path, score, detail in listed]
        sheet = as_sheet(judged.pictures(worst, pixels), captions)
        found.append(ShownMistakes(kind.title, kind.score, len(kind.rows), sheet, listed))
    return found


def doubted_labels(outcome: Outcome, pixels: Pixels) -> dict[str, str]:
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
            captions = [caption(_doubt(entry), entry["path"]) for entry in listed]
            found[stage] = as_sheet(judged.pictures(members, pixels), captions)
    return found


def _doubt(entry: Mapping[str, Any]) -> str:
    return f"{'' if entry['given'] else 'no '}{entry['label']}? {entry['score']:.2f}"


def caption(text: str, path: str) -> str:
    return f"{text}\n{visible(Path(path).name)}"


def as_sheet(
    images: Sequence[np.ndarray | Image.Image],
    captions: Sequence[str],
    columns: int = COLUMNS,
    tile_size: tuple[int, int] = TILE_SIZE,
) -> str:
    """Pictures with their captions below, as a `data:` URI; empty without any."""
    if not len(images):
        return ""
    return jpeg_data_uri(contact_sheet(list(images), captions, columns, tile_size), JPEG_QUALITY)
