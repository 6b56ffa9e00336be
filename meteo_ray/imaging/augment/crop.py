"""Random crops: a chart is often quoted in part."""

from typing import Any

import numpy as np
from PIL import Image

from meteo_ray.imaging.augment.transform import RandomTransform, uniform
from meteo_ray.imaging.augment_config import AugmentConfig


class RandomCrop(RandomTransform):
    """Keeps a random window with the image's aspect ratio and 0.5-0.8 of its area."""

    name = "crop"

    def __init__(self, config: AugmentConfig) -> None:
        super().__init__(config.crop_share)
        self.area = config.crop_area

    def alter(
        self, image: Image.Image, rng: np.random.Generator, title: str | None
    ) -> tuple[Image.Image, dict[str, Any] | None]:
        area = uniform(rng, self.area)
        width, height = (max(1, round(side * area**0.5)) for side in image.size)
        left = int(rng.integers(0, image.width - width + 1))
        top = int(rng.integers(0, image.height - height + 1))
        box = (left, top, left + width, top + height)
        return image.crop(box), {"area": area, "box": list(box)}
