"""Photographs, all drawn: a scene, a camera, and what people do to photographs afterwards."""

from dataclasses import replace

import numpy as np
from PIL import Image

from meteo_ray.drawing import text
from meteo_ray.drawing.lettering import Picture
from meteo_ray.drawing.lookalikes import scenes, subjects
from meteo_ray.drawing.lookalikes.leaves import Shape, blurred, natural_colours
from meteo_ray.drawing.lookalikes.registry import painted
from meteo_ray.drawing.lookalikes.scenes import Scene
from meteo_ray.drawing.pen import Pen
from meteo_ray.drawing.style import Style

_SEPIA = np.array([1.08, 0.96, 0.78], np.float32)


def _grid(style: Style, most: int = 400) -> Shape:
    """A working size `(height, width)` of at most `most` columns or rows; the picture is enlarged afterwards."""
    scale = min(1.0, most / max(style.size))
    return max(48, round(style.size[1] * scale)), max(48, round(style.size[0] * scale))


def _lens(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur of the optics, and corners darker than the middle."""
    height, width = picture.shape[:2]
    if rng.random() < 0.45:
        picture = blurred(picture, float(rng.choice([0.4, 0.5, 0.7, 1.4])))
    if rng.random() < 0.5:
        y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        picture = picture * (1 - rng.uniform(0.05, 0.35) * (x**2 + y**2) / 2)[..., None]
    return picture


def _developed(picture: np.ndarray, rng: np.random.Generator, grey: float) -> np.ndarray:
    """White balance, exposure and tone curve; a share `grey` of pictures is black and white or sepia."""
    picture = np.maximum(picture.astype(np.float32), 0)
    # Like a camera's automatic exposure, which goes part of the way to a middle grey.
    exposure = (0.5 / max(float(picture.mean()), 0.05)) ** 0.6
    picture *= (exposure * np.exp(rng.normal(0, 0.05, 3) + rng.normal(0, 0.25))).astype(np.float32)
    luminance = (picture @ np.array([0.3, 0.59, 0.11], np.float32))[..., None]
    if rng.random() < grey:
        picture = luminance * (_SEPIA if rng.random() < 0.2 else np.ones(3, np.float32))
    else:
        picture = luminance + np.float32(rng.uniform(0.35, 1.05)) * (picture - luminance)
    picture = np.clip(picture, 0, 1) ** np.float32(rng.uniform(0.75, 1.3))
    if rng.random() < 0.5:
        picture = picture + np.float32(rng.uniform(0, 1.2)) * picture * (1 - picture) * (2 * picture - 1)
    black, white = rng.uniform(0, 0.06), rng.uniform(0.92, 1.05)
    return black + picture * (white - black)


def photograph(picture: np.ndarray, style: Style, rng: np.random.Generator, grey: float = 0.22) -> Image.Image:
    """What a camera makes of a scene `(h, w, 3)`: lens, development, the sensor's fine noise."""
    exposed = np.clip(_developed(_lens(picture, rng), rng, grey) * 255, 0, 255).astype(np.uint8)
    image = Image.fromarray(exposed).resize(style.size, Image.Resampling.BICUBIC)
    grain = rng.standard_normal((style.size[1], style.size[0], 1), dtype=np.float32)
    grain *= np.float32(rng.exponential(1.6))
    return Image.fromarray(np.clip(np.asarray(image, np.float32) + grain, 0, 255).astype(np.uint8))


def _clock(rng: np.random.Generator) -> str:
    hour, minute, second = (int(rng.integers(most)) for most in (24, 60, 60))
    day, month, year = int(rng.integers(1, 29)), int(rng.integers(1, 13)), int(rng.integers(1999, 2026))
    return (
        f"{hour:02d}:{minute:02d}", f"CAM {rng.integers(1, 20)}  {hour:02d}:{minute:02d}:{second:02d}",
        f"{year}-{month:02d}-{day:02d} {hour:02d}:{minute:02d}", f"{day:02d}/{month:02d}/{year}",
    )[int(rng.integers(4))]  # fmt: skip


def _stamped(image: Image.Image, rng: np.random.Generator) -> Picture:
    """The camera's time in a corner, plain or on a dark label."""
    pen, letters = Pen(image), text.font(max(10, image.width // int(rng.integers(25, 60))), 2)
    words = _clock(rng)
    box = pen.textbbox((0, 0), words, letters)
    x = int(rng.choice([6, max(6, image.width - box[2] - 6)]))
    y = int(rng.choice([4, image.height - box[3] - 8]))
    if rng.random() < 0.5:
        pen.rectangle((x - 4, y, x + box[2] + 4, y + box[3] + 4), fill="black")
    pen.text((x, y), words, str(rng.choice(["white", "yellow", "#ff8020"])), letters)
    return pen.picture()


def _shot(scene: Scene, style: Style, rng: np.random.Generator) -> Picture:
    return Picture(photograph(scene(rng, _grid(style)), style, rng))


@painted("photo_art", 1.3)
def portrait(style: Style, rng: np.random.Generator) -> Picture:
    """An animal or a person before a blurred ground, or a car on a road."""
    return _shot(subjects.portrait if rng.random() < 0.65 else subjects.vehicle, style, rng)


@painted("photo_art", 1.0)
def litter(style: Style, rng: np.random.Generator) -> Picture:
    """Leaves, gravel, crowds: many small things that hide one another."""
    return _shot(scenes.litter, style, rng)


@painted("photo_art", 1.2)
def landscape(style: Style, rng: np.random.Generator) -> Picture:
    """Hills, fields, water and trees below a sky."""
    return _shot(scenes.landscape, style, rng)


@painted("photo_art", 1.6)
def sky_photo(style: Style, rng: np.random.Generator) -> Picture:
    """Clouds over roofs and trees, often with the camera's time."""
    picture = _shot(scenes.sky_over_roofs, style, rng)
    return _stamped(picture.image, rng) if rng.random() < 0.4 else picture


@painted("photo_art", 0.7)
def texture(style: Style, rng: np.random.Generator) -> Picture:
    """Fur, bark, cloth, rock, smoke, water."""
    return _shot(scenes.material, style, rng)


@painted("photo_art", 0.8)
def objects(style: Style, rng: np.random.Generator) -> Picture:
    """Things on a table, a product on white."""
    return _shot(subjects.still_life, style, rng)


@painted("photo_art", 0.8)
def street(style: Style, rng: np.random.Generator) -> Picture:
    """A road between house fronts."""
    return _shot(subjects.street, style, rng)


@painted("photo_art", 0.5)
def indoor(style: Style, rng: np.random.Generator) -> Picture:
    """Shelves of books and boxes."""
    return _shot(subjects.shelves, style, rng)


@painted("photo_art", 0.7)
def bokeh(style: Style, rng: np.random.Generator) -> Picture:
    """Lights at night, sharp or as blurred discs."""
    return _shot(subjects.night, style, rng)


@painted("photo_art", 0.6)
def rows_of_rounds(style: Style, rng: np.random.Generator) -> Picture:
    """Coins in rows, cells under a microscope."""
    return _shot(subjects.rounds, style, rng)


@painted("photo_art", 0.5)
def aerial_photo(style: Style, rng: np.random.Generator) -> Picture:
    """A town seen from an aeroplane."""
    return _shot(subjects.roofs, style, rng)


@painted("photo_art", 0.7)
def trail_camera(style: Style, rng: np.random.Generator) -> Picture:
    """A flash's grey or green light on near things, darkness behind, the time on a strip."""
    shape = height, width = _grid(style)
    scene: Scene = (scenes.litter, subjects.portrait, scenes.landscape)[int(rng.integers(3))]
    y, x = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    flash = np.exp(-rng.uniform(0.3, 2) * ((x - rng.normal(0, 0.3)) ** 2 + (y - rng.uniform(0, 0.6)) ** 2))
    image = photograph(scene(rng, shape) * (1.3 * flash)[..., None], style, rng, grey=0.75)
    strip = max(12, style.size[1] // int(rng.integers(18, 40)))
    pen = Pen(image)
    pen.rectangle((0, style.size[1] - strip, *style.size), fill=str(rng.choice(["black", "black", "white"])))
    pen.text((6, style.size[1] - strip), _clock(rng), "#909090", text.font(strip * 2 // 3, 2))
    return pen.picture()


@painted("photo_art", 0.6)
def sign_photo(style: Style, rng: np.random.Generator) -> Picture:
    """A road sign or name board with large letters before a street or the sky."""
    pen, (width, height) = Pen(_shot(subjects.any_scene, style, rng).image), style.size
    left, right = sorted(rng.uniform((0.03, 0.6), (0.4, 0.97)) * width)
    top, bottom = sorted(rng.uniform((0.05, 0.5), (0.4, 0.9)) * height)
    board = str(rng.choice(["#1f6b45", "#24508f", "#e8e6df", "#e5b81f", "#a8312c", "#d8772b"]))
    ink = "#1c1c1c" if board in ("#e8e6df", "#e5b81f") else "#f2f2ee"
    post = (left + right) / 2
    pen.rectangle((post - width * 0.01, bottom, post + width * 0.01, height), fill="#77787a")
    pen.rounded_rectangle((left, top, right, bottom), width * 0.02, fill=board)
    rim = width * 0.012
    pen.rounded_rectangle((left + rim, top + rim, right - rim, bottom - rim), width * 0.015, outline=ink, width=3)
    lines = int(rng.integers(1, 4))
    letters = text.font(max(12, int(min((bottom - top) / lines * 0.55, (right - left) * 0.3))))
    for line in range(lines):
        room = (right - left - 5 * rim) / letters.size * (1.0 if style.chinese else 1.7)
        words = text.heading(rng, style.chinese)[: max(1, int(room))]
        pen.text((left + 3 * rim, top + (line + 0.2) * (bottom - top) / lines), words, ink, letters)
    sign = pen.picture()
    small = sign.image.resize((max(48, width // 2), max(48, height // 2)), Image.Resampling.BOX)
    return Picture(photograph(np.asarray(small, np.float32) / 255, style, rng, grey=0.05), sign.words)


@painted("photo_art", 0.6)
def meme(style: Style, rng: np.random.Generator) -> Picture:
    """A photograph with large words on it, or in a thin frame."""
    pen, (width, height) = Pen(_shot(subjects.any_scene, style, rng).image), style.size
    if rng.random() < 0.4:
        edge = int(rng.integers(2, 14))
        pen.rectangle((0, 0, width - 1, height - 1), outline=str(rng.choice(["black", "white"])), width=edge)
    size = max(14, width // int(rng.integers(9, 22)))
    colour = str(rng.choice(["white", "white", "black", "yellow", "#d030d0", "#e03030"]))
    for y in (0.04, 0.84):
        if rng.random() < 0.75:
            words = text.sentence(rng, style.chinese, int(rng.integers(2, 6)))
            fitting = int(0.95 * width / (len(words) * (1 if style.chinese else 0.55)))
            letters = text.font(max(10, min(size, fitting)))
            edge_colour = "white" if colour == "black" else "black"
            pen.text((width / 2, y * height), words, colour, letters, "ma", stroke_width=2, stroke_fill=edge_colour)
    return pen.picture()


@painted("photo_art", 0.5)
def collage(style: Style, rng: np.random.Generator) -> Picture:
    """Two to six photographs side by side."""
    columns, rows = ((2, 1), (2, 2), (3, 1), (3, 2), (1, 2))[int(rng.integers(5))]
    width, height = style.size
    gap = int(rng.choice([0, 2, 6, 12]))
    page = Image.new("RGB", style.size, tuple(int(c * 255) for c in natural_colours(rng, 1)[0]))
    for cell in range(columns * rows):
        own = replace(style, size=(max(16, width // columns - gap), max(16, height // rows - gap)))
        part = photograph(subjects.any_scene(rng, _grid(own, 260)), own, rng)
        page.paste(part, (cell % columns * width // columns + gap // 2, cell // columns * height // rows + gap // 2))
    return Picture(page)
