"""A map frame: a projection (pyproj), a rectangle in it, and the regular grid on which the fields are made.

Fields live on the projected grid itself, so filling and contouring need no regridding, and derivatives use the true
distances between neighbouring grid points whatever the projection.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyproj

from meteo_ray.drawing import outlines

EARTH_RADIUS = 6.371e6  # metres
OVALS = {"robinson": "robin", "mollweide": "moll", "sinusoidal": "sinu"}  # the whole Earth in a rounded rim


@dataclass(frozen=True)
class Region:
    """A window on the Earth: centre and half widths in degrees, and the projections an office would use there."""

    name: str
    lon: float
    lat: float
    half_lon: float
    half_lat: float
    projections: tuple[str, ...] = ("latlon", "mercator", "lambert")


REGIONS = {
    region.name: region
    for region in (
        Region("china", 104.5, 36, 32, 19, ("latlon", "lambert", "lambert", "mercator")),
        Region("east_asia", 115, 35, 45, 26, ("latlon", "lambert", "mercator", "stereographic")),
        Region("north_china", 115.5, 39, 7, 5),
        Region("south_china", 112.5, 24, 7.5, 5),
        Region("yangtze", 117, 31, 6.5, 4.5),
        Region("sichuan", 104, 30, 6.5, 5),
        Region("northeast_china", 126, 46, 9, 7),
        Region("northwest_china", 92, 40, 17, 9),
        Region("taiwan", 121, 24, 3.6, 3),
        Region("japan", 138, 37, 12, 9),
        Region("south_china_sea", 115, 16, 14, 11, ("latlon", "mercator")),
        Region("northwest_pacific", 135, 22, 32, 20, ("latlon", "mercator")),
        Region("southeast_asia", 110, 8, 22, 16, ("latlon", "mercator")),
        Region("india", 80, 20, 16, 14, ("latlon", "mercator")),
        Region("europe", 12, 50, 28, 16, ("latlon", "lambert", "stereographic")),
        Region("central_europe", 10, 49, 8, 6),
        Region("british_isles", -4, 54.5, 9, 6),
        Region("north_america", -98, 42, 38, 22, ("latlon", "lambert", "lambert", "stereographic")),
        Region("usa", -97, 38.5, 29, 14, ("latlon", "lambert", "lambert", "mercator")),
        Region("gulf_of_mexico", -88, 27, 13, 9),
        Region("great_plains", -95, 41, 8, 6),
        Region("south_america", -60, -20, 27, 33, ("latlon", "mercator")),
        Region("africa", 18, 5, 38, 38, ("latlon", "mercator")),
        Region("australia", 134, -26, 24, 17, ("latlon", "lambert", "mercator")),
        Region("north_atlantic", -35, 45, 40, 22, ("latlon", "stereographic", "mercator")),
        Region("indian_ocean", 75, -5, 35, 28, ("latlon", "mercator")),
        Region("north_hemisphere", 110, 90, 180, 70, ("polar",)),
        Region("south_hemisphere", 0, -90, 180, 70, ("polar",)),
        Region("world", 110, 0, 180, 80, ("latlon",)),
        Region("tropical_pacific", 180, 0, 80, 32, ("latlon",)),
    )
}


def _projection(kind: str, lon: float, lat: float) -> pyproj.Proj:
    parallels = f"+lat_1={lat - 12:.1f} +lat_2={lat + 12:.1f}"
    definitions = {
        "latlon": f"+proj=eqc +lon_0={lon}",
        "mercator": f"+proj=merc +lon_0={lon}",
        "lambert": f"+proj=lcc +lon_0={lon} +lat_0={lat} {parallels}",
        "stereographic": f"+proj=stere +lon_0={lon} +lat_0={lat}",
        "polar": f"+proj=stere +lon_0={lon} +lat_0={90 if lat > 0 else -90}",
        "orthographic": f"+proj=ortho +lon_0={lon} +lat_0={lat}",
        "geostationary": f"+proj=geos +lon_0={lon} +h=35785831",
        **{kind: f"+proj={name} +lon_0={lon}" for kind, name in OVALS.items()},
    }
    return pyproj.Proj(f"{definitions[kind]} +R={EARTH_RADIUS}")


@dataclass(frozen=True)
class Frame:
    """A rectangle `x0 x1 y0 y1` (metres) of a projection, with a grid of `shape` (rows, columns) over it."""

    kind: str
    projection: pyproj.Proj
    x0: float
    x1: float
    y0: float
    y1: float
    shape: tuple[int, int]

    @classmethod
    def around(
        cls, kind: str, lon: float, lat: float, half_lon: float, half_lat: float, columns: int = 120, aspect: float = 0
    ) -> "Frame":
        """The frame centred on a point; `aspect` (width / height), when given, is reached by widening one side."""
        projection = _projection(kind, lon, lat)
        if kind in ("orthographic", "geostationary"):
            half_x = half_y = EARTH_RADIUS * 1.02 if kind == "orthographic" else 5.5e6
            x, y = 0.0, 0.0
        elif kind in OVALS:
            half_x, half_y = projection(lon + 179.99, 0)[0], projection(lon, 89.99)[1]
            x, y = 0.0, 0.0
        elif kind == "polar":
            x, y = 0.0, 0.0
            half_x = half_y = abs(projection(lon, np.sign(lat) * (90 - half_lat))[1])
        else:
            x, y = projection(lon, lat)
            half_x = projection(lon + min(half_lon, 179.9), lat)[0] - x
            limit = 84.0 if kind == "mercator" else 89.9
            half_y = (
                projection(lon, min(lat + half_lat, limit))[1] - projection(lon, max(lat - half_lat, -limit))[1]
            ) / 2
            y = (projection(lon, min(lat + half_lat, limit))[1] + projection(lon, max(lat - half_lat, -limit))[1]) / 2
        if aspect and kind not in ("orthographic", "geostationary", "polar", *OVALS):
            half_x, half_y = _to_aspect(half_x, half_y, aspect, half_lon >= 170)
        rows = max(round(columns * half_y / half_x), 12)
        return cls(kind, projection, x - half_x, x + half_x, y - half_y, y + half_y, (rows, columns))

    @cached_property
    def x(self) -> np.ndarray:
        return np.linspace(self.x0, self.x1, self.shape[1])

    @cached_property
    def y(self) -> np.ndarray:
        return np.linspace(self.y0, self.y1, self.shape[0])

    @cached_property
    def lonlat(self) -> tuple[np.ndarray, np.ndarray]:
        """Longitude and latitude `(rows, columns)` in degrees; NaN off the Earth."""
        grid_x, grid_y = np.meshgrid(self.x, self.y)
        lon, lat = self.projection(grid_x, grid_y, inverse=True, errcheck=False)
        lost = ~(np.isfinite(lon) & np.isfinite(lat))
        if self.kind in OVALS:  # beyond the rim some formulas go on around the Earth
            lost |= ~(np.abs(self.projection(lon, lat, errcheck=False)[0] - grid_x) < 1e-3 * (self.x1 - self.x0))
        return np.where(lost, np.nan, lon), np.where(lost, np.nan, lat)

    @property
    def lon(self) -> np.ndarray:
        return self.lonlat[0]

    @property
    def lat(self) -> np.ndarray:
        return self.lonlat[1]

    @cached_property
    def spacing(self) -> tuple[np.ndarray, np.ndarray]:
        """True metres between neighbouring columns and rows, each `(rows, columns)`."""
        return _neighbour_distance(self.lon, self.lat, axis=1), _neighbour_distance(self.lon, self.lat, axis=0)

    @cached_property
    def width_km(self) -> float:
        """True width of the middle row, kilometres."""
        return float(np.nansum(self.spacing[0][self.shape[0] // 2])) / 1000

    @property
    def extent(self) -> tuple[float, float, float, float]:
        return self.x0, self.x1, self.y0, self.y1

    @property
    def aspect(self) -> float:
        return (self.x1 - self.x0) / (self.y1 - self.y0)

    def project(self, lon: np.ndarray, lat: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Metres in the projection; NaN where a point cannot be shown."""
        x, y = self.projection(np.asarray(lon, float), np.asarray(lat, float), errcheck=False)
        lost = ~(np.isfinite(x) & np.isfinite(y))
        return np.where(lost, np.nan, x), np.where(lost, np.nan, y)

    def inside(self, x: np.ndarray, y: np.ndarray, margin: float = 0.0) -> np.ndarray:
        """Which points (metres) lie in the rectangle, `margin` (share of the width) away from its edge."""
        m = margin * (self.x1 - self.x0)
        return (x > self.x0 + m) & (x < self.x1 - m) & (y > self.y0 + m) & (y < self.y1 - m)

    def outline(self, name: str, resolution: str = "l", smallest_km2: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
        """The named lines in metres `(n,), (n,)`, broken by NaN, also where the map's seam tears them."""
        whole = self.kind in ("polar", "orthographic", "geostationary", "stereographic")
        box = (-181.0, -90.0, 181.0, 90.0) if whole else self._box()
        points = outlines.lines(name, resolution).within(box, smallest_km2)
        x, y = self.project(points[:, 0], points[:, 1])
        torn = np.abs(np.diff(x, append=x[-1:] if len(x) else [])) > 0.5 * (self.x1 - self.x0)
        x = np.where(torn, np.nan, x)
        return x, y

    def _box(self) -> tuple[float, float, float, float]:
        lon, lat = self.lonlat
        west, east = float(np.nanmin(lon)), float(np.nanmax(lon))
        if east - west > 300:  # the date line runs through: every longitude may be inside
            west, east = -181.0, 361.0
        return west, float(np.nanmin(lat)), east, float(np.nanmax(lat))


def _to_aspect(half_x: float, half_y: float, aspect: float, keep_width: bool) -> tuple[float, float]:
    if half_x / half_y < aspect and not keep_width:
        return half_y * aspect, half_y
    return (half_x, half_x / aspect) if half_x / half_y > aspect and not keep_width else (half_x, half_y)


def _neighbour_distance(lon: np.ndarray, lat: np.ndarray, axis: int) -> np.ndarray:
    """Half the great-circle distance between the two neighbours of each point (one-sided at the edges), metres."""
    phi, lam = np.radians(lat), np.radians(lon)
    step = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])
    chord = np.sqrt(sum(np.gradient(part, axis=axis) ** 2 for part in step))
    distance = np.maximum(chord * EARTH_RADIUS, 1.0)
    return np.where(np.isfinite(distance), distance, np.nanmedian(distance))  # off the Earth any step will do
