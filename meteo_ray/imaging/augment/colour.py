"""Another taste in colours: charts of the same thing are drawn with palettes that no training set holds all of."""

from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from meteo_ray.imaging.augment.transform import RandomTransform, uniform
from meteo_ray.imaging.augment_config import AugmentConfig

# In this order, because each works on what the one before has left.
ENHANCERS = {
    "saturation": ImageEnhance.Color,
    "contrast": ImageEnhance.Contrast,
    "brightness": ImageEnhance.Brightness,
}


class ColourShift(RandomTransform):
    """Changes saturation, contrast and brightness, and in a share of the images lets the channels trade places."""

    name = "colour"

    def __init__(self, config: AugmentConfig) -> None:
        super().__init__(config.colour_share)
        self.factors, self.swap_share = config.colour_factors, config.colour_swap_share

    def alter(
        self, image: Image.Image, rng: np.random.Generator, title: str | None
    ) -> tuple[Image.Image, dict[str, Any] | None]:
        record: dict[str, Any] = {name: uniform(rng, self.factors) for name in ENHANCERS}
        for name, enhancer in ENHANCERS.items():
            image = enhancer(image).enhance(record[name])
        order = rng.permutation(3).tolist() if rng.random() < self.swap_share else [0, 1, 2]
        record["channels"] = "".join("RGB"[channel] for channel in order)
        bands = image.split()
        return Image.merge("RGB", [bands[channel] for channel in order]), record
