"""Compression artefacts: every repost compresses once more."""

import io
from typing import Any

import numpy as np
from PIL import Image

from meteo_ray.imaging.augment.transform import RandomTransform
from meteo_ray.imaging.augment_config import AugmentConfig


class CompressionArtefacts(RandomTransform):
    """Sends the image through JPEG or WebP at a low quality."""

    name = "artefacts"

    def __init__(self, config: AugmentConfig) -> None:
        super().__init__(config.artefacts_share)
        self.quality, self.webp_share = config.artefacts_quality, config.artefacts_webp_share

    def alter(
        self, image: Image.Image, rng: np.random.Generator, title: str | None
    ) -> tuple[Image.Image, dict[str, Any] | None]:
        codec = "WEBP" if rng.random() < self.webp_share else "JPEG"
        quality = int(rng.integers(self.quality[0], self.quality[1] + 1))
        return compress(image, codec, quality), {"codec": codec, "quality": quality}


def compress(image: Image.Image, codec: str, quality: int) -> Image.Image:
    """The image as it comes back from `codec` (JPEG or WEBP) at `quality` 1-100."""
    buffer = io.BytesIO()
    # WebP's fastest method: the slower ones spend 5 times as long on a smaller file, which nobody keeps here.
    options = {"method": 0} if codec == "WEBP" else {}
    image.save(buffer, codec, quality=quality, **options)
    with Image.open(buffer, formats=(codec,)) as compressed:
        return compressed.convert("RGB")
