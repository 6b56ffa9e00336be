"""Imitates how charts circulate (R5): Pillow transforms, strung together as a torchvision.transforms.v2 pipeline."""

from meteo_ray.imaging.augment.logo import load_logos
from meteo_ray.imaging.augment.pipeline import AUGMENTATION_VERSION, Augmentation

__all__ = ["AUGMENTATION_VERSION", "Augmentation", "load_logos"]
