"""`load_image` in a guarded child process: for folders whose images come from anywhere."""

import math
import os
from pathlib import Path
from typing import Any

import numpy as np

from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.imaging.guarded_process import ChildLost, GuardedProcess, Returned, persistently
from meteo_ray.imaging.load import LoadedImage
from meteo_ray.imaging.page_pixels import LONGEST_SIDE

# The 576 MB of the largest image that is taken (see `DecodeLimits`), its 256 MiB file, and as much again for the
# decoder.
MEMORY_LIMIT_BYTES = 3 * 2**29

# What a child tells of an image's file. Tables hold the numbers as int32, and texts that can be encoded.
TOLD: dict[str, type] = {"sha256": str, "width": int, "height": int, "format": str, "n_frames": int}
LARGEST_NUMBER = 2**31 - 1


class GuardedLoader(GuardedProcess):
    """Loads images one at a time; a context manager.

    Args:
        timeout_s: seconds that one image may take; slow storage included, the slowest sheets decode in about 2 s.
        memory_limit_bytes: memory that the child may take beyond what it starts with.
        attempts: how often an image is tried before it is given up as `timeout` or `crashed`.
        loader: "module:function" with `load_image`'s signature and contract, importable in the child.
    """

    def __init__(
        self,
        timeout_s: float = 20.0,
        memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
        attempts: int = 2,
        loader: str = "meteo_ray.imaging.load:load_image",
    ) -> None:
        super().__init__(memory_limit_bytes, loader)
        self.timeout_s, self.attempts, self.loader = timeout_s, attempts, loader

    def load(self, path: Path | str, size: tuple[int, int] = INPUT_SIZE) -> LoadedImage:
        """Read, decode and fit one file to `size` (width, height), as `load_image`.

        Raises:
            DecodeFailure: as `load_image`; `timeout` or `crashed` when every attempt ended so.
            MachineFault: when the machine, not the image, is at fault.
        """

        def load() -> LoadedImage:
            with self.ended_if_disbelieved():
                return loaded_image(self.call(self.loader, self.timeout_s, path=os.fspath(path), size=size), size)

        return persistently(self.attempts, load, str(path))


def loaded_image(
    returned: Returned, size: tuple[int, int] | None, features: int = 0, into: np.ndarray | None = None
) -> LoadedImage:
    """The image of a size (width, height) that a function in the child gave back; None: a page's own pixels.

    Args:
        features: how many descriptors must come with it.
        into: uint8 `(height, width, 3)`, where its pixels are to be copied to; by default to an array of their own.

    Raises:
        ChildLost: when it is none.
    """
    fields: dict[str, Any] = dict(returned.fields)
    shape = fields.pop("shape", None)
    if not _is_asked_for(shape, size) or len(returned.payload) != math.prod(shape) + 4 * features:
        raise ChildLost("crashed", "its loader answered with no image of the size asked for")
    if fields.keys() != TOLD.keys() or not all(_can_be(fields[name], kind) for name, kind in TOLD.items()):
        raise ChildLost("crashed", "its loader told nonsense of the file")
    place = np.empty(shape, dtype=np.uint8) if into is None else into
    place[:] = np.frombuffer(returned.payload, np.uint8, math.prod(shape)).reshape(shape)
    found = np.frombuffer(returned.payload, np.float32, features, math.prod(shape)).copy() if features else None
    return LoadedImage(**fields, pixels=place, descriptors=found)


def bytes_of_image(size: tuple[int, int] | None, features: int = 0) -> int:
    """The most that an image of `size`, or a page, takes with its descriptors."""
    width, height = size or (LONGEST_SIDE, LONGEST_SIDE)
    return width * height * 3 + 4 * features


def _is_asked_for(shape: Any, size: tuple[int, int] | None) -> bool:
    """Whether an array of this shape can be what was asked for; nothing obliges the child to make sense."""
    if not isinstance(shape, (list, tuple)) or not all(type(side) is int for side in shape):
        return False
    if size is not None:
        return tuple(shape) == (size[1], size[0], 3)
    return len(shape) == 3 and shape[2] == 3 and all(0 < side <= LONGEST_SIDE for side in shape)


def _can_be(value: Any, kind: type) -> bool:
    """Whether a value can be of a kind of TOLD."""
    if isinstance(value, str):
        return kind is str and value.isascii()
    return kind is int and type(value) is int and 0 <= value <= LARGEST_NUMBER
