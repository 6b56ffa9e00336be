"""Small labelled data folders for the tests of this directory."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

SIZE = (200, 150)


def picture(seed: int) -> Image.Image:
    """A picture like no other: 60 random rectangles on white."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", SIZE, "white")
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, width, height = rng.integers(0, 120, 4).tolist()
        draw.rectangle((x, y, x + width, y + height), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return image


def row(path: str, is_meteo: int = 1, **columns: Any) -> dict[str, Any]:
    """A label row; charts show wind unless told otherwise."""
    labels = {"labels": ["wind"], "product": "24h_cn_2m_max_wind"} if is_meteo else {"labels": [], "product": None}
    return {"path": path, "is_meteo": is_meteo, **labels, **columns}


def write_labels(folder: Path, rows: list[dict[str, Any]]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "labels.jsonl").write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), "utf-8")


def data_folder(folder: Path, count: int = 12) -> list[dict[str, Any]]:
    """A folder of `count` distinct images, every second one a chart; its rows come back."""
    rows = []
    for number in range(count):
        path = f"images/{number:03d}.png"
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        picture(number).save(folder / path)
        rows.append(row(path, is_meteo=number % 2))
    write_labels(folder, rows)
    return rows
