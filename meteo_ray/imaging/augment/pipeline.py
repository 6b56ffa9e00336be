"""All parts in the order in which a chart meets them: cropped, recoloured, noisy, stamped, titled, recompressed."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image
from torchvision.transforms import v2

from meteo_ray.imaging.augment.artefacts import CompressionArtefacts
from meteo_ray.imaging.augment.colour import ColourShift
from meteo_ray.imaging.augment.crop import RandomCrop
from meteo_ray.imaging.augment.logo import LogoWatermark
from meteo_ray.imaging.augment.noise import BackgroundNoise
from meteo_ray.imaging.augment.title import ChineseTitle
from meteo_ray.imaging.augment.transform import Sample
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.imaging.fit import INPUT_SIZE, resize

WORKING_SIZE = (INPUT_SIZE[0] * 2, INPUT_SIZE[1] * 2)
"""Width x height, at most. Twice the network's input, so that stamped letters and block artefacts are scaled down with
the chart as in the wild, and trimmed margins leave enough to scale down. A 3474 x 3756 sheet has 13.0 million pixels,
a working image at most 640 * 480 = 0.31 million: every part costs a fortieth."""


class Augmentation:
    """Calls as `augmentation(image, rng, product_title)`; the same generator state gives the same pixels.

    `logos` are RGBA images (see `load_logos`), `titles` the product names for charts whose own is not known.
    """

    def __init__(self, config: AugmentConfig, logos: Sequence[Image.Image], titles: Sequence[str]) -> None:
        self.config = config
        self.pipeline = v2.Compose(
            [
                RandomCrop(config),
                ColourShift(config),
                BackgroundNoise(config),
                LogoWatermark(config, logos),
                ChineseTitle(config, titles),
                CompressionArtefacts(config),
            ]
        )

    def __call__(
        self, image: Image.Image, rng: np.random.Generator, product_title: str | None = None
    ) -> tuple[Image.Image, dict[str, Any]]:
        """The altered RGB image and a record of every part that was applied, in JSON values; `image` is not touched.

        With `config.enabled` false the image comes back as it is, with an empty record.
        """
        if not self.config.enabled:
            return image, {}
        sample: Sample = {"image": shrink(image), "rng": rng, "title": product_title, "applied": {}}
        altered = self.pipeline(sample)
        return altered["image"], altered["applied"]


def shrink(image: Image.Image, most: tuple[int, int] = WORKING_SIZE) -> Image.Image:
    """The image scaled down, with its aspect ratio, until it fits `most`; never enlarged."""
    scale = min(most[0] / image.width, most[1] / image.height)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return resize(image, size)
