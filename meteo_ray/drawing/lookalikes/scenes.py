"""What stands before the camera: skies, land, streets, rooms, portraits, heaps of small things; arrays `(h, w, 3)`."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from meteo_ray.drawing.lookalikes.leaves import (
    Bodies,
    Shape,
    blurred,
    coloured,
    mix,
    natural_colours,
    nearer_below,
    noise,
    painted_bodies,
    placed,
    ridge,
    scattered,
    warped_noise,
)

Scene = Callable[[np.random.Generator, Shape], np.ndarray]

# Zenith, horizon, sunlit cloud, cloud in shade: noon, haze, dull, dusk, sunset, before a storm.
_SKIES = np.array([
    ((0.25, 0.43, 0.70), (0.68, 0.78, 0.87), (0.97, 0.97, 0.96), (0.62, 0.66, 0.72)),
    ((0.50, 0.56, 0.66), (0.74, 0.74, 0.76), (0.86, 0.83, 0.80), (0.60, 0.60, 0.65)),
    ((0.56, 0.57, 0.60), (0.78, 0.78, 0.78), (0.80, 0.80, 0.81), (0.42, 0.43, 0.46)),
    ((0.40, 0.40, 0.55), (0.76, 0.64, 0.64), (0.92, 0.80, 0.74), (0.50, 0.46, 0.56)),
    ((0.24, 0.26, 0.42), (0.93, 0.60, 0.38), (0.97, 0.72, 0.48), (0.36, 0.28, 0.36)),
    ((0.30, 0.36, 0.40), (0.62, 0.64, 0.60), (0.58, 0.60, 0.60), (0.22, 0.25, 0.29)),
])  # fmt: skip


def _smooth(value: np.ndarray) -> np.ndarray:
    """A soft step from 0 below 0 to 1 above 1."""
    inside = np.clip(value, 0, 1)
    return inside * inside * (3 - 2 * inside)


def _heaps(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Density of cumulus: towers over a flat, fading base, their tops billowing."""
    height, width = shape
    rows = np.arange(height, dtype=np.float32)[:, None]
    base = height * rng.uniform(0.5, 0.9)
    top = base - height * np.clip(0.22 + 0.2 * ridge(rng, width, 2.0), 0, 0.9)
    billows = 0.5 - np.abs(noise(rng, shape, 1.2))
    below_top = (rows - top) / height + 0.05 * billows + 0.03 * noise(rng, shape, 1.3)
    return np.minimum(below_top / 0.06, (base + height * 0.03 * billows - rows) / (0.1 * height))


def sky(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Air paling to the horizon, and clouds as soft as real ones: veils, sheets or heaps."""
    height, _ = shape
    zenith, horizon, lit, shaded = _SKIES[int(rng.integers(len(_SKIES)))] * np.exp(rng.normal(0, 0.06, 3))
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    picture = mix(zenith, horizon, down ** rng.uniform(0.6, 1.6) * np.ones(shape, np.float32))
    sheet = noise(rng, shape, rng.uniform(1.25, 1.7), rng.uniform(1, 5), rng.normal(0, 0.15))
    density = (sheet - rng.uniform(-1.2, 1.4)) / rng.uniform(0.5, 2.2)
    if rng.random() < 0.55:
        density = np.maximum(_heaps(rng, shape), density - rng.uniform(0, 2))
    cover = _smooth(density) * rng.uniform(0.7, 1.0)
    soft = ndimage.gaussian_filter(np.clip(density, 0, 2.5) + 0.25 * sheet, height * rng.uniform(0.012, 0.03))
    slope_down, slope_right = np.gradient(soft)
    relief = np.tanh((slope_down + rng.normal(0, 0.6) * slope_right) * height * 0.06)
    under = ndimage.gaussian_filter(cover, height * 0.08)
    light = 0.85 + 0.3 * relief - 0.4 * under * down + 0.06 * sheet
    cloud = mix(shaded, lit, light)
    return mix(picture, mix(cloud, horizon, 0.6 * down**3 * np.ones(shape, np.float32)), cover)


def _plain(rng: np.random.Generator, shape: Shape, horizon: float) -> np.ndarray:
    """Ground, water or snow that runs to the horizon (a row), its texture seen in perspective."""
    height, width = shape
    rows, columns = np.indices(shape, dtype=np.float32)
    depth = height / np.maximum(rows - horizon, 1.0)
    texture = noise(rng, shape, rng.uniform(0.5, 1.2), rng.choice([1.0, 1.0, 0.4]))
    across = (columns - width / 2) * depth * 0.5 + width
    seen = ndimage.map_coordinates(texture, [depth * height * 0.25, across], order=1, mode="grid-wrap")
    # Far away the texture is finer than a pixel and is seen as its mean.
    seen = seen / (1 + 0.15 * depth) + 0.5 * noise(rng, shape, 1.4, 0.3)
    return coloured(seen, natural_colours(rng, 1, 0.0)[0], rng.uniform(0.12, 0.4), rng)


def _foliage(rng: np.random.Generator, shape: Shape, edge: np.ndarray, reach: float) -> Bodies:
    """Clumps of leaves along a line (`edge`, a row for each column), standing up to `reach` pixels above it."""
    count = int(rng.integers(300, 700))
    x = rng.integers(0, shape[1], count)
    crown = np.clip(0.6 + 0.5 * ridge(rng, shape[1], 1.1), 0.05, 1.5)[x]
    y = edge[x] - reach * crown * rng.uniform(-0.3, 1, count)
    radii = np.maximum(1.1, reach * rng.uniform(0.02, 0.08, count))
    # A few large dark masses behind the leaves keep the sky from shining through everywhere.
    masses = count // 9
    radii[:masses] = reach * 0.22 * crown[:masses]
    y[:masses] = edge[x[:masses]] - radii[:masses] * rng.uniform(0, 2, masses)
    green = np.array([0.17, 0.22, 0.12]) * np.exp(rng.normal(0, 0.35, (count, 1))) + rng.normal(0, 0.02, 3)
    green[:masses] *= 0.6
    return Bodies.alike(np.stack([x, y], 1), radii, np.clip(green, 0.02, 0.9), 1.4, 1.8, 0.6)


def landscape(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Hills in haze, a plain, water with the sky in it, trees."""
    height, width = shape
    picture = sky(rng, shape)
    rows = np.arange(height, dtype=np.float32)[:, None]
    horizon = height * rng.uniform(0.35, 0.8)
    haze = picture[int(horizon) - 4].mean(axis=0)
    for layer in range(int(rng.integers(0, 4))):
        edge = horizon - height * (0.1 - 0.03 * layer) * (1 + ridge(rng, width, rng.uniform(1.2, 2.0)))
        slope = coloured(noise(rng, shape, 1.0, 2.0), natural_colours(rng, 1, 0.0)[0], 0.25, rng)
        hill = mix(haze, slope * 0.7, np.full(shape, 0.3 + 0.15 * layer))
        picture = mix(picture, hill, np.clip(rows - edge + 0.5, 0, 1))
    ground = _plain(rng, shape, horizon)
    if rng.random() < 0.3:
        mirrored = picture[np.clip(2 * horizon - np.arange(height), 0, height - 1).astype(int)]
        ground = mix(blurred(mirrored, 1.5), ground, np.full(shape, rng.uniform(0.15, 0.5)))
    picture = mix(picture, ground, np.clip(rows - horizon + 0.5, 0, 1) * np.ones((1, width)))
    for _ in range(int(rng.integers(0, 3))):
        edge = np.full(width, horizon + height * rng.uniform(0, 0.25))
        trees = _foliage(rng, shape, edge, height * rng.uniform(0.04, 0.3))
        picture = placed(picture, painted_bodies(trees, rng, shape, 0.35, 0.15))
    return picture


def _skyline(rng: np.random.Generator, shape: Shape, horizon: float) -> Bodies:
    """Roofs and blocks of a town along the horizon."""
    count = int(rng.integers(8, 70))
    x = rng.uniform(0, shape[1], count)
    radii = shape[0] * np.exp(rng.normal(-3.2, 0.5, count))
    places = np.stack([x, horizon + rng.uniform(0, 0.1, count) * shape[0]], 1)
    return Bodies.alike(places, radii, natural_colours(rng, count, 0.03), rng.uniform(0.4, 2.5), 30.0)


def sky_over_roofs(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Mostly sky; along the lower edge dark trees and roofs, as a camera on a mast sees it."""
    height, width = shape
    picture = sky(rng, shape)
    if rng.random() < 0.2:
        return picture
    horizon = height * rng.uniform(0.72, 0.98)
    dark = rng.uniform(0.15, 0.9)
    front, cover = painted_bodies(
        _foliage(rng, shape, np.full(width, horizon), height * rng.uniform(0.02, 0.1)), rng, shape, 0.3
    )
    picture = placed(picture, (front * dark, cover))
    ground = _plain(rng, shape, horizon) * dark * 0.6
    picture = mix(picture, ground, np.clip(np.arange(height)[:, None] - horizon, 0, 1) * np.ones((1, width)))
    if rng.random() < 0.5:
        front, cover = painted_bodies(_skyline(rng, shape, horizon), rng, shape, 0.3)
        picture = placed(picture, (front * dark, cover))
    return picture


def litter(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Leaf litter, gravel, a crowd, a heap of goods: hundreds of small bodies over fewer large ones."""
    height, _ = shape
    largest = height * rng.choice([0.05, 0.12, 0.25, 0.5])
    bodies = scattered(rng, shape, int(rng.integers(200, 1100)), (rng.uniform(0.008, 0.03) * height, largest))
    horizon = -height * rng.uniform(0.1, 2)
    if rng.random() < 0.5:
        bodies = nearer_below(bodies, horizon, height)
    ground = coloured(noise(rng, shape, 1.1), natural_colours(rng, 1, 0.0)[0], 0.4, rng)
    return placed(ground, painted_bodies(bodies, rng, shape, rng.uniform(0.1, 0.4)))


def material(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Fur, bark, cloth, plaster, rock, smoke, water: warped noise lit from the side."""
    height, _ = shape
    field = warped_noise(rng, shape, rng.uniform(0.7, 1.9), height * rng.uniform(0, 0.12), rng.uniform(1, 8))
    if rng.random() < 0.25:
        rows, columns = np.indices(shape)
        pitch = rng.uniform(0.15, 1.2)
        field = field + np.sin(columns * pitch + field) * np.sin(rows * pitch)
    light = np.gradient(field, axis=int(rng.integers(2)))
    field = 0.5 * field + rng.uniform(0, 0.8) * light / max(float(light.std()), 1e-9)
    ground = coloured(field, natural_colours(rng, 1, 0.1)[0], rng.uniform(0.15, 0.5), rng)
    return mix(ground, ground * natural_colours(rng, 1)[0] * 1.5, _smooth(noise(rng, shape, 1.8) * 0.5))
