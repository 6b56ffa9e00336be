"""Smooth random fields and the few equations that make a set of them look like one atmosphere.

All derivatives are centred differences on the frame's grid with the true metric distances `spacing` (metres), so they
hold on any conformal projection; winds are components along the grid's x and y.
"""

import numpy as np
from scipy import fft, ndimage

GRAVITY = 9.80665  # m s-2
EARTH_ROTATION = 7.292e-5  # s-1
TROPICS = 15.0  # degrees: nearer the equator geostrophy fails, so the Coriolis parameter is held at this latitude's

Spacing = tuple[np.ndarray, np.ndarray]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], wavelength: float, slope: float = 3.0) -> np.ndarray:
    """Gaussian noise `shape` with zero mean, unit deviation and its power below `wavelength` (grid steps) falling off.

    The amplitude spectrum is flat for longer waves and falls as k^-slope for shorter ones: 3 looks like geopotential,
    2 like temperature, 1.2 like clouds. The transform is padded so that opposite edges do not match.
    """
    pad = [fft.next_fast_len(int(side + wavelength), real=True) for side in shape]
    ky = np.fft.fftfreq(pad[0])[:, None]
    kx = np.fft.rfftfreq(pad[1])[None, :]
    amplitude = (1 + (np.hypot(kx, ky) * wavelength) ** 2) ** (-slope / 2)
    amplitude[0, 0] = 0
    spectrum = fft.rfft2(rng.standard_normal(pad)) * amplitude
    field = fft.irfft2(spectrum, pad)[: shape[0], : shape[1]]
    return (field - field.mean()) / max(field.std(), 1e-12)


def ddx(field: np.ndarray, spacing: Spacing) -> np.ndarray:
    """Derivative per metre along the grid's columns."""
    return np.gradient(field, axis=1) / spacing[0]


def ddy(field: np.ndarray, spacing: Spacing) -> np.ndarray:
    """Derivative per metre along the grid's rows."""
    return np.gradient(field, axis=0) / spacing[1]


def coriolis(lat: np.ndarray) -> np.ndarray:
    """Coriolis parameter in s-1, kept off zero near the equator (see TROPICS), with the hemisphere's sign."""
    sign = np.where(lat < 0, -1.0, 1.0)
    return sign * 2 * EARTH_ROTATION * np.sin(np.radians(np.maximum(np.abs(lat), TROPICS)))


def geostrophic_wind(height: np.ndarray, lat: np.ndarray, spacing: Spacing) -> tuple[np.ndarray, np.ndarray]:
    """Wind (m/s) along the contours of `height` (m): u = -g/f dz/dy, v = g/f dz/dx (Holton, equation 3.4)."""
    factor = GRAVITY / coriolis(lat)
    return -factor * ddy(height, spacing), factor * ddx(height, spacing)


def vorticity(u: np.ndarray, v: np.ndarray, spacing: Spacing) -> np.ndarray:
    """Vertical component of the curl in s-1, with the metric terms of a conformal grid.

    (1/hx hy) [d(hy v)/di - d(hx u)/dj], i and j counting grid steps.
    """
    hx, hy = spacing
    return (np.gradient(hy * v, axis=1) - np.gradient(hx * u, axis=0)) / (hx * hy)


def divergence(u: np.ndarray, v: np.ndarray, spacing: Spacing) -> np.ndarray:
    """Horizontal divergence in s-1: (1/hx hy) [d(hy u)/di + d(hx v)/dj]."""
    hx, hy = spacing
    return (np.gradient(hy * u, axis=1) + np.gradient(hx * v, axis=0)) / (hx * hy)


def relative_humidity(temperature: np.ndarray, dew_point: np.ndarray) -> np.ndarray:
    """Percent, from temperature and dew point in degrees Celsius (Magnus formula)."""
    return 100 * saturation_pressure(dew_point) / saturation_pressure(temperature)


def saturation_pressure(temperature: np.ndarray | float) -> np.ndarray:
    """Over water, hPa, from degrees Celsius (Magnus formula, Bolton 1980, equation 10)."""
    return 6.112 * np.exp(17.67 * temperature / (temperature + 243.5))


def dew_point(temperature: np.ndarray, humidity: np.ndarray) -> np.ndarray:
    """Degrees Celsius, from degrees Celsius and percent: the inverse of `relative_humidity`."""
    log = np.log(np.clip(humidity, 1, 100) / 100) + 17.67 * temperature / (temperature + 243.5)
    return 243.5 * log / (17.67 - log)


def extrema(field: np.ndarray, size: int, margin: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Positions `(n, 2)` as (row, column) of the highs and lows that lead a `size`-wide neighbourhood."""
    inner = np.zeros(field.shape, bool)
    inner[margin:-margin, margin:-margin] = True
    highs = (ndimage.maximum_filter(field, size) == field) & inner
    lows = (ndimage.minimum_filter(field, size) == field) & inner
    return np.argwhere(highs), np.argwhere(lows)


def patches(noise: np.ndarray, covered: float, power: float = 1.5) -> np.ndarray:
    """Zero outside, rising to 1 inside the patches where `noise` is in its upper `covered` share."""
    floor = np.quantile(noise, 1 - covered)
    raised = np.maximum(noise - floor, 0) / max(float(noise.max() - floor), 1e-9)
    return raised**power


def sample(field: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Bilinear values of `field` at fractional grid positions; the edge is repeated outside."""
    return ndimage.map_coordinates(field, [rows, columns], order=1, mode="nearest")
