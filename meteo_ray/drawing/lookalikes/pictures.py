"""Medical-like greys, fractals, codes, logos, cartoons: all procedural."""

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageOps

from meteo_ray.drawing import fields
from meteo_ray.drawing.lettering import Picture
from meteo_ray.drawing.logos import draw_logo
from meteo_ray.drawing.lookalikes.registry import painted
from meteo_ray.drawing.pen import new_pen
from meteo_ray.drawing.style import Style


def _grid(style: Style, most: int = 420) -> tuple[int, int]:
    """A working size `(height, width)` of at most `most` columns; the picture is enlarged afterwards."""
    scale = min(1.0, most / max(style.size))
    return max(24, round(style.size[1] * scale)), max(24, round(style.size[0] * scale))


def _finished(array: np.ndarray, style: Style) -> Image.Image:
    """An array `(h, w)` or `(h, w, 3)` in 0..1 as a picture of the style's size."""
    pixels = (np.clip(array, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(pixels).convert("RGB").resize(style.size, Image.Resampling.BICUBIC)


@painted("photo_art", 1.0)
def medical_grey(style: Style, rng: np.random.Generator) -> Picture:
    """Grey ellipses within an ellipse and speckle: a scan, an X-ray or a microscope's view."""
    height, width = shape = _grid(style)
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    picture = 0.05 + 0.55 * (np.hypot(x / 0.75, y / 0.9) < 1) - 0.35 * (np.hypot(x / 0.7, y / 0.84) < 1)
    for _ in range(int(rng.integers(3, 14))):
        angle, (cx, cy) = rng.uniform(0, 3), rng.uniform(-0.5, 0.5, 2)
        u, v = (x - cx) * np.cos(angle) + (y - cy) * np.sin(angle), (y - cy) * np.cos(angle) - (x - cx) * np.sin(angle)
        picture += rng.uniform(-0.15, 0.35) * (np.hypot(u / rng.uniform(0.05, 0.35), v / rng.uniform(0.05, 0.3)) < 1)
    picture += 0.03 * fields.smooth_noise(rng, shape, 5, 1) + 0.02 * rng.normal(0, 1, shape)
    return Picture(_finished(picture, style))


@painted("photo_art", 0.9)
def fractal(style: Style, rng: np.random.Generator) -> Picture:
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
    return Picture(_finished(table(steps / 28)[..., :3], style))


@painted("easy", 0.9)
def code_pattern(style: Style, rng: np.random.Generator) -> Picture:
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
    return Picture(image)


@painted("easy", 1.0)
def logo_sheet(style: Style, rng: np.random.Generator) -> Picture:
    """One large logo, or several in rows."""
    pen = new_pen(style.size, str(rng.choice(["white", "white", "#f0f0f0", "#203040"])))
    columns = int(rng.choice([1, 1, 2, 4]))
    side = min(style.size[0] // columns, style.size[1]) * 4 // 5
    for column in range(columns):
        logo = draw_logo(rng, max(side, 24))
        pen.paste(logo, style.size[0] * column // columns + 10, (style.size[1] - logo.image.height) // 2, logo.image)
    return pen.picture()


@painted("easy", 0.8)
def cartoon(style: Style, rng: np.random.Generator) -> Picture:
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
    return Picture(image)
