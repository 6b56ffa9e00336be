"""Decoded frames on the working grid, kept on disk: decoding an event takes minutes, opening it none."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from meteo_ray.errors import UsageError
from meteo_ray.nowcast.radar.rates import read_image
from meteo_ray.progress import ProgressLine

GRID_TOLERANCE = 0.005
"""How far, as a share, whole pixels may be from a square of the grid: FMI's are of 0.9997 km."""

# Raised whenever frames of the same files come out otherwise.
FIELDS_VERSION = 2  # 2: frames of one event are of one place


class RadarFields:
    """Events by name, each float32 `(frames, rows, columns)` in mm/h, NaN where the radars see nothing.

    Args:
        data: the folder of the radar files.
        frames: their table, see `events.read_frames`.
        grid_km: side of a square of the working grid; a whole number of pixels is averaged, and a square with an
            unseen pixel is unseen.
        cache: folder for what was decoded.
    """

    def __init__(self, data: Path, frames: pa.Table, grid_km: float, cache: Path) -> None:
        self.data, self.grid_km, self.cache = data, grid_km, cache
        self._rows: dict[str, tuple[list[str], list[str], np.ndarray]] = {}
        names = np.array(frames["event"].to_pylist(), dtype=object)
        for event in dict.fromkeys(names):
            own = frames.filter(pa.array(names == event))
            times = own["time"].to_numpy().astype("datetime64[s]")
            self._rows[event] = own["path"].to_pylist(), own["sha256"].to_pylist(), times

    @property
    def events(self) -> list[str]:
        return list(self._rows)

    def times(self, event: str) -> np.ndarray:
        """datetime64[s] `(frames,)`."""
        return self._rows[event][2]

    def key(self, event: str) -> str:
        """Another one for other files, another grid or another way to read them."""
        parts = [str(FIELDS_VERSION), str(self.grid_km), *self._rows[event][1]]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]

    def require_grid(self, events: Iterable[str]) -> None:
        """Read a frame of each event. Raises UsageError where it cannot be read or its pixels do not fit the grid."""
        for event in events:
            path = self.data / self._rows[event][0][0]
            pixels_of_a_square(path, read_image(path).pixel_km, self.grid_km)

    def event(self, name: str) -> np.ndarray:
        """The frames, mapped from the cache; decoded first where they are not there."""
        path = self.cache / "radar" / f"{self.key(name)}.npy"
        if not path.is_file():
            save_array(path, self._decoded(name))
        return np.load(path, mmap_mode="r")

    def _decoded(self, name: str) -> np.ndarray:
        paths = self._rows[name][0]
        line = ProgressLine(f"decoding {name}", len(paths), unit="frames")
        fields, first = [], ""
        for path in paths:
            rate, pixel_km, place = read_image(self.data / path)
            fields.append(averaged(rate, pixels_of_a_square(self.data / path, pixel_km, self.grid_km)))
            if fields[-1].shape != fields[0].shape:
                raise UsageError(f"{self.data / path}: {rate.shape} pixels, other frames of the event have other sizes")
            first = first or place
            if place != first:
                raise UsageError(
                    f"{self.data / path}: lies elsewhere than {Path(paths[0]).name}, the event's first frame: {place}, "
                    f"there {first}; an event is of one place: give the frames of each a folder of their own"
                )
            line.update(1)
        line.close()
        return np.stack(fields)


def pixels_of_a_square(path: Path, pixel_km: float, grid_km: float) -> int:
    """Pixels along the side of a square of the grid. Raises UsageError where no whole number of them makes it up."""
    factor = max(round(grid_km / pixel_km), 1)
    if abs(factor * pixel_km - grid_km) > GRID_TOLERANCE * grid_km:
        raise UsageError(
            f"{path}: pixels of {pixel_km:g} km do not make up squares of {grid_km:g} km; "
            f"train with --nowcast.grid-km {factor * pixel_km:g}, or another multiple"
        )
    return factor


def averaged(rate: np.ndarray, factor: int) -> np.ndarray:
    """Means of squares of `factor` pixels; what is left over at the lower and right edge is cut off."""
    rows, columns = (size // factor for size in rate.shape)
    cut = rate[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    found: np.ndarray = cut.mean(axis=(1, 3), dtype=np.float32)
    return found


def save_array(path: Path, array: np.ndarray) -> None:
    """Written beside its place and renamed: a reader finds it whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{os.getpid()}.{path.name}")
    with scratch.open("wb") as file:
        np.save(file, array)
    os.replace(scratch, path)
