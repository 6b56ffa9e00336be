"""Contact sheets by class, each image as it is and as augmented in training: what the models get to see."""

import json
import os
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from meteo_ray.batch import Batch
from meteo_ray.errors import UsageError
from meteo_ray.files import make_folder
from meteo_ray.imaging.contact_sheet import contact_sheet
from meteo_ray.preparation.config import PreviewData
from meteo_ray.streaming.index import read_index
from meteo_ray.streaming.pixels import PIXEL_COLUMNS, PreparePixels
from meteo_ray.vocabulary import Vocabulary, choose_vocabulary

# Two pairs (as it is, augmented) a line: 4 tiles of 320 pixels fill a screen's width.
_COLUMNS = 4


@dataclass(frozen=True)
class Group:
    """The rows of the index that share a class; `kind` is is_meteo, element or product."""

    kind: str
    name: str
    title: str
    rows: np.ndarray


def write_preview(config: PreviewData) -> list[Path]:
    """Write one sheet per class that has images, and return their paths.

    Raises:
        UsageError: when the data folder is not prepared, nothing is left to show, or `out` cannot be written to.
    """
    if config.data is None or config.out is None:
        missing = "--data: the prepared data folder" if config.data is None else "--out: where the sheets go"
        raise UsageError(f"one more flag is needed, {missing}")
    vocabulary = choose_vocabulary(config.labels, config.data)
    index = read_index(config.data, config.index)
    groups = list(_groups(index, vocabulary, config.split))
    if not groups:
        raise UsageError(f"{config.data}: no images in the split {config.split!r}")
    make_folder(config.out, "--out")
    return [_write_sheet(config, config.data, config.out, index, group, vocabulary) for group in groups]


def _groups(index: pa.Table, vocabulary: Vocabulary, split: str | None) -> Iterator[Group]:
    wanted = np.array([split in (None, row) for row in index["split"].to_pylist()], dtype=bool)
    is_meteo = np.array(index["is_meteo"].to_pylist(), dtype=bool)
    elements = [set(row or ()) for row in index["elements"].to_pylist()]
    products = index["product"].to_pylist()
    masks = [("is_meteo", "chart", "图", is_meteo), ("is_meteo", "other", "非图", ~is_meteo)]
    for element in vocabulary.elements:
        masks.append(("element", element.id, element.zh, np.array([element.id in row for row in elements], dtype=bool)))
    for product in vocabulary.products:
        masks.append(("product", product.id, product.zh, np.array([product.id == row for row in products], dtype=bool)))
    for kind, name, title, mask in masks:
        rows = np.flatnonzero(mask & wanted)
        if rows.size:
            yield Group(kind, name, title, rows)


def _write_sheet(
    config: PreviewData, data: Path, out: Path, index: pa.Table, group: Group, vocabulary: Vocabulary
) -> Path:
    rng = np.random.default_rng([config.seed, len(group.rows)])
    count = min(config.per_class, len(group.rows))
    table = index.take(np.sort(rng.choice(group.rows, count, replace=False)))
    batch: Batch = {name: np.array(table[name].to_pylist(), dtype=object) for name in PIXEL_COLUMNS}
    raw = PreparePixels(data, config.seed, None, None, vocabulary=vocabulary)(batch)
    augmented = PreparePixels(data, config.seed, config.epoch, config.augmentation, vocabulary=vocabulary)(batch)
    images, captions = [], []
    for row, entry in enumerate(table.to_pylist()):
        images += [raw["image"][row], augmented["image"][row]]
        captions += [
            _raw_caption(entry, group, bool(raw["ok"][row])),
            _applied_caption(str(augmented["augmented"][row])),
        ]
    path = out / group.kind / f"{group.name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    contact_sheet(images, captions, _COLUMNS).save(scratch, format="PNG")
    os.replace(scratch, path)
    return path


def _raw_caption(row: dict, group: Group, ok: bool) -> str:
    elements = "要素未知" if row["elements"] is None else "、".join(row["elements"]) or "无要素"
    state = f"{row['format']} {row['width']}×{row['height']}" if ok else "无法读取"
    text = f"{group.title} · {row['path']}\n{state} · {row['split']} · {elements}"
    return "".join(c for c in text if c == "\n" or unicodedata.category(c)[0] != "C")  # paths may hold control signs


def _applied_caption(record: str) -> str:
    """The first line names the parts, and whose name the title carries; the second is the title's text."""
    applied = json.loads(record)
    title = applied.get("title", {})
    parts = [f"{part} ({title['whose']})" if part == "title" else part for part in applied]
    return f"{' + '.join(parts) or '未增强'}\n{title.get('text', '')}"
