"""Photograph-like pictures, textures, medical-like greys, fractals, codes, logos: all procedural."""

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from meteo_ray.demo import fields
from meteo_ray.demo.logos import draw_logo
from meteo_ray.demo.lookalikes.registry import painted
from meteo_ray.demo.style import Style


def _grid(style: Style, most: int = 420) -> tuple[int, int]:
    """A working size `(height, width)` of at most `most` columns; the picture is enlarged afterwards."""
    scale = min(1.0, most / max(style.size))
    return max(24, round(style.size[1] * scale)), max(24, round(style.size[0] * scale))


def _finished(array: np.ndarray, style: Style) -> Image.Image:
    """An array `(h, w)` or `(h, w, 3)` in 0..1 as a picture of the style's size."""
    pixels = (np.clip(array, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(pixels).convert("RGB").resize(style.size, Image.Resampling.BICUBIC)


def _mix(low: np.ndarray, high: np.ndarray, share: np.ndarray) -> np.ndarray:
    return low + (high - low) * np.clip(share, 0, 1)[..., None]


def _sky(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A photographed sky: gradient to the horizon, heaps of cloud in perspective, day or dusk."""
    height, width = shape
    down = np.linspace(0, 1, height)[:, None] * np.ones((1, width))
    zenith, horizon = (
        ([0.15, 0.35, 0.7], [0.7, 0.82, 0.92]),
        ([0.25, 0.2, 0.4], [0.95, 0.6, 0.35]),
        ([0.45, 0.48, 0.52], [0.75, 0.76, 0.78]),
    )[int(rng.integers(3))]
    sky = _mix(np.array(zenith), np.array(horizon), down**1.3)
    cloud = fields.smooth_noise(rng, shape, height * rng.uniform(0.2, 0.6), 1.9)
    light = np.roll(cloud, 4, axis=0) - cloud
    thick = np.clip((cloud - rng.uniform(-0.3, 1.0)) * 1.2, 0, 1)
    bright = (
        np.array(rng.choice([[1.0, 1.0, 1.0], [1.0, 0.85, 0.7]])) * np.clip(0.86 + 0.5 * light, 0.4, 1.05)[..., None]
    )
    return sky * (1 - thick[..., None]) + bright * thick[..., None]


@painted("photo_art", 2.0)
def landscape(style: Style, rng: np.random.Generator) -> Image.Image:
    """Hills, a field or a sea below a sky."""
    height, width = _grid(style)
    picture = _sky(rng, (height, width))
    rows = np.arange(height)[:, None]
    ground = np.array(rng.choice([[0.2, 0.35, 0.12], [0.4, 0.32, 0.2], [0.1, 0.25, 0.4], [0.85, 0.87, 0.9]]))
    for layer in range(int(rng.integers(1, 5))):
        ridge = fields.smooth_noise(rng, (2, width), width * 0.3 / (layer + 1), 2.6)[0]
        edge = height * (0.5 + 0.12 * layer) + ridge * height * 0.07
        below = rows > edge
        grain = fields.smooth_noise(rng, (height, width), 5, 1.2)[..., None]
        far = 0.5 ** (layer + 1)
        colour = ground * (1 - far) + np.array([0.6, 0.68, 0.78]) * far
        picture = np.where(below[..., None], colour * (1 + 0.18 * grain), picture)
    return _camera(_finished(picture, style), rng)


@painted("photo_art", 1.6)
def sky_photo(style: Style, rng: np.random.Generator) -> Image.Image:
    """Clouds as a camera sees them, sometimes with a dark horizon and a stamped time."""
    shape = _grid(style)
    picture = _sky(rng, shape)
    if rng.random() < 0.5:
        skyline = shape[0] * (0.9 - 0.04 * np.abs(fields.smooth_noise(rng, (2, shape[1]), 12, 1.2)[0]))
        picture[np.arange(shape[0])[:, None] > skyline] *= 0.12
    image = _camera(_finished(picture, style), rng)
    if rng.random() < 0.3:
        ImageDraw.Draw(image).text(
            (10, style.size[1] - 20),
            f"CAM {rng.integers(1, 20)}  {rng.integers(0, 24):02d}:{rng.integers(0, 60):02d}",
            "yellow",
        )
    return image


def _camera(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Lens blur, vignette and sensor noise."""
    if rng.random() < 0.5:
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.5, 2))))
    pixels = np.asarray(image, np.float32)
    small = rng.normal(0, rng.uniform(1, 9), (pixels.shape[0] // 2 + 1, pixels.shape[1] // 2 + 1)).astype(np.float32)
    noise = np.kron(small, np.ones((2, 2), np.float32))[: pixels.shape[0], : pixels.shape[1]]
    return Image.fromarray(np.clip(pixels + noise[..., None], 0, 255).astype(np.uint8))


@painted("photo_art", 1.4)
def texture(style: Style, rng: np.random.Generator) -> Image.Image:
    """Wood, stone, grass, cloth, bricks."""
    height, width = shape = _grid(style)
    y, x = np.mgrid[0:height, 0:width]
    noise = fields.smooth_noise(rng, shape, rng.uniform(6, 60), rng.uniform(1, 2))
    choice = int(rng.integers(5))
    value = (
        np.sin((x * 0.02 + noise * 0.6) * 9),  # wood
        noise,
        fields.smooth_noise(rng, shape, 4, 0.8),
        np.sin(x * 0.5) * np.sin(y * 0.5) + 0.3 * noise,  # cloth
        np.where(((y % 24) < 2) | (((x + 20 * ((y // 24) % 2)) % 40) < 2), -1.5, 0.4 * noise),  # bricks
    )[choice]
    low, high = rng.uniform(0, 0.6, 3), rng.uniform(0.4, 1, 3)
    return _camera(_finished(_mix(low, high, 0.5 + 0.3 * value), style), rng)


@painted("photo_art", 1.0)
def bokeh(style: Style, rng: np.random.Generator) -> Image.Image:
    """Blurred lights or fruit-like balls on a soft ground."""
    image = Image.new("RGB", style.size, tuple(int(c) for c in rng.integers(0, 120, 3)))
    pen = ImageDraw.Draw(image, "RGBA")
    for _ in range(int(rng.integers(8, 60))):
        radius = rng.uniform(0.02, 0.12) * min(style.size)
        x, y = rng.uniform((0, 0), style.size)
        pen.ellipse(
            (x - radius, y - radius, x + radius, y + radius),
            fill=(*(int(c) for c in rng.integers(80, 256, 3)), int(rng.integers(60, 200))),
        )
    return _camera(image.filter(ImageFilter.GaussianBlur(float(rng.uniform(1, 8)))), rng)


@painted("photo_art", 1.3)
def objects(style: Style, rng: np.random.Generator) -> Image.Image:
    """Shaded bodies on a table: a still life of balls, boxes and cups."""
    height, width = shape = _grid(style)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    picture = _mix(
        rng.uniform(0.2, 0.7, 3), rng.uniform(0.4, 0.95, 3), y / height + 0.1 * fields.smooth_noise(rng, shape, 30, 2)
    )
    for _ in range(int(rng.integers(1, 7))):
        cx, cy, radius = rng.uniform(0.1, 0.9) * width, rng.uniform(0.3, 0.8) * height, rng.uniform(0.06, 0.25) * height
        distance = np.hypot(x - cx, (y - cy) * rng.uniform(0.7, 1.3)) / radius
        shadow = np.clip(1.5 - np.hypot(x - cx - radius * 0.5, (y - cy - radius) * 2.5) / radius, 0, 1)
        picture *= 1 - 0.5 * shadow[..., None]
        light = np.clip(1 - np.hypot(x - cx + radius * 0.4, y - cy + radius * 0.4) / radius * 0.75, 0.05, 1)
        picture = np.where((distance < 1)[..., None], rng.uniform(0.1, 1, 3) * light[..., None], picture)
    return _camera(_finished(picture, style), rng)


@painted("photo_art", 1.0)
def medical_grey(style: Style, rng: np.random.Generator) -> Image.Image:
    """Grey ellipses within an ellipse and speckle: a scan, an X-ray or a microscope's view."""
    height, width = shape = _grid(style)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    picture = 0.05 + 0.55 * (np.hypot(x / 0.75, y / 0.9) < 1) - 0.35 * (np.hypot(x / 0.7, y / 0.84) < 1)
    for _ in range(int(rng.integers(3, 14))):
        angle, (cx, cy) = rng.uniform(0, 3), rng.uniform(-0.5, 0.5, 2)
        u, v = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle), (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        picture += rng.uniform(-0.15, 0.35) * (np.hypot(u / rng.uniform(0.05, 0.35), v / rng.uniform(0.05, 0.3)) < 1)
    picture += 0.03 * fields.smooth_noise(rng, shape, 5, 1) + 0.02 * rng.normal(0, 1, shape)
    return _finished(picture, style)


@painted("photo_art", 0.9)
def fractal(style: Style, rng: np.random.Generator) -> Image.Image:
    """A Julia set in some colour map."""
    height, width = _grid(style, 320)
    y, x = np.mgrid[-1.3 : 1.3 : height * 1j, -1.6 : 1.6 : width * 1j]
    z = x + 1j * y
    angle = rng.uniform(0, 2 * np.pi)
    constant = 0.7885 * np.exp(1j * angle)
    steps = np.zeros(z.shape)
    for step in range(28):
        inside = np.abs(z) < 2
        z = np.where(inside, z * z + constant, z)
        steps[inside] = step
    table = matplotlib.colormaps[str(rng.choice(["magma", "twilight", "jet", "viridis", "hot", "cubehelix"]))]
    return _finished(table(steps / 28)[..., :3], style)


@painted("easy", 0.9)
def code_pattern(style: Style, rng: np.random.Generator) -> Image.Image:
    """QR-like squares, bar codes, chess boards."""
    side = int(rng.integers(21, 57))
    choice = int(rng.integers(3))
    cells = rng.random((side, side)) < 0.5
    if choice == 0:
        for r, c in ((0, 0), (0, side - 7), (side - 7, 0)):
            cells[r : r + 7, c : c + 7] = False
            cells[r + 1 : r + 6, c + 1 : c + 6] = True
            cells[r + 2 : r + 5, c + 2 : c + 5] = False
    elif choice == 1:
        cells[:] = cells[0]
    else:
        cells = np.indices((int(rng.integers(4, 15)), int(rng.integers(4, 15)))).sum(axis=0) % 2 == 0
    code = Image.fromarray((cells * 255).astype(np.uint8)).resize(
        (min(style.size) * 3 // 4,) * 2, Image.Resampling.NEAREST
    )
    image = Image.new("RGB", style.size, "white")
    ink, paper = (tuple(int(c) for c in rng.integers(*reach, 3)) for reach in ((0, 110), (170, 256)))
    code = ImageOps.colorize(code, ink, paper)
    image.paste(code, ((style.size[0] - code.width) // 2, (style.size[1] - code.height) // 2))
    return image


@painted("easy", 1.0)
def logo_sheet(style: Style, rng: np.random.Generator) -> Image.Image:
    """One large logo, or several in rows."""
    image = Image.new("RGB", style.size, str(rng.choice(["white", "white", "#f0f0f0", "#203040"])))
    columns = int(rng.choice([1, 1, 2, 4]))
    side = min(style.size[0] // columns, style.size[1]) * 4 // 5
    for column in range(columns):
        logo = draw_logo(rng, max(side, 24))
        image.paste(logo, (style.size[0] * column // columns + 10, (style.size[1] - logo.height) // 2), logo)
    return image


@painted("easy", 0.8)
def cartoon(style: Style, rng: np.random.Generator) -> Image.Image:
    """Flat shapes: icons, flags, clip art."""
    image = Image.new("RGB", style.size, tuple(int(c) for c in rng.integers(150, 256, 3)))
    pen = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(2, 14))):
        x, y = rng.uniform((0, 0), style.size)
        size = rng.uniform(0.05, 0.4) * min(style.size)
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        shape = int(rng.integers(4))
        if shape == 0:
            pen.ellipse((x - size, y - size, x + size, y + size), fill=colour, outline="black", width=3)
        elif shape == 1:
            pen.regular_polygon(
                (x, y, size), int(rng.integers(3, 8)), int(rng.integers(360)), fill=colour, outline="black"
            )
        elif shape == 2:
            pen.rectangle((x - size, y - size / 2, x + size, y + size / 2), fill=colour)
        else:
            pen.pieslice(
                (x - size, y - size, x + size, y + size),
                int(rng.integers(180)),
                int(rng.integers(200, 360)),
                fill=colour,
            )
    return image
