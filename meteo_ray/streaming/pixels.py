"""Rows of the index -> network input: the one place where training and evaluation turn paths into pixels.

Training draws new augmentation in every epoch; validation and test draw it once per image (R5), so two evaluations
agree to the digit, and those pixels are kept on disk for later epochs, stages and sweeps.
"""

import hashlib
import json
import os
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from meteo_ray.batch import Batch
from meteo_ray.imaging.augment import AUGMENTATION_VERSION, Augmentation, load_logos
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.imaging.decode import DecodeFailure, decode, read_bytes
from meteo_ray.imaging.fit import INPUT_SIZE, fit
from meteo_ray.imaging.load import PREPROCESSING_VERSION, least_decoded, load_image
from meteo_ray.vocabulary import Vocabulary, load_vocabulary

# The columns of the index that `PreparePixels` reads.
PIXEL_COLUMNS = ("image_id", "path", "sha256", "product")

# Distinguishes the one fixed draw of validation and test from every epoch's number.
FIXED_DRAW = 2**31 - 1


@dataclass(frozen=True)
class PreparePixels:
    """Adds `image` uint8 `(rows, height, width, 3)`, `ok` bool and `augmented` (JSON of what was applied) to a batch.

    Reads the columns path, sha256, image_id and product. `epoch` None means the fixed draw. `size` is width x height.
    An image to which nothing was done has the pixels that `load_image` gives and an archive is judged on.
    A file that can no longer be read, or whose bytes are not those that were indexed, gives a black image and
    `ok` false: a row, not an exception.
    """

    data: Path
    seed: int
    epoch: int | None
    augmentation: AugmentConfig | None
    cache: Path | None = None
    size: tuple[int, int] = INPUT_SIZE
    vocabulary: Vocabulary = field(default_factory=load_vocabulary)
    title_own_share: float | None = None
    """Share of the drawn titles that name the row's own product. None: the augmentation's in training, and 0 on the
    fixed draw, since on images that are judged a title would tell the answer."""

    def __call__(self, batch: Batch) -> Batch:
        width, height = self.size
        count = len(batch["path"])
        images = np.zeros((count, height, width, 3), dtype=np.uint8)
        ok = np.zeros(count, dtype=bool)
        applied = np.full(count, "{}", dtype=object)
        for row in range(count):
            product = batch["product"][row] if "product" in batch else None
            try:
                images[row], record = self._pixels(
                    str(batch["path"][row]), str(batch["sha256"][row]), str(batch["image_id"][row]), product
                )
            except DecodeFailure:
                continue
            ok[row] = True
            applied[row] = json.dumps(record, ensure_ascii=False)
        return {**batch, "image": images, "ok": ok, "augmented": applied}

    def _pixels(self, path: str, sha256: str, image_id: str, product: str | None) -> tuple[np.ndarray, dict[str, Any]]:
        cached = self._cache_file(sha256, image_id, product)
        kept = None if cached is None else _read(cached, self.size)
        if kept is not None:
            return kept
        pixels, record = self._fresh_pixels(path, sha256, image_id, product)
        if cached is not None:
            _store(cached, pixels, record)
        return pixels, record

    def _fresh_pixels(
        self, path: str, sha256: str, image_id: str, product: str | None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        augmentation = self._altering
        if augmentation is None:
            loaded = load_image(self.data / path, self.size)
            require_unchanged(path, loaded.sha256, sha256)
            return loaded.pixels, {}
        data = read_bytes(self.data / path)
        require_unchanged(path, hashlib.sha256(data).hexdigest(), sha256)
        augment = _augmentation(self.data, augmentation, self.vocabulary, self.size)
        decoded = decode(data, smallest_size=least_decoded(self.size)).image
        image, record = augment(decoded, self._generator(image_id), self._title(product))
        return fit(image, self.size), record

    @property
    def _altering(self) -> AugmentConfig | None:
        """The augmentation in force; None where images stay as they are."""
        if self.augmentation is None or not self.augmentation.enabled:
            return None
        share = self.augmentation.title_own_share if self.epoch is not None else 0.0
        share = share if self.title_own_share is None else self.title_own_share
        return self.augmentation.model_copy(update={"title_own_share": share})

    def _title(self, product: str | None) -> str | None:
        known = self.vocabulary.product_by_id.get(product or "")
        return known.zh if known is not None else None

    def _generator(self, image_id: str) -> np.random.Generator:
        draw = FIXED_DRAW if self.epoch is None else self.epoch
        return np.random.default_rng([self.seed, draw, int(image_id, 16)])

    def _cache_file(self, sha256: str, image_id: str, product: str | None) -> Path | None:
        """Where this image's pixels are kept, or None when they differ from epoch to epoch."""
        if self.cache is None or (self._altering is not None and self.epoch is not None):
            return None
        key = self.identity(sha256, image_id, product)
        return self.cache / key[:2] / f"{key[2:]}.png"

    def identity(self, sha256: str, image_id: str, product: str | None) -> str:
        """64 hex digits of everything that an image's pixels depend on."""
        parts: list[Any] = [PREPROCESSING_VERSION, sha256, self.size]
        augmentation = self._altering
        if augmentation is not None:
            parts += [AUGMENTATION_VERSION, augmentation.model_dump(mode="json"), self.seed, image_id, product]
            parts.append(_ingredients(self.data, self.vocabulary))
            parts += [] if self.epoch is None else [self.epoch]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@lru_cache(maxsize=4)
def _augmentation(data: Path, config: AugmentConfig, vocabulary: Vocabulary, size: tuple[int, int]) -> Augmentation:
    """One per worker process: reading logos and fonts for every batch would cost more than the augmentation."""
    titles = [product.zh for product in vocabulary.products]
    return Augmentation(config, load_logos(data / "logos", size[0]), titles, size)


@lru_cache(maxsize=4)
def _ingredients(data: Path, vocabulary: Vocabulary) -> str:
    """Names what the augmentation draws from besides its config: the logos' bytes and the titles."""
    folder = data / "logos"
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    logos = [hashlib.sha256(path.read_bytes()).hexdigest() for path in files if not path.name.startswith(".")]
    titles = [product.zh for product in vocabulary.products]
    return hashlib.sha256(json.dumps([logos, titles]).encode()).hexdigest()


def require_unchanged(path: str, actual: str, expected: str) -> None:
    """Raises DecodeFailure where an image's sha256 is not that of the index."""
    if actual != expected:
        raise DecodeFailure("error", "changed", f"{path}: not the bytes that were indexed; run jobs/prepare_data.py")


def _read(path: Path, size: tuple[int, int]) -> tuple[np.ndarray, dict[str, Any]] | None:
    """What `_store` kept; None when there is nothing, or nothing whole: a disk that failed must not stop a run."""
    try:
        with Image.open(path, formats=["PNG"]) as image:
            pixels = np.asarray(image)
            record = json.loads(image.text["augmented"])  # type: ignore[attr-defined]
    except (OSError, SyntaxError, ValueError, KeyError, AttributeError):  # Pillow's own: broken chunks are SyntaxErrors
        return None
    return (pixels, record) if pixels.shape == (size[1], size[0], 3) else None


def _store(path: Path, pixels: np.ndarray, record: dict[str, Any]) -> None:
    """PNG, so that a person can look at the cache; level 1, because reading matters more than size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    information = PngInfo()
    information.add_itxt("augmented", json.dumps(record, ensure_ascii=False))
    scratch = path.with_suffix(f".{os.getpid()}.tmp")
    Image.fromarray(pixels).save(scratch, format="PNG", compress_level=1, pnginfo=information)
    os.replace(scratch, path)
