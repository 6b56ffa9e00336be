"""How images are altered to look like those that circulate: reposted, cropped, stamped and recompressed (R5)."""

from typing import Self

from pydantic import Field, model_validator

from meteo_ray.config.fields import Share
from meteo_ray.config.parsing import Section


class AugmentConfig(Section):
    """What is done to a chart before the network sees it; every `..._share` is the probability that it is done.

    Ranges are (least, greatest), drawn from evenly.
    """

    enabled: bool = True
    """False leaves every image as it is."""

    crop_share: Share = 0.2
    """Share of images that are cropped."""
    crop_area: tuple[Share, Share] = (0.5, 0.8)
    """Share of the image's area that a crop keeps."""

    logo_share: Share = 0.35
    """Share of images with a logo as watermark in one corner; the plan asks for 0.2 to 0.5."""
    logo_width: tuple[Share, Share] = (0.08, 0.2)
    """Width of the logo as a share of the image's width."""
    logo_opacity: tuple[Share, Share] = (0.4, 1.0)
    """Opacity of the logo; 1 hides what lies below."""

    title_share: Share = 0.5
    """Share of charts that get a Chinese title. Images without a product get one as often, with any product's name,
    so that a title alone never gives a chart away."""
    title_own_share: Share = 0.75
    """Share of the titles on charts of known product that name this product, in training; the others name another one,
    and all do on images that are judged. Images of which the product is not known get any name."""
    # Always right, and the model reads the answer off instead of looking at the chart; wrong too often, and it learns
    # to distrust text, though charts' own titles tell the truth. At 0.75 a model that only copies errs on every fourth
    # drawn title, and right ones stay three times as frequent. With charts' own titles, which 47 of 60 real ones have
    # (docs/results.md), (0.78 + 0.5 * 0.75) / (0.78 + 0.5) = 90 % of all titles that it sees are right. Not tuned.
    title_size: int = Field(default=16, ge=6, le=64)
    """Height of the title's letters in pixels on an image of `title_reference_width`; grows and shrinks with it."""
    title_reference_width: int = Field(default=640, ge=64)
    """Width in pixels of the image that `title_size` is meant for."""
    title_brightness: tuple[int, int] = (0, 60)
    """Range (of 255) that each of the title's red, green and blue is drawn from: nearly black."""
    title_above_share: Share = 0.5
    """Share of the titles that stand above the image; the others go into its emptiest band."""

    colour_share: Share = 0.0
    """Share of images whose colours are shifted. Off, because colours tell products apart; meant for a gate that starts
    from random weights and must know foreign charts."""
    colour_factors: tuple[float, float] = (0.6, 1.4)
    """Factors of saturation, contrast and brightness; 1 leaves them."""
    colour_swap_share: Share = 0.3
    """Share of the shifted images whose red, green and blue trade places."""

    noise_share: Share = 0.3
    """Share of images with background noise."""
    noise_levels: tuple[float, float] = (1.5, 8.0)
    """Standard deviation of the noise in levels of 255."""

    artefacts_share: Share = 0.5
    """Share of images that are compressed once more."""
    artefacts_quality: tuple[int, int] = (25, 85)
    """JPEG or WebP quality."""
    artefacts_webp_share: Share = 0.3
    """Share of the compressed images that go through WebP; the others through JPEG."""

    @model_validator(mode="after")
    def _ranges_rise(self) -> Self:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, tuple) and value[0] > value[1]:
                raise ValueError(f"{name}: the first value must not be above the second, got {value}")
        if self.crop_area[0] <= 0 or self.logo_width[0] <= 0:
            raise ValueError("crop_area and logo_width must be above 0")
        if not 0 <= self.noise_levels[0] <= self.noise_levels[1] <= 128:
            raise ValueError(f"noise_levels must lie within 0-128, got {self.noise_levels}")
        if self.colour_factors[0] < 0:
            raise ValueError("colour_factors must not be below 0")
        if not 0 <= self.title_brightness[0] <= self.title_brightness[1] <= 255:
            raise ValueError(f"title_brightness must lie within 0-255, got {self.title_brightness}")
        if not 1 <= self.artefacts_quality[0] <= self.artefacts_quality[1] <= 100:
            raise ValueError(f"artefacts_quality must lie within 1-100, got {self.artefacts_quality}")
        return self


UNALTERED = AugmentConfig(enabled=False)
"""Leaves every image as it is: what an archive holds."""
