"""Rows of the index -> network input: the one place where training and evaluation turn paths into pixels.

Training draws new augmentation in every epoch; validation and test draw it once per image (R5), so two evaluations
agree to the digit. With a cache, what is the same in all epochs is made once for later epochs, stages, sweeps and jobs
(image_store.py): the pixels of the fixed draw, and for training the working image that the augmentation starts from.
"""

import hashlib
import json
import socket
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from meteo_ray.batch import UNREADABLE, Batch
from meteo_ray.imaging.augment import AUGMENTATION_VERSION, Augmentation, load_logos
from meteo_ray.imaging.augment.pipeline import working_size
from meteo_ray.imaging.augment.transform import shrink
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.imaging.decode import DecodeFailure, decode
from meteo_ray.imaging.fit import INPUT_SIZE, fit
from meteo_ray.imaging.load import PREPROCESSING_VERSION, least_decoded, load_bytes
from meteo_ray.streaming.image_store import Entry, ImageStore
from meteo_ray.streaming.unchanged import read_unchanged, require_unchanged_file
from meteo_ray.vocabulary import Vocabulary, load_vocabulary

# The columns of the index that `PreparePixels` reads.
PIXEL_COLUMNS = ("image_id", "path", "sha256", "product")

# Distinguishes the one fixed draw of validation and test from every epoch's number.
FIXED_DRAW = 2**31 - 1


@dataclass(frozen=True)
class PreparePixels:
    """Adds `image` uint8 `(rows, height, width, 3)`, `ok` bool, `augmented` (JSON of what was applied) and
    UNREADABLE (why a row is not ok, and on which machine) to a batch.

    Reads the columns path, sha256, image_id and product. `epoch` None means the fixed draw. `size` is width x height.
    An image to which nothing was done has the pixels that `load_bytes` gives and an archive is judged on.
    A file that can no longer be read, or whose bytes are not those that were indexed, gives a black image and
    `ok` false: a row, not an exception. Pixels of the fixed draw that the cache holds are taken without a look at it.
    """

    data: Path
    seed: int
    epoch: int | None
    augmentation: AugmentConfig | None
    cache: ImageStore | None = None
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
        applied, unreadable = np.full(count, "{}", dtype=object), np.full(count, "", dtype=object)
        for row in range(count):
            product = batch["product"][row] if "product" in batch else None
            try:
                images[row], record = self._pixels(
                    str(batch["path"][row]), str(batch["sha256"][row]), str(batch["image_id"][row]), product
                )
            except DecodeFailure as failure:
                unreadable[row] = f"{failure.reason}: {failure.detail} (on {socket.gethostname()})"
                continue
            ok[row] = True
            applied[row] = json.dumps(record, ensure_ascii=False)
        return {**batch, "image": images, "ok": ok, "augmented": applied, UNREADABLE: unreadable}

    def _pixels(self, path: str, sha256: str, image_id: str, product: str | None) -> Entry:
        if self._drawn_anew:
            return self._altered(path, sha256, image_id, product)
        key = self.identity(sha256, image_id, product)
        kept = self._kept(key, self.size)
        if kept is None:
            altered = self._altering is not None
            kept = self._altered(path, sha256, image_id, product) if altered else self._as_it_is(path, sha256)
            self._keep(key, *kept)
        return kept

    @property
    def _drawn_anew(self) -> bool:
        """Whether the pixels differ from epoch to epoch."""
        return self._altering is not None and self.epoch is not None

    def _altered(self, path: str, sha256: str, image_id: str, product: str | None) -> Entry:
        altering = self._altering
        assert altering is not None
        image, whole = self._working_image(path, sha256)
        augment = _augmentation(self.data, altering, self.vocabulary, self.size)
        altered, record = augment(image, self._generator(image_id), self._title(product))
        if record or whole:
            return fit(altered, self.size), record
        # No part has altered it: then nothing may be lost to the working size either.
        kept = self._kept(self._plain_key(sha256), self.size)
        return kept if kept is not None else self._as_it_is(path, sha256)

    def _working_image(self, path: str, sha256: str) -> tuple[Image.Image, bool]:
        """What the augmentation starts from, and whether that is all of the image: without a cache it always is.

        The first part that alters an image scales it down to the working size, which may as well be done before.
        """
        kept = self._kept(self._working_key(sha256))
        if kept is not None:
            require_unchanged_file(self.data / path, sha256)
            return Image.fromarray(kept[0]), bool(kept[1]["whole"])
        decoded = decode(read_unchanged(self.data / path, sha256), smallest_size=least_decoded(self.size)).image
        if self.cache is None or not self._drawn_anew or self.cache.room() <= 0:
            return decoded, True  # nothing to be made for later
        working = shrink(decoded, working_size(self.size))
        whole = working is decoded
        self._keep(self._working_key(sha256), np.asarray(working), {"whole": whole})
        if not whole and self._kept(self._plain_key(sha256), self.size) is None:
            self._keep(self._plain_key(sha256), fit(decoded, self.size), {})
        return working, whole

    def _as_it_is(self, path: str, sha256: str) -> Entry:
        return load_bytes(read_unchanged(self.data / path, sha256), self.size).pixels, {}

    def _kept(self, key: str, size: tuple[int, int] | None = None) -> Entry | None:
        """An entry of the cache; with `size` only one of that width and height."""
        kept = None if self.cache is None else self.cache.get(key)
        return kept if kept is None or size is None or kept[0].shape[1::-1] == size else None

    def _keep(self, key: str, pixels: np.ndarray, record: dict[str, Any]) -> None:
        if self.cache is not None:
            self.cache.put(key, pixels, record)

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

    def _plain_key(self, sha256: str) -> str:
        """Of the pixels of an image that nothing is done to."""
        return _digest([PREPROCESSING_VERSION, sha256, self.size])

    def _working_key(self, sha256: str) -> str:
        return _digest(["working", PREPROCESSING_VERSION, sha256, self.size, working_size(self.size)])

    def identity(self, sha256: str, image_id: str, product: str | None) -> str:
        """64 hex digits of everything that an image's pixels depend on."""
        parts: list[Any] = [PREPROCESSING_VERSION, sha256, self.size]
        augmentation = self._altering
        if augmentation is not None:
            parts += [AUGMENTATION_VERSION, augmentation.model_dump(mode="json"), self.seed, image_id, product]
            parts.append(_ingredients(self.data, self.vocabulary))
            parts += [] if self.epoch is None else [self.epoch]
        return _digest(parts)


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
    return _digest([logos, titles])


def _digest(parts: list[Any]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
