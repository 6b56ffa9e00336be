"""A small prepared data folder: striped "charts" and plain "others" that a network tells apart in a few steps."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from meteo_ray.batch import Batch
from meteo_ray.schema import INDEX, SPLITS

SIZE = (96, 72)


def picture(is_chart: bool, rng: np.random.Generator) -> np.ndarray:
    """Dark stripes on light paper for a chart, a smooth two-colour gradient for anything else; uint8 (72, 96, 3)."""
    width, height = SIZE
    if is_chart:
        period = int(rng.integers(6, 12))
        row = np.where(np.arange(width) % period < period // 2, 30, 230)
        pixels = np.repeat(row[None, :, None], height, axis=0).repeat(3, axis=2)
    else:
        ends = rng.integers(0, 256, (2, 3))
        share = np.linspace(0, 1, width)[None, :, None]
        pixels = np.broadcast_to(ends[0] * (1 - share) + ends[1] * share, (height, width, 3))
    return np.clip(pixels + rng.normal(0, 4, (height, width, 3)), 0, 255).astype(np.uint8)


def picture_index(data: Path, per_split: int = 12, seed: int = 0) -> pa.Table:
    """Write `per_split` pictures of each kind and split under `data/images`; the index of them comes back.

    Charts have the element "wind" and the product "24h_cn_2m_max_wind"; sources alternate between two; the last other
    image of every split is marked ambiguous.
    """
    rng = np.random.default_rng(seed)
    (data / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for split in SPLITS:
        for number in range(2 * per_split):
            is_chart = number % 2 == 0
            path = f"images/{split}_{number}.png"
            Image.fromarray(picture(is_chart, rng)).save(data / path)
            extra = {"language": "zh" if is_chart else "none"}
            if not is_chart:
                extra["kind"] = "easy"
            if number == 2 * per_split - 1:
                extra["ambiguous"] = True
            rows.append(_row(data, path, is_chart, split, f"source {number // 2 % 2}", extra))
    return pa.Table.from_pylist(rows, schema=INDEX)


def write_index(data: Path, index: pa.Table) -> None:
    (data / "index").mkdir(exist_ok=True)
    pq.write_table(index, data / "index" / "index.parquet")


def row_batch(rows: pa.Table) -> Batch:
    """Rows of a task as Ray Data hands them to `prepare`."""
    return {
        name: rows[name].to_numpy(zero_copy_only=False)
        if pa.types.is_primitive(rows.schema.field(name).type)
        else np.array(rows[name].to_pylist(), dtype=object)
        for name in rows.column_names
    }


def _row(data: Path, path: str, is_chart: bool, split: str, source: str, extra: dict) -> dict:
    return {
        "image_id": hashlib.sha256(path.encode()).hexdigest()[:16],
        "path": path,
        "sha256": hashlib.sha256((data / path).read_bytes()).hexdigest(),
        "width": SIZE[0],
        "height": SIZE[1],
        "format": "PNG",
        "is_meteo": is_chart,
        "elements": ["wind"] if is_chart else [],
        "product": "24h_cn_2m_max_wind" if is_chart else None,
        "split": split,
        "source": source,
        "extra": json.dumps(extra),
    }
