"""The frozen vision tower's output, kept on disk: epochs and trials read what the first pass computed.

A file for each image and draw in CACHE/features/, named after all that its content depends on: the base model, the type
that the tower computes in, and the pixels (image, preparation, augmentation, draw). It appears whole or not at all, so
a training that was cut off goes on with what is there, and several may share the folder. At Gemma 3 4B's shape a file
holds 256 tokens x 2560 x 2 bytes = 1.3 MB: 5000 charts as they are and in three altered draws take 26 GB.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from meteo_ray.batch import UNREADABLE, Batch
from meteo_ray.errors import UsageError
from meteo_ray.imaging.augment_config import UNALTERED
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.image_features import image_features
from meteo_ray.streaming.image_store import ImageStore
from meteo_ray.streaming.pixels import PreparePixels

NAME = "features"


@dataclass(frozen=True)
class FeatureStore:
    """Soft tokens by key, 64 hex digits; `shape` is tokens x width, `origin` names base model and type. Picklable."""

    folder: Path
    shape: tuple[int, int]
    dtype: torch.dtype
    origin: str

    @classmethod
    def of(cls, base: GemmaBase, device: str, cache: Path) -> "FeatureStore":
        """The store of a base model that is loaded on `device`."""
        dtype = base.weight_type(device)
        return cls(cache / NAME, base.feature_shape, dtype, f"{base.digest} {dtype}")

    def key(self, pixels: str) -> str:
        """Of features made from pixels that `PreparePixels.identity` names so."""
        return hashlib.sha256(json.dumps([self.origin, pixels]).encode()).hexdigest()

    @property
    def bytes_each(self) -> int:
        return self.shape[0] * self.shape[1] * self.dtype.itemsize

    def has(self, key: str) -> bool:
        """Whether a whole file of the right shape is there; a damaged one counts as none and is written anew."""
        try:
            with safe_open(self._file(key), "pt") as file:
                return tuple(file.get_slice(NAME).get_shape()) == self.shape
        except (OSError, SafetensorError):
            return False

    def read(self, key: str) -> torch.Tensor:
        """`(tokens, width)`. Raises UsageError when it went away since `has`."""
        try:
            with safe_open(self._file(key), "pt") as file:
                features: torch.Tensor = file.get_tensor(NAME)
                return features
        except (OSError, SafetensorError) as error:
            raise UsageError(
                f"{self.folder}: stored image features can no longer be read ({error}); start the training again"
            ) from None

    def write(self, keys: Sequence[str], features: torch.Tensor) -> None:
        """Keep `(rows, tokens, width)`. Raises UsageError when the disk takes no more."""
        for key, tokens in zip(keys, features.cpu(), strict=True):
            path = self._file(key)
            scratch = path.with_suffix(f".{os.getpid()}.tmp")
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                with scratch.open("wb") as file:
                    file.write(save({NAME: tokens.contiguous()}))
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(scratch, path)
            except OSError as error:
                scratch.unlink(missing_ok=True)
                raise UsageError(
                    f"{self.folder}: cannot keep image features: {error}; make room, name another --cache, or do "
                    "without: --products.stored-draws 0"
                ) from None

    def require_room(self, keys: Iterable[str], limit_gb: float) -> None:
        """Raises UsageError when those of `keys` that are not there would exceed the limit or the free space."""
        missing = self.bytes_each * sum(not self._file(key).is_file() for key in set(keys))
        there = sum(path.stat().st_size for path in self.folder.rglob("*.safetensors"))
        if there + missing > limit_gb * 1e9:
            raise UsageError(
                f"image features would take {(there + missing) / 1e9:.1f} GB in {self.folder} ({there / 1e9:.1f} GB "
                f"are there), more than the {limit_gb:g} GB of --products.stored-gb: allow more, ask for fewer "
                "--products.stored-draws (0 keeps none), or remove the folder if what it holds is no longer needed"
            )
        existing = next(place for place in (self.folder, *self.folder.parents) if place.exists())
        free = shutil.disk_usage(existing).free
        if missing > free:
            raise UsageError(
                f"image features would take {missing / 1e9:.1f} GB more in {self.folder}, where {free / 1e9:.1f} GB "
                "are free: name another --cache, or ask for fewer --products.stored-draws (0 keeps none)"
            )

    def _file(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key[2:]}.safetensors"


@dataclass(frozen=True)
class StoredPixels(PreparePixels):
    """Adds `feature_key` (str) and `stored` (bool) besides; what is stored is not decoded, its `image` stays black.

    In training an image comes as it is and in `draws` altered draws by turns, one each epoch; which image starts where
    is left to its id, so that every epoch holds all kinds. Without augmentation there is one kind.
    """

    store: FeatureStore = field(kw_only=True)
    draws: int = field(kw_only=True)

    def __call__(self, batch: Batch) -> Batch:
        kinds = self._kinds()
        chosen = np.array([self._kind(str(image_id), len(kinds)) for image_id in batch["image_id"]], dtype=int)
        keys = [self._key(kinds[kind], batch, row) for row, kind in enumerate(chosen)]
        stored = np.array([self.store.has(key) for key in keys], dtype=bool)
        width, height = self.size
        result = {
            "image": np.zeros((len(keys), height, width, 3), dtype=np.uint8),
            "ok": stored.copy(),
            "augmented": np.full(len(keys), "{}", dtype=object),
            UNREADABLE: np.full(len(keys), "", dtype=object),
        }
        for kind, pixels in enumerate(kinds):
            rows = np.flatnonzero((chosen == kind) & ~stored)
            made = pixels({name: column[rows] for name, column in batch.items()})
            for name, column in result.items():
                column[rows] = made[name]
        return {**batch, **result, "feature_key": np.array(keys, dtype=object), "stored": stored}

    def keys(self, rows: pa.Table) -> set[str]:
        """All that these rows may ever ask for."""
        batch = {name: np.array(rows[name].to_pylist(), dtype=object) for name in ("sha256", "image_id", "product")}
        return {self._key(pixels, batch, row) for pixels in self._kinds() for row in range(rows.num_rows)}

    def _kinds(self) -> list[PreparePixels]:
        altered = self.augmentation is not None and self.augmentation.enabled
        if self.epoch is None:
            return [self._pixels_of(None, self.augmentation, self.cache)]
        draws = range(self.draws if altered else 0)
        return [
            self._pixels_of(None, UNALTERED, None),
            *(self._pixels_of(draw, self.augmentation, None) for draw in draws),
        ]

    def _kind(self, image_id: str, kinds: int) -> int:
        return (int(image_id, 16) + (self.epoch or 0)) % kinds

    def _pixels_of(self, draw: int | None, augmentation: Any, cache: ImageStore | None) -> PreparePixels:
        return PreparePixels(self.data, self.seed, draw, augmentation, cache, self.size, self.vocabulary)

    def _key(self, pixels: PreparePixels, batch: Batch, row: int) -> str:
        product = batch["product"][row]
        return self.store.key(pixels.identity(str(batch["sha256"][row]), str(batch["image_id"][row]), product))


def feature_tensors(batch: Batch, store: FeatureStore) -> dict[str, torch.Tensor]:
    """What `StoredPixels` prepared -> CPU tensors: `features` `(rows, tokens, width)` of the store's type.

    Where some are not stored, `image` holds the pixels of those alone, `missing` int64 their rows and `feature_key`
    uint8 `(missing, 32)` their keys, for `complete` to fill in.
    """
    keys, stored = batch["feature_key"], batch["stored"].astype(bool)
    features = torch.zeros((len(keys), *store.shape), dtype=store.dtype)
    for row in np.flatnonzero(stored):
        features[row] = store.read(str(keys[row]))
    missing = np.flatnonzero(~stored)
    if not len(missing):
        return {"features": features}
    digits = np.array([list(bytes.fromhex(str(keys[row]))) for row in missing], dtype=np.uint8)
    return {
        "features": features,
        "image": torch.from_numpy(np.array(batch["image"])[missing]),
        "missing": torch.from_numpy(missing),
        "feature_key": torch.from_numpy(digits),
    }


def complete(
    batch: dict[str, torch.Tensor], store: FeatureStore, model: torch.nn.Module, base: GemmaBase
) -> dict[str, torch.Tensor]:
    """The batch with all features: those that are missing are computed and kept."""
    if "missing" not in batch:
        return batch
    computed = image_features(model, base, batch["image"])
    store.write([bytes(key).hex() for key in batch["feature_key"].cpu().numpy()], computed)
    return {**batch, "features": batch["features"].index_copy(0, batch["missing"], computed)}
