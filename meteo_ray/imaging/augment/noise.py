"""Background noise, as scans, screenshots of videos and analogue sources carry."""

from typing import Any

import numpy as np
from PIL import Image

from meteo_ray.imaging.augment.transform import RandomTransform, uniform
from meteo_ray.imaging.augment_config import AugmentConfig


class BackgroundNoise(RandomTransform):
    """Adds Gaussian noise, the same to red, green and blue of a pixel: brightness flickers, colours stay."""

    name = "noise"

    def __init__(self, config: AugmentConfig) -> None:
        super().__init__(config.noise_share)
        self.levels = config.noise_levels

    def alter(
        self, image: Image.Image, rng: np.random.Generator, title: str | None
    ) -> tuple[Image.Image, dict[str, Any] | None]:
        level = uniform(rng, self.levels)
        noise = rng.standard_normal((image.height, image.width, 1), dtype=np.float32) * np.float32(level)
        noisy = np.asarray(image).astype(np.int16) + np.rint(noise).astype(np.int16)
        return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)), {"level": level}
