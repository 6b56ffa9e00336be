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
from meteo_ray.imaging.fit import INPUT_SIZE

# Names what the parts do in cache keys; raised whenever the same settings and seed may give other pixels.
# 2: the working size follows the network's input, images that no part alters keep theirs, and each part draws apart.
AUGMENTATION_VERSION = 2

# A working image is at most this many times as wide and as high as the network's input, so that stamped letters and
# block artefacts are scaled down with the chart as in the wild, and trimmed margins leave enough to scale down. A
# 3474 x 3756 sheet has 13.0 million pixels; a working image has at most 640 * 480 = 0.31 million for an input of
# 320 x 240, where every part costs a fortieth, and 1792 * 1792 = 3.2 million for one of 896 x 896.
_WORKING_FACTOR = 2


def working_size(size: tuple[int, int]) -> tuple[int, int]:
    """The largest image (width, height) that parts work on for a network that reads images of `size`."""
    return size[0] * _WORKING_FACTOR, size[1] * _WORKING_FACTOR


class Augmentation:
    """Calls as `augmentation(image, rng, product_title)`; the same generator state gives the same pixels.

    `logos` are RGBA images (see `load_logos`), `titles` the names of all products. `size` is that of the network's
    input (width, height).
    """

    def __init__(
        self,
        config: AugmentConfig,
        logos: Sequence[Image.Image],
        titles: Sequence[str],
        size: tuple[int, int] = INPUT_SIZE,
    ) -> None:
        self.config, self.working_size = config, working_size(size)
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

        What the first part alters is scaled down to the working size before. An image that no part alters, and every
        one with `config.enabled` false, comes back as it is, of any size, with an empty record.
        """
        if not self.config.enabled:
            return image, {}
        sample: Sample = {
            "image": image,
            "working_size": self.working_size,
            "rng": rng,
            "title": product_title,
            "applied": {},
        }
        altered = self.pipeline(sample)
        return altered["image"], altered["applied"]
