"""What the parts of the augmentation share: a sample that travels, and a transform that is applied to some of them."""

from abc import ABC, abstractmethod
from typing import Any, TypedDict

import numpy as np
from PIL import Image
from torchvision.transforms import v2

from meteo_ray.imaging.fit import resize


class Sample(TypedDict):
    """An image on its way through the pipeline. torchvision's own v2 transforms take it too: they alter `image`."""

    image: Image.Image
    working_size: tuple[int, int]
    """Width x height, at most, of what the first part that alters the image gets to see."""
    rng: np.random.Generator
    """The only source of randomness of our transforms, so that a seed fixes the pixels."""
    title: str | None
    """The name of the chart's product, where it is known."""
    applied: dict[str, Any]
    """What has been done, in JSON values: part -> its drawn parameters."""


class RandomTransform(v2.Transform, ABC):
    """Alters a share of the samples; subclasses say how in `alter`."""

    name: str
    """The key under which the part's parameters are recorded."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, sample: Sample) -> Sample:
        # Every part has a generator of its own: what one draws, such as noise for every pixel or the name in a title,
        # changes nothing about the parts after it, whatever the image's size.
        chance, seed = sample["rng"].random(), int(sample["rng"].integers(2**63))
        if chance >= self.share:
            return sample
        # Altered images already are working images, even where a title's band has made them higher.
        image = sample["image"] if sample["applied"] else shrink(sample["image"], sample["working_size"])
        image, record = self.alter(image, np.random.default_rng(seed), sample["title"])
        if record is None:
            return sample
        return {**sample, "image": image, "applied": {**sample["applied"], self.name: record}}

    @abstractmethod
    def alter(
        self, image: Image.Image, rng: np.random.Generator, title: str | None
    ) -> tuple[Image.Image, dict[str, Any] | None]:
        """A new RGB image and the parameters drawn for it, or None for them when nothing could be done.

        `image` itself stays as it is.
        """


def shrink(image: Image.Image, most: tuple[int, int]) -> Image.Image:
    """The image scaled down, with its aspect ratio, until it fits `most` (width, height); never enlarged."""
    scale = min(most[0] / image.width, most[1] / image.height)
    if scale >= 1:
        return image
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return resize(image, size)


def uniform(rng: np.random.Generator, bounds: tuple[float, float]) -> float:
    """A draw between the bounds, rounded to the four digits that the record shows."""
    return round(float(rng.uniform(*bounds)), 4)
