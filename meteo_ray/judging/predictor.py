"""What every stage's predictor looks like: loaded once from a model bundle, then a batch of pixels in, columns out.

Evaluation, the archive job and the tests all call this one object, so a number in a report is a number in production.
"""

from pathlib import Path
from typing import Any, Protocol, Self

from meteo_ray.batch import Batch


class Predictor(Protocol):
    """A stage of the cascade, ready to judge."""

    version: str
    """Short id of the weights: the first 12 hex digits of the bundle's SHA256SUMS file's own sha256."""

    @classmethod
    def load(cls, bundle: Path, **options: Any) -> Self:
        """Read a model bundle after checking its sums, label order and input size.

        Raises:
            UsageError: naming what is missing or differs.
        """
        ...

    def __call__(self, batch: Batch) -> Batch:
        """Judge every row of `batch["image"]`, uint8 `(rows, height, width, 3)`; the stage's columns come back.

        The batch also holds the columns of earlier stages that the stage's description says it reads, and may hold
        `descriptors`, float32 `(rows, FEATURES)`, what `voters.descriptors.describe` finds on these images: whoever
        needs them and is not given them computes them. A predictor with a `device` that is a GPU may get SharedImages,
        one with `needs_pixels` False images of any size, in which nothing is to be seen.
        """
        ...
