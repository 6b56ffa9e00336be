"""The Chinese Hei (sans-serif) typeface for drawn titles and captions. Never fetched: it comes installed."""

from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

from meteo_ray.errors import UsageError

# Installed by mplfonts, a dependency of ours; then what Linux distributions, Windows and macOS carry.
_PACKAGED = "fonts/NotoSansCJKsc-Regular.otf"
_SYSTEM = (
    "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/google-noto-cjk/NotoSansCJK-Regular.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc",
    "/usr/share/fonts/truetype/wqy/wqy-microhei.ttc",
    "C:/Windows/Fonts/simhei.ttf",
    "/System/Library/Fonts/PingFang.ttc",
    "/System/Library/Fonts/STHeiti Medium.ttc",
)


def hei_font_path() -> Path:
    """The file of the Hei typeface.

    Raises:
        UsageError: saying what to install, when there is none.
    """
    for candidate in (*_packaged_candidates(), *map(Path, _SYSTEM)):
        if candidate.is_file():
            return candidate
    raise UsageError(
        "no Chinese Hei typeface found, which titles and captions are drawn in; "
        "install one: `pip install mplfonts` (any system) or `apt-get install fonts-noto-cjk` (Debian, Ubuntu)"
    )


@lru_cache(maxsize=32)
def hei_font(size: int) -> ImageFont.FreeTypeFont:
    """The Hei typeface at `size` pixels; UsageError as `hei_font_path`. In a collection (.ttc) face 0 is taken."""
    return ImageFont.truetype(hei_font_path(), size)


def _packaged_candidates() -> list[Path]:
    package = find_spec("mplfonts")  # located, not imported: importing it would load matplotlib
    folders = package.submodule_search_locations if package else None
    return [Path(folder) / _PACKAGED for folder in folders or []]
