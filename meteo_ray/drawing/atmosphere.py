"""One invented atmosphere over a frame: every field asked of it fits the others.

A tilted pair of height anomalies carries highs and lows; wind is geostrophic plus a divergent part; where the air
rises it is moist, cloudy and wet; temperature falls polewards and with height and follows the thickness.
"""

from functools import cached_property

import numpy as np

from meteo_ray.drawing import fields, outlines
from meteo_ray.drawing.frames import Frame

STANDARD_HEIGHT = {1000: 110, 925: 770, 850: 1460, 700: 3010, 500: 5570, 400: 7180, 300: 9160, 250: 10360, 200: 11770}
LOWEST, HIGHEST = 1000, 200  # hPa: the two levels between which anomalies are blended

Wind = tuple[np.ndarray, np.ndarray]


class Atmosphere:
    """Fields `(rows, columns)` float64 on `frame`'s grid; the same rng state gives the same weather."""

    def __init__(self, frame: Frame, rng: np.random.Generator) -> None:
        self.frame = frame
        self._seed = int(rng.integers(2**63))
        grid_km = frame.width_km / frame.shape[1]
        # Synoptic waves are 2000-4000 km long; a map smaller than that still shows some shape.
        wavelength_km = min(rng.uniform(1800, 3600), 0.75 * frame.width_km)
        self.wavelength = wavelength_km / grid_km
        # Wind goes with amplitude over wavelength: shorter waves must be flatter.
        self.strength = rng.uniform(0.5, 1.1) * min(1.0, wavelength_km / 2800)
        self.season = rng.uniform(-1, 1)  # -1 is winter in the northern hemisphere, 1 summer
        self.lat = np.nan_to_num(frame.lat)
        self.lon = np.nan_to_num(frame.lon)

    def noise(self, number: int, wavelength: float = 1.0, slope: float = 3.0) -> np.ndarray:
        """Independent field `number` of this weather; `wavelength` is in synoptic wavelengths."""
        return fields.smooth_noise(
            np.random.default_rng([self._seed, number]),
            self.frame.shape,
            max(self.wavelength * wavelength, 3),
            slope,
        )

    @cached_property
    def anomalies(self) -> tuple[np.ndarray, np.ndarray]:
        """Standardised height anomalies of the lowest and the highest level."""
        # The same wind needs weaker anomalies where the Coriolis parameter is small.
        taper = np.clip(np.abs(np.sin(np.radians(self.lat))) / np.sin(np.radians(45)), 0.25, 1.0)
        lower, own = taper * self.noise(0, 1.0, 4.0), taper * self.noise(1, 0.8, 4.0)
        return lower, 0.65 * lower + 0.75 * own

    @cached_property
    def land(self) -> np.ndarray:
        return outlines.is_land(self.frame.lon, self.frame.lat)

    @cached_property
    def terrain(self) -> np.ndarray:
        return outlines.relief(self.lon, self.lat) * np.clip(0.8 + 0.3 * self.noise(12, 0.1, 1.8), 0.1, 1.6)

    def meridional(self) -> np.ndarray:
        """From 1 in the tropics to -1 near the poles, steepest at the jet's latitude."""
        jet = 42 + 8 * self.season * np.where(self.lat < 0, -1, 1)
        return -np.tanh((np.abs(self.lat) - jet) / 18)

    def height(self, level: int = 500) -> np.ndarray:
        """Geopotential height in metres."""
        upper = np.interp(np.log(level), np.log([HIGHEST, LOWEST]), [1.0, 0.0])
        lower_anomaly, upper_anomaly = self.anomalies
        anomaly = (1 - upper) * 45 * lower_anomaly + upper * 130 * upper_anomaly
        slope = (30 + 420 * upper) * (1 - 0.2 * self.season)
        return STANDARD_HEIGHT[level] + slope * self.meridional() * 0.9 + anomaly * self.strength

    @cached_property
    def _potential(self) -> np.ndarray:
        return self.noise(2, 0.7, 4.6)  # its Laplacian, the divergence, is two powers rougher

    def geostrophic(self, level: int = 500) -> Wind:
        return fields.geostrophic_wind(self.height(level), self.lat, self.frame.spacing)

    def wind(self, level: int = 500) -> Wind:
        """Geostrophic wind plus a divergent part a tenth as strong, m/s along the grid."""
        u, v = self.geostrophic(level)
        chi_u, chi_v = (f(self._potential, self.frame.spacing) for f in (fields.ddx, fields.ddy))
        size = 0.12 * np.sqrt(np.mean(u**2 + v**2) / max(np.mean(chi_u**2 + chi_v**2), 1e-30))
        sign = 1 if level < 500 else -1  # outflow aloft stands above inflow below
        return u + sign * size * chi_u, v + sign * size * chi_v

    def surface_wind(self) -> Wind:
        """Wind at 10 m: the 1000 hPa wind slowed and turned 20 degrees towards low pressure by friction."""
        u, v = self.geostrophic(1000)
        slow = np.where(self.land, 0.45, 0.7)
        angle = np.radians(20) * np.where(self.lat < 0, -1, 1)
        cos, sin = np.cos(angle), np.sin(angle)
        return slow * (cos * u - sin * v), slow * (sin * u + cos * v)

    def speed(self, level: int = 500) -> np.ndarray:
        return np.hypot(*self.wind(level))

    def vorticity(self, level: int = 500) -> np.ndarray:
        return fields.vorticity(*self.wind(level), self.frame.spacing)

    def divergence(self, level: int = 200) -> np.ndarray:
        return fields.divergence(*self.wind(level), self.frame.spacing)

    def pressure(self) -> np.ndarray:
        """Mean sea level pressure in hPa: 8 m of 1000 hPa height for each hPa."""
        return 1000 + self.height(1000) / 8.0 + 0.25 * self.noise(3, 0.3)

    @cached_property
    def ascent(self) -> np.ndarray:
        """Standardised rising motion: strongest where the upper air diverges (which is where chi is low)."""
        rising = fields.divergence(*self._divergent_wind(), self.frame.spacing)
        return (rising - rising.mean()) / max(rising.std(), 1e-30)

    def _divergent_wind(self) -> Wind:
        return fields.ddx(self._potential, self.frame.spacing), fields.ddy(self._potential, self.frame.spacing)

    def vertical_velocity(self) -> np.ndarray:
        """Pa/s at 700 hPa, negative upwards."""
        return -0.35 * self.strength * self.ascent + 0.06 * self.noise(4, 0.15, 2)

    def humidity(self) -> np.ndarray:
        """Relative humidity at 700 hPa in percent."""
        return 100 / (1 + np.exp(-(1.1 * self.ascent + 0.9 * self.noise(5, 0.6, 2.4) + 0.1)))

    def temperature(self, level: int = 850) -> np.ndarray:
        """Degrees Celsius; follows the anomalies of height above and falls with height."""
        base = {1000: 27, 925: 22, 850: 17, 700: 5, 500: -10, 400: -22, 300: -38, 250: -46, 200: -54}[level]
        poleward = np.where(level > 250, 1.0, -0.4)
        drop = (30 - 8 * self.season * np.where(self.lat < 0, -1, 1)) * poleward * (1 - self.meridional()) / 1.5
        return base - drop + 3.2 * self.strength * self.anomalies[1] + 2.2 * self.strength * self.noise(6, 0.7, 2.4)

    def surface_temperature(self) -> np.ndarray:
        """Air temperature at 2 m in degrees Celsius, 6.5 K colder for each kilometre of relief."""
        sea = np.where(self.land, 2.0 * self.season, 0)
        return self.temperature(1000) + sea - 0.0065 * self.terrain + 0.8 * self.noise(7, 0.12, 1.8)

    def surface_humidity(self) -> np.ndarray:
        dry = np.where(self.land, 12 * self.noise(8, 0.5, 2) - 8, 6)
        return np.clip(62 + 14 * self.ascent + dry, 8, 100)

    def surface_dew_point(self) -> np.ndarray:
        return fields.dew_point(self.surface_temperature(), self.surface_humidity())

    def rain(self, covered: float = 0.35, roughness: float = 1.6) -> np.ndarray:
        """Precipitation intensity in 0..1, falling where the air rises, with rough cells inside."""
        return fields.patches(1.4 * self.ascent + 0.7 * self.noise(9, 0.3, roughness), covered)

    def cloud(self) -> np.ndarray:
        """Cloud thickness in 0..1."""
        return 1 / (1 + np.exp(-1.6 * (self.ascent * 0.7 + 0.9 * self.noise(10, 0.35, 1.5) - 0.1)))

    def potential_vorticity(self) -> np.ndarray:
        """PV units on a surface crossing the tropopause: low in the subtropics, above 2 polewards and in troughs."""
        absolute = (self.vorticity(300) + fields.coriolis(self.lat)) * np.where(self.lat < 0, -1, 1)
        stratosphere = 1 / (1 + np.exp(2.5 * (self.meridional() + 0.45 * self.anomalies[1])))
        return np.clip(absolute / 1e-4 * (0.35 + 4.5 * stratosphere), 0, 12)

    def cape(self) -> np.ndarray:
        """J/kg: moist warm air, mostly equatorwards."""
        temperature = self.surface_temperature()
        warm = 1 / (1 + np.exp((np.median(temperature) - temperature) / 4))
        return 4500 * fields.patches(self.noise(5, 0.5, 2) + 0.8 * self.noise(11, 0.25, 1.8), 0.55) * warm

    def freezing_level(self) -> np.ndarray:
        """Metres: where temperature falling 6.3 K/km from the 850 hPa level reaches zero."""
        air = self.temperature(850)
        warmed = air + max(0.0, 4.0 - float(np.median(air)))  # in deep winter the whole chart would read zero
        return np.maximum(1460 + warmed / 6.3 * 1000, 0)
