"""Types of values that several jobs' settings share."""

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from meteo_ray.config.parsing import NameOrPath

Share = Annotated[float, Field(ge=0, le=1)]
"""A part of a whole."""

Rate = Annotated[float, Field(gt=0)]
"""A learning rate."""

Size = Annotated[int, Field(gt=0)]
"""A count of at least one."""


@dataclass(frozen=True)
class NotInIdentity:
    """Marks a setting on which a training's result does not depend (training/run_identity.py)."""


Init = Annotated[str, NameOrPath(("auto", "imagenet", "starter", "none")), NotInIdentity()]
"""Where a ResNet's first weights come from; what counts are the weights, see `Task.origin`."""


def _split(size: Any) -> Any:
    """`160x120` and `160,120` are both read; the command line hands over a list of texts."""
    text = size[0] if isinstance(size, list) and len(size) == 1 else size
    return text.lower().replace("x", ",").split(",") if isinstance(text, str) else size


def _check(size: tuple[int, int]) -> tuple[int, int]:
    width, height = size
    if width * 3 != height * 4 or not 64 <= width <= 320:
        raise ValueError(f"{width}x{height} is not 4:3 with a width of 64 to 320 (R6), such as 320,240 or 160,120")
    return size


InputSize = Annotated[tuple[int, int], BeforeValidator(_split), AfterValidator(_check)]
"""Width and height, 4:3 (R6)."""
