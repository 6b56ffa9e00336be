"""How much of the gate's quality is left on smaller, recompressed, cropped and stamped images (R14)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from meteo_ray.batch import Batch
from meteo_ray.gate.config import Robustness
from meteo_ray.imaging.augment import Augmentation, load_logos
from meteo_ray.imaging.augment.artefacts import compress
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.imaging.decode import DecodeFailure, decode, read_bytes
from meteo_ray.imaging.fit import INPUT_SIZE, fit, resize
from meteo_ray.judging.judge import judge
from meteo_ray.metrics.binary import binary_metrics

NONE, SCALE, JPEG, CROP, LOGO = "none", "scale", "jpeg", "crop", "logo"

# Everything off; a degradation switches one part on.
UNTOUCHED = {f"{part}_share": 0.0 for part in ("crop", "logo", "title", "noise", "artefacts")}

# A degraded image keeps at least this many pixels a side, the least that the decoder takes.
MINIMUM_SIDE = 16


@dataclass(frozen=True)
class Degradation:
    """One way of making an image worse; `value` is the scale, the JPEG quality or the area kept, 1 for the others."""

    kind: str
    value: float = 1.0

    def __str__(self) -> str:
        return self.kind if self.kind in (NONE, LOGO) else f"{self.kind} {self.value:g}"


def degradations(settings: Robustness, has_logos: bool) -> list[Degradation]:
    """The unharmed image first, then every degradation asked for; logos only where there are any."""
    found = [Degradation(NONE)]
    found += [Degradation(SCALE, scale) for scale in settings.scales if scale < 1]
    found += [Degradation(JPEG, quality) for quality in settings.jpeg_qualities]
    found += [Degradation(CROP, area) for area in settings.crop_areas]
    return found + ([Degradation(LOGO)] if settings.logo and has_logos else [])


def gate_robustness(
    predictor: Callable[[Batch], Batch],
    rows: pa.Table,
    data: Path,
    settings: Robustness,
    threshold: float,
    seed: int,
    workers: int | None,
) -> list[dict[str, Any]]:
    """Score the gate on every degradation of some of `rows` (whose is_meteo is known).

    Returns:
        one entry a degradation: name, kind, value, rows, and auc, f1, precision and recall at `threshold`.
    """
    tried = degradations(settings, bool(load_logos(data / "logos")))
    chosen = balanced_sample(rows, settings.images, seed)
    # All degradations of an image stand side by side, so that a worker decodes it once.
    repeated = chosen.take(pa.array(np.repeat(np.arange(chosen.num_rows), len(tried))))
    number = np.tile(np.arange(len(tried)), chosen.num_rows)
    repeated = repeated.append_column("degradation", pa.array(number, pa.int64()))
    prepare = PrepareDegraded(data, tuple(tried), seed)
    judged = judge("gate on degraded images", predictor, repeated, prepare, ("degradation",), len(tried) * 8, workers)
    targets = np.array(judged.rows["is_meteo"].to_pylist(), dtype=bool)
    which = judged.rows["degradation"].to_numpy()
    table = []
    for position, degradation in enumerate(tried):
        members = which == position
        known = binary_metrics(targets[members], judged.columns["gate_score"][members], threshold)
        scores = {name: known[name] for name in ("auc", "f1", "precision", "recall")}
        entry = {"name": str(degradation), "kind": degradation.kind, "value": degradation.value}
        table.append({**entry, "rows": int(members.sum()), **scores})
    return table


def balanced_sample(rows: pa.Table, count: int, seed: int) -> pa.Table:
    """At most `count` rows, as nearly half of them charts as there are, drawn without replacement."""
    positive = np.array(rows["is_meteo"].to_pylist(), dtype=bool)
    rng = np.random.default_rng([seed, count])
    charts, others = rng.permutation(np.flatnonzero(positive)), rng.permutation(np.flatnonzero(~positive))
    half = min(count // 2, len(charts))
    taken_others = others[: count - half]
    taken_charts = charts[: count - len(taken_others)]
    return rows.take(pa.array(np.sort(np.concatenate([taken_charts, taken_others]))))


@dataclass(frozen=True)
class PrepareDegraded:
    """Picklable; adds `image` and `ok` like `PreparePixels`. Reads path, image_id and degradation (a position)."""

    data: Path
    tried: tuple[Degradation, ...]
    seed: int

    def __call__(self, batch: Batch) -> Batch:
        count = len(batch["path"])
        images = np.zeros((count, INPUT_SIZE[1], INPUT_SIZE[0], 3), dtype=np.uint8)
        ok = np.zeros(count, dtype=bool)
        for row in range(count):
            degradation = self.tried[int(batch["degradation"][row])]
            rng = np.random.default_rng([self.seed, int(str(batch["image_id"][row]), 16)])
            try:
                images[row] = fit(self._degrade(_decoded(self.data / str(batch["path"][row])), degradation, rng))
            except DecodeFailure:
                continue
            ok[row] = True
        return {**batch, "image": images, "ok": ok}

    def _degrade(self, image: Image.Image, degradation: Degradation, rng: np.random.Generator) -> Image.Image:
        if degradation.kind == NONE:
            return image
        if degradation.kind == SCALE:
            return resize(image, _scaled(image, degradation.value))
        if degradation.kind == JPEG:
            return compress(image, "JPEG", round(degradation.value))
        return _augmentation(degradation, self.data)(image, rng)[0]


def _scaled(image: Image.Image, scale: float) -> tuple[int, int]:
    return max(MINIMUM_SIDE, round(image.width * scale)), max(MINIMUM_SIDE, round(image.height * scale))


@lru_cache(maxsize=1)
def _decoded(path: Path) -> Image.Image:
    return decode(read_bytes(path)).image


@lru_cache(maxsize=8)
def _augmentation(degradation: Degradation, data: Path) -> Augmentation:
    """The augmentation's own crop or logo, applied to every image."""
    values: dict[str, Any] = {**UNTOUCHED, f"{degradation.kind}_share": 1.0}
    if degradation.kind == CROP:
        values["crop_area"] = (degradation.value, degradation.value)
    return Augmentation(AugmentConfig(**values), load_logos(data / "logos"), [])
