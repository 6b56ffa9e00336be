"""What drawn photographs are made of: 1/f noise, natural colours, and bodies that hide one another.

Natural pictures owe their statistics to occlusion at all scales: the dead leaves model (Lee, Mumford and Huang 2001),
bodies with radii spread as r^-3, each of its own colour and texture. Networks trained on such drawings see photographs
much better than those trained on other noise (Baradad et al. 2021, Learning to See by Looking at Noise).
"""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw
from scipy import fft, ndimage

Shape = tuple[int, int]

# Soil, bark, leaf, dry grass, stone, concrete, skin, fur, sky, sand, snow, shadow, brick, dusk, water.
_NATURAL = np.array([
    (0.42, 0.33, 0.24), (0.30, 0.24, 0.18), (0.27, 0.36, 0.17), (0.55, 0.50, 0.30), (0.50, 0.49, 0.46),
    (0.62, 0.62, 0.61), (0.78, 0.58, 0.46), (0.62, 0.45, 0.28), (0.55, 0.67, 0.80), (0.76, 0.68, 0.52),
    (0.88, 0.89, 0.91), (0.10, 0.10, 0.11), (0.52, 0.28, 0.21), (0.55, 0.50, 0.58), (0.22, 0.31, 0.38),
])  # fmt: skip
_OUTLINE = np.linspace(0, 2 * np.pi, 24, endpoint=False)


def noise(rng: np.random.Generator, shape: Shape, slope: float, stretch: float = 1.0, turn: float = 0.0) -> np.ndarray:
    """Noise of zero mean and unit deviation whose amplitude falls as k^-slope; `stretch` > 1 draws it out sideways."""
    padded = tuple(fft.next_fast_len(side + side // 16, real=True) for side in shape)
    ky = np.fft.fftfreq(padded[0]).astype(np.float32)[:, None]
    kx = np.fft.rfftfreq(padded[1]).astype(np.float32)[None, :]
    cosine, sine = np.float32(np.cos(turn)), np.float32(np.sin(turn))
    along, across = kx * cosine + ky * sine, ky * cosine - kx * sine
    squared = (along * np.float32(stretch)) ** 2 + across**2
    squared[0, 0] = np.inf
    spectrum = fft.rfft2(rng.standard_normal(padded, dtype=np.float32)) * squared ** np.float32(-slope / 2)
    field = fft.irfft2(spectrum, padded)[: shape[0], : shape[1]]
    return (field - field.mean()) / max(float(field.std()), 1e-9)


def warped_noise(rng: np.random.Generator, shape: Shape, slope: float, warp: float, stretch: float = 1.0) -> np.ndarray:
    """Noise pushed about by other noise, `warp` pixels on average: fur, bark, smoke, ripples."""
    field = noise(rng, shape, slope, stretch, rng.uniform(0, np.pi))
    rows, columns = np.indices(shape, dtype=np.float32)
    pushed = [rows + warp * noise(rng, shape, 2.0), columns + warp * noise(rng, shape, 2.0)]
    return ndimage.map_coordinates(field, pushed, order=1, mode="mirror")


def ridge(rng: np.random.Generator, width: int, slope: float = 1.6) -> np.ndarray:
    """A jagged line `(width,)` of zero mean and unit deviation: an outline of hills or of cloud tops."""
    line = noise(rng, (12, width), slope)[0]
    return (line - line.mean()) / max(float(line.std()), 1e-9)


def natural_colours(rng: np.random.Generator, count: int, vivid: float = 0.06) -> np.ndarray:
    """`(count, 3)` colours of a few natural materials in more and less light; a share of them vivid."""
    materials = _NATURAL[rng.choice(len(_NATURAL), int(rng.integers(2, 6)), replace=False)]
    colours = materials[rng.integers(len(materials), size=count)] + rng.normal(0, 0.025, (count, 3))
    colours = np.where(rng.random((count, 1)) < vivid, rng.random((count, 3)) ** 1.5, colours)
    return np.clip(colours * np.exp(rng.normal(0, 0.35, (count, 1))), 0.02, 0.98).astype(np.float32)


def coloured(texture: np.ndarray, colour: np.ndarray, contrast: float, rng: np.random.Generator) -> np.ndarray:
    """`texture` as light and dark of one colour; hue drifts little, mostly between blue and yellow, as in nature."""
    tint = rng.normal(0, 0.05, 3) * np.array([1, 0.5, 1])
    light = np.exp(contrast * texture)[..., None]
    return (colour * light * (1 + tint * np.roll(texture, 17, axis=1)[..., None])).astype(np.float32)


def mix(low: np.ndarray, high: np.ndarray, share: np.ndarray) -> np.ndarray:
    """`low` where `share` `(h, w)` is 0, `high` where it is 1."""
    return (low + (high - low) * np.clip(share, 0, 1)[..., None]).astype(np.float32)


def resized(picture: np.ndarray, shape: Shape) -> np.ndarray:
    """A picture `(h, w, 3)` of another size."""
    size = shape[1], shape[0]
    channels = [Image.fromarray(np.ascontiguousarray(picture[..., c], np.float32)) for c in range(3)]
    return np.stack([np.asarray(channel.resize(size, Image.Resampling.BICUBIC)) for channel in channels], axis=-1)


def blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    """A picture `(h, w, 3)` out of focus."""
    if sigma < 3:
        return ndimage.gaussian_filter(picture, (sigma, sigma, 0), truncate=2.5)
    # A wide blur leaves nothing that a smaller picture would lack, and there it costs far less.
    height, width = picture.shape[:2]
    factor = sigma / 1.5
    small = resized(picture, (max(8, round(height / factor)), max(8, round(width / factor))))
    return resized(blurred(small, 1.5), (height, width))


@dataclass(frozen=True)
class Bodies:
    """Shapes of a picture from back to front: superellipses with an uneven outline."""

    places: np.ndarray  # (n, 2), x and y
    radii: np.ndarray
    aspects: np.ndarray  # width by height
    angles: np.ndarray
    powers: np.ndarray  # 1 is a leaf, 2 an ellipse, 9 a box
    uneven: np.ndarray
    colours: np.ndarray  # (n, 3)

    @classmethod
    def alike(cls, places: np.ndarray, radii: np.ndarray, colours: np.ndarray, aspect: float = 1.0,
              power: float = 2.0, uneven: float = 0.0) -> "Bodies":  # fmt: skip
        """Upright bodies of one form."""
        count = len(radii)
        same = np.ones(count)
        return cls(places, radii, same * aspect, same * 0, same * power, same * uneven, colours)

    def outlines(self, rng: np.random.Generator) -> np.ndarray:
        """Corner points `(n, 24, 2)`."""
        across, down = np.cos(_OUTLINE), np.sin(_OUTLINE)
        power = self.powers[:, None]
        reach = (np.abs(across) ** power + np.abs(down) ** power) ** (-1 / power)
        for wave in (2, 3, 5):
            phase = rng.uniform(0, 2 * np.pi, (len(power), 1))
            reach = reach * (1 + self.uneven[:, None] / wave * np.cos(wave * _OUTLINE + phase))
        stretch = np.sqrt(self.aspects)[:, None]
        x, y = reach * across * stretch, reach * down / stretch
        cosine, sine = np.cos(self.angles)[:, None], np.sin(self.angles)[:, None]
        turned = np.stack([x * cosine - y * sine, x * sine + y * cosine], axis=-1)
        return self.places[:, None] + turned * self.radii[:, None, None]


def scattered(rng: np.random.Generator, shape: Shape, count: int, radii: tuple[float, float]) -> Bodies:
    """Dead leaves: `count` bodies anywhere, radii (pixels) spread as r^-3, forms of one family."""
    small, large = radii
    sizes = (small**-2 + rng.random(count) * (large**-2 - small**-2)) ** -0.5
    places = rng.uniform((0, 0), (shape[1], shape[0]), (count, 2))
    aspect = np.exp(np.abs(rng.normal(0, rng.choice([0.2, 0.5, 1.0]), count)))
    powers = np.exp(rng.normal(np.log(rng.choice([1.1, 2.0, 2.0, 6.0])), 0.25, count))
    uneven = np.full(count, rng.choice([0.1, 0.25, 0.5]))
    turned = rng.uniform(0, np.pi, count)
    return Bodies(places, sizes, aspect, turned, powers, uneven, natural_colours(rng, count))


def nearer_below(bodies: Bodies, horizon: float, height: int) -> Bodies:
    """The same bodies on a plain that runs to the horizon: small and behind far up, large and in front low down."""
    x, y = bodies.places.T
    near = np.abs(y - horizon) / (height - horizon) % 1
    places = np.stack([x, horizon + near * (height - horizon)], 1)
    standing = replace(bodies, places=places, radii=bodies.radii * (0.15 + 1.6 * near))
    order = np.argsort(near)
    return Bodies(**{name: getattr(standing, name)[order] for name in Bodies.__dataclass_fields__})


def painted_bodies(
    bodies: Bodies, rng: np.random.Generator, shape: Shape, grain: float = 0.25, bulge: float = 0.3
) -> tuple[np.ndarray, np.ndarray]:
    """Picture `(h, w, 3)` and where it is covered (0 or 1): textured, lit from one side, casting soft shadows."""
    canvas = Image.new("I", (shape[1], shape[0]), 0)
    pen = ImageDraw.Draw(canvas)
    for number, outline in enumerate(bodies.outlines(rng)):
        pen.polygon(outline.ravel().tolist(), fill=number + 1)
    numbers = np.asarray(canvas)
    which = np.maximum(numbers - 1, 0)
    rows, columns = np.indices(shape, dtype=np.int32)
    sun = rng.normal(0, 0.7), -1.0
    slant = (bodies.places / bodies.radii[:, None]) @ np.array(sun)
    facing = (columns * sun[0] + rows * sun[1]) / bodies.radii[which] - slant[which]
    texture = noise(rng, shape, rng.uniform(0.8, 1.4))
    shift = rng.integers(0, 4096, (2, len(bodies.radii)))
    own = texture[(rows + shift[0][which]) % shape[0], (columns + shift[1][which]) % shape[1]]
    light = np.clip(1 + bulge * facing, 0.3, 1.5) * np.exp(grain * own)
    reach = max(2, shape[0] // 90)
    hidden = (np.roll(numbers, (reach, -round(reach * sun[0])), (0, 1)) > numbers).astype(np.float32)
    light *= 1 - 0.45 * ndimage.gaussian_filter(hidden, reach * 0.6, truncate=2.5)
    return (bodies.colours[which] * light[..., None]).astype(np.float32), (numbers > 0).astype(np.float32)


def placed(picture: np.ndarray, front: tuple[np.ndarray, np.ndarray], edge: float = 0.6) -> np.ndarray:
    """`picture` with a covering picture before it, its edge softened over `edge` pixels."""
    return mix(picture, front[0], ndimage.gaussian_filter(front[1], edge))
