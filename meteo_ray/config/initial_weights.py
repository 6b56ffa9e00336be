"""Where a ResNet's first weights come from: a setting that gate and elements share."""

from typing import Annotated

from meteo_ray.config.base import NameOrPath

Init = Annotated[str, NameOrPath(("auto", "imagenet", "none"))]
