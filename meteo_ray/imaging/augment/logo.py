"""Logo watermarks in a corner, as agencies and reposting sites stamp them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from meteo_ray.errors import UsageError
from meteo_ray.imaging.augment.transform import RandomTransform, uniform
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.imaging.formats import ACCEPTED

# A working image is twice as wide as the network's input, and a logo takes at most 20 % of that: 128 pixels of 640 for
# an input of 320. Twice that, 256 pixels or 0.8 of the input's width, keeps it sharp and cheap to scale.
_STORED_SHARE = 0.8

# A tall logo is limited by the image's height instead.
_MOST_HEIGHT = 0.25

# Distance from the image's edges, as a share of its shorter side.
_DISTANCE = 0.02

_CORNERS = ("top left", "top right", "bottom left", "bottom right")


class LogoWatermark(RandomTransform):
    """Lays a random logo into a random corner; does nothing when there are no logos."""

    name = "logo"

    def __init__(self, config: AugmentConfig, logos: Sequence[Image.Image]) -> None:
        super().__init__(config.logo_share if logos else 0.0)
        self.width, self.opacity = config.logo_width, config.logo_opacity
        self.logos = [logo.convert("RGBA") for logo in logos]

    def alter(
        self, image: Image.Image, rng: np.random.Generator, title: str | None
    ) -> tuple[Image.Image, dict[str, Any] | None]:
        number = int(rng.integers(len(self.logos)))
        corner = _CORNERS[int(rng.integers(len(_CORNERS)))]
        width, opacity = uniform(rng, self.width), uniform(rng, self.opacity)
        logo = _scaled(self.logos[number], image, width)
        mask = logo.getchannel("A").point([round(alpha * opacity) for alpha in range(256)])
        stamped = image.copy()
        stamped.paste(logo.convert("RGB"), _place(logo, image, corner), mask)
        return stamped, {"number": number, "corner": corner, "width": width, "opacity": opacity}


def load_logos(folder: Path, input_width: int = INPUT_SIZE[0]) -> list[Image.Image]:
    """The logos of a folder as RGBA, in name order, as large as a network's input of that width can use.

    None when there is no such folder.

    Raises:
        UsageError: naming every file that is no usable image.
    """
    logos, problems = [], []
    side = round(_STORED_SHARE * input_width)
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.name.startswith(".") or not path.is_file():
            continue
        try:
            with Image.open(path, formats=ACCEPTED) as image:
                logo = image.convert("RGBA")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            problems.append(f"{path.name}: {error}")
            continue
        logo.thumbnail((side, side))
        logos.append(logo)
    if problems:
        raise UsageError.of_problems(f"{folder}: only logo images may lie here; remove or repair:", problems)
    return logos


def _scaled(logo: Image.Image, image: Image.Image, width: float) -> Image.Image:
    scale = min(width * image.width / logo.width, _MOST_HEIGHT * image.height / logo.height)
    return logo.resize((max(1, round(logo.width * scale)), max(1, round(logo.height * scale))))


def _place(logo: Image.Image, image: Image.Image, corner: str) -> tuple[int, int]:
    distance = round(_DISTANCE * min(image.size))
    left = distance if "left" in corner else image.width - logo.width - distance
    top = distance if "top" in corner else image.height - logo.height - distance
    return left, top
