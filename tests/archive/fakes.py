"""Predictors that judge by colour, obeying judging.predictor.Predictor, and archives painted for them.

Run as a program it is the archive job with these predictors: `python -m tests.archive.fakes --archive .. --out ..`.
"""

import hashlib
import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, Self

import numpy as np
from PIL import Image

from meteo_ray.archive.cascade.models import Model, Models
from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.archive.reading import guarded_reading
from meteo_ray.archive.run import classify
from meteo_ray.batch import Batch
from meteo_ray.cli import run_job
from meteo_ray.errors import UsageError
from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.load import LoadedImage, load_bytes
from meteo_ray.judging.predictor import Predictor
from meteo_ray.stages import CASCADE
from meteo_ray.vocabulary import load_vocabulary

BLUE, RED, DARK_BLUE = (40, 120, 220), (220, 120, 40), (20, 30, 120)


class Fake:
    """Counts its calls' rows; `slow_s` is slept for each."""

    version = "0123456789ab"

    def __init__(self, slow_s: float = 0.0) -> None:
        self.slow_s = slow_s
        self.batches: list[int] = []

    @classmethod
    def load(cls, bundle: Path, **options: Any) -> Self:
        if refusal := options.pop("refuse", None):
            raise UsageError(refusal)
        return cls(**options)

    def means(self, batch: Batch) -> np.ndarray:
        """Mean red, green and blue, float32 `(rows, 3)` in [0, 1]."""
        self.batches.append(len(batch["image"]))
        time.sleep(self.slow_s * len(batch["image"]))
        assert batch["image"].dtype == np.uint8
        return (batch["image"].mean(axis=(1, 2)) / 255).astype(np.float32)


class FakeGate(Fake):
    """A chart is bluer than it is red."""

    def __call__(self, batch: Batch) -> Batch:
        means = self.means(batch)
        scores = (0.5 + (means[:, 2] - means[:, 0]) / 2).astype(np.float32)
        return {"is_meteo": scores > 0.5, "gate_score": scores}


class FakeElements(Fake):
    """Green means wind; every chart shows temperature."""

    def __call__(self, batch: Batch) -> Batch:
        means = self.means(batch)
        elements, sequences = np.empty(len(means), dtype=object), np.empty(len(means), dtype=object)
        for row, (_, green, blue) in enumerate(means):
            found = [{"id": "temperature", "score": float(blue)}]
            found += [{"id": "wind", "score": float(green)}] if green > 0.3 else []
            elements[row], sequences[row] = found, [element["id"] for element in found]
        scores = means[:, 1:].copy()
        return {"elements": elements, "element_sequence": sequences, "element_scores": scores}


class FakeProducts(Fake):
    """As many elements, such a product."""

    image_size = (224, 168)

    def __call__(self, batch: Batch) -> Batch:
        width, height = self.image_size
        assert batch["image"].shape[1:] == (height, width, 3)
        scores = self.means(batch)[:, 2]
        products = np.array([f"product_{len(found)}" for found in batch["elements"]], dtype=object)
        top = np.empty(len(scores), dtype=object)
        top[:] = [[{"id": name, "score": float(score)}] for name, score in zip(products, scores, strict=True)]
        return {"product": products, "product_score": scores, "product_top": top}


def is_poison(batch: Batch) -> np.ndarray:
    """Rows that are nearly black: no painted picture is, and neither is a test image."""
    dark: np.ndarray = batch["image"].mean(axis=(1, 2, 3)) < 8
    return dark


class NanGate(FakeGate):
    """Broken: NaN for any image."""

    def __call__(self, batch: Batch) -> Batch:
        return {**super().__call__(batch), "gate_score": np.full(len(batch["image"]), np.nan, dtype=np.float32)}


class OddGate(FakeGate):
    """NaN for poison alone."""

    def __call__(self, batch: Batch) -> Batch:
        answer = super().__call__(batch)
        return {**answer, "gate_score": np.where(is_poison(batch), np.float32(np.nan), answer["gate_score"])}


class RaisingGate(FakeGate):
    """An exception for a batch with poison in it."""

    def __call__(self, batch: Batch) -> Batch:
        if is_poison(batch).any():
            raise RuntimeError("division by a black image")
        return super().__call__(batch)


class DyingGate(FakeGate):
    """Takes its process with it when there is poison in a batch."""

    def __call__(self, batch: Batch) -> Batch:
        if is_poison(batch).any():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(batch)


FAKES: dict[str, type[Predictor]] = {"gate": FakeGate, "elements": FakeElements, "products": FakeProducts}


def fake_model(name: str, fake: type[Predictor], **options: Any) -> Model:
    """One model for an operator."""
    return Model(name, Fake.version, CASCADE[name], partial(fake.load, Path(name), **options))


def fake_models(stages: tuple[str, ...] = tuple(FAKES), **options: Any) -> Models:
    """Models for `classify`; `options` go to every predictor."""
    return Models([fake_model(name, FAKES[name], **options) for name in stages], load_vocabulary())


def paint(path: Path, colour: tuple[int, int, int], seed: int = 0, size: tuple[int, int] = (200, 150)) -> Path:
    """A noisy picture of one colour, so that nothing of it is taken for a margin."""
    noise = np.random.default_rng(seed).integers(-20, 20, (size[1], size[0], 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(path)
    return path


def paint_archive(folder: Path, charts: int, others: int) -> Path:
    """`charts` blue and `others` red pictures, all different."""
    for number in range(charts):
        paint(folder / f"charts/{number:04d}.png", BLUE if number % 2 else DARK_BLUE, number)
    for number in range(others):
        paint(folder / f"others/{number:04d}.png", RED, charts + number)
    return folder


def dangerous_decode(key: str, size: tuple[int, int], described: bool) -> LoadedImage:
    """`decode_held` by a decoder with two defects: it runs in the guarded child."""
    data = guarded_reading.give_held(key)
    if b"crash" in data:
        os.abort()
    if b"hang" in data:
        time.sleep(60)
    return load_bytes(data, size)


def taken_over_decode(key: str, size: tuple[int, int], described: bool) -> LoadedImage:
    """`decode_held` by a decoder that hostile bytes take over, together with the child that it runs in."""
    data = guarded_reading.give_held(key)
    if data not in (b"forgets", b"fails"):
        return load_bytes(data, size)

    def told(result: Any) -> tuple[dict[str, Any], list[Any]]:
        if data == b"fails":
            raise DecodeFailure("error", "empty", "so it says")
        return {}, []

    sys.modules["__main__"]._told = told  # type: ignore[attr-defined]
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    return LoadedImage(hashlib.sha256(data).hexdigest(), 1, 1, "PNG", 1, pixels)


def main() -> int:
    """FAKE_SLOW_S: seconds that each image takes; FAKE_POISON=1: black images kill the judging process."""
    models = fake_models(slow_s=float(os.environ.get("FAKE_SLOW_S", "0")))
    if os.environ.get("FAKE_POISON"):
        models = Models([fake_model("gate", DyingGate), *models.models[1:]], models.vocabulary)

    def run(config: ArchiveConfig) -> None:
        classify(config, models)

    return run_job(ArchiveConfig, run, "The archive job with fake predictors.")


if __name__ == "__main__":
    sys.exit(main())
