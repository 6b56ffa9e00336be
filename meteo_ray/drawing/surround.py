"""Where a picture is met: in a window, on a web page, in a notebook, on a slide, on scanned paper."""

import numpy as np
from PIL import Image

from meteo_ray.drawing import text
from meteo_ray.drawing.lettering import Picture
from meteo_ray.drawing.pen import new_pen


def surround(picture: Picture, page: str, chinese: bool, rng: np.random.Generator) -> Picture:
    """Put `picture` into a `page` of one of PAGES; the result is a little larger than the picture."""
    return _PAGES[page](picture, chinese, rng) if page != "none" else picture


def _window(picture: Picture, chinese: bool, rng: np.random.Generator) -> Picture:
    bar, menu = 30, 26 if rng.random() < 0.6 else 0
    dark = rng.random() < 0.3
    width, height = picture.image.width + 8, picture.image.height + bar + menu + 26
    pen = new_pen((width, height), "#2b2b2b" if dark else "#f0f0f0")
    ink = "#dddddd" if dark else "#222222"
    pen.rectangle((0, 0, width, bar), fill=str(rng.choice(["#0078d7", "#ffffff", "#dcdcdc", "#3c3c3c"])))
    pen.text((10, 6), str(rng.choice(["Figure 1", "图像查看器", "viewer", "untitled"])), "#808080", text.font(14))
    for number, colour in enumerate(("#ff5f57", "#febc2e", "#28c840")):
        pen.ellipse((width - 80 + 24 * number, 9, width - 68 + 24 * number, 21), fill=colour)
    for x in range(10, width - 60, 64) if menu else ():
        pen.text((x, bar + 4), text.heading(rng, chinese)[:4], ink, text.font(13))
    pen.paste(picture, 4, bar + menu)
    pen.text((8, height - 22), f"x={rng.uniform(0, 100):.2f} y={rng.uniform(0, 100):.2f}", ink, text.font(13))
    return pen.picture()


def _web(picture: Picture, chinese: bool, rng: np.random.Generator) -> Picture:
    side = 150 if rng.random() < 0.5 else 0
    width, height = picture.image.width + side + 40, picture.image.height + 150
    pen = new_pen((width, height), "white")
    pen.rectangle((0, 0, width, 44), fill=str(rng.choice(["#1a5fa8", "#223344", "#0a7d6b", "#b03030", "#f4f4f4"])))
    for x in range(14, width - 60, 96):
        pen.text((x, 12), text.heading(rng, chinese)[:5], "#c8d8e8", text.font(16))
    for y in range(64, height - 30, 30) if side else ():
        pen.text((12, y), text.heading(rng, chinese)[:8], "#1a5fa8", text.font(13))
    pen.paste(picture, side + 20, 56)
    for y in range(picture.image.height + 66, height - 18, 22):
        pen.text((side + 20, y), text.sentence(rng, chinese, 12), "#333333", text.font(14))
    return pen.picture()


def _notebook(picture: Picture, chinese: bool, rng: np.random.Generator) -> Picture:
    lines = int(rng.integers(2, 7))
    head = lines * 20 + 26
    width = picture.image.width + 90
    pen = new_pen((width, picture.image.height + head + 30), "white")
    pen.rectangle((76, 8, width - 8, head - 6), fill="#f7f7f7", outline="#cfcfcf")
    count = int(rng.integers(1, 99))
    pen.text((8, 12), f"In [{count}]:", "#303f9f", text.font(13, 2))
    for line in range(lines):
        pen.text((84, 12 + 20 * line), text.code_line(rng), "#202020", text.font(13, 2))
    pen.text((4, head + 4), f"Out[{count}]:", "#d84315", text.font(13, 2))
    pen.paste(picture, 80, head)
    return pen.picture()


def _slide(picture: Picture, chinese: bool, rng: np.random.Generator) -> Picture:
    width = max(round(picture.image.width * 1.35), round((picture.image.height + 110) * 1.5))
    paper = str(rng.choice(["white", "#f4f8fc", "#10243e"]))
    height = picture.image.height + 110
    pen = new_pen((width, height), paper)
    accent = "#f2a900" if paper == "#10243e" else "#1a4f9c"
    pen.text((24, 16), text.heading(rng, chinese)[:18], accent, text.font(34))
    pen.line((24, 66, width - 24, 66), fill=accent, width=3)
    pen.paste(picture, 24, 84)
    for y in range(100, height - 40, 56):
        pen.text((picture.image.width + 44, y), "• " + text.heading(rng, chinese)[:9], accent, text.font(19))
    return pen.picture()


def _scan(picture: Picture, chinese: bool, rng: np.random.Generator) -> Picture:
    """Printed on paper that lies a little askew, grey and grainy."""
    margin = 30
    width, height = picture.image.width + 2 * margin, picture.image.height + 2 * margin
    pen = new_pen((width, height), "#f6f3ea")
    pen.paste(picture, margin, margin)
    laid = pen.picture()
    paper = laid.image
    if rng.random() < 0.5:
        paper = paper.convert("L").convert("RGB")
    angle = float(rng.uniform(-1.5, 1.5))
    paper = paper.rotate(angle, Image.Resampling.BILINEAR, fillcolor=(225, 222, 214))
    pixels = np.asarray(paper, np.float32)
    shade = np.linspace(rng.uniform(0.85, 1), 1, pixels.shape[1], dtype=np.float32)[None, :, None]
    grain = rng.normal(0, 4, pixels.shape[:2]).astype(np.float32)[..., None]
    grained = Image.fromarray(np.clip(pixels * shade + grain, 0, 255).astype(np.uint8))
    return Picture(grained, tuple(words.turned(angle, (width / 2, height / 2)) for words in laid.words))


_PAGES = {"window": _window, "web": _web, "notebook": _notebook, "slide": _slide, "scan": _scan}
PAGES = ("none", *_PAGES)
