"""Lines as an OCR engine finds them on a chart."""

from meteo_ray.text.lines import TextLine

# Of a chart that is 1000 pixels high: text of 20 pixels, 12 pixels a letter.
LETTER, HEIGHT = 0.012, 0.02


def line(text: str, left: float = 0.1, top: float = 0.03, height: float = HEIGHT, score: float = 0.99) -> TextLine:
    return TextLine(text, left, top, min(left + LETTER * len(text), 1.0), top + height, score)


def page(*texts: str) -> list[TextLine]:
    """The texts one below the other, two lines apart, from the top."""
    return [line(text, top=0.03 + 3 * HEIGHT * position) for position, text in enumerate(texts)]


def axes() -> list[TextLine]:
    """What stands around most maps: degrees at two sides, a colour bar with its unit."""
    degrees = [line(f"{latitude}°N", left=0.02, top=0.9 - latitude / 100) for latitude in (20, 30, 40, 50)]
    degrees += [line(f"{longitude}°E", left=longitude / 200, top=0.92) for longitude in (80, 100, 120, 140)]
    ticks = [line(str(value), left=0.95, top=0.2 + value / 100) for value in (0, 10, 20, 30)]
    return [*degrees, *ticks, TextLine("Temperature (°C)", 0.98, 0.3, 0.999, 0.6, 0.98)]
