"""How often a model is undecided, and when that is so much more often than in validation that it judges what it does
not know.

Of calibrated probabilities it is the share between two bounds. Measured against it, how far descriptors of colours and
textures lie from those of the training images told nothing about how often the gate erred (docs/results.md).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

# What a bundle's metrics.json calls the share of its validation images.
UNDECIDED = "undecided"

# Beyond these a gate that had learnt from drawings erred on 4 % of real images, between them on 23 %.
BETWEEN = (0.1, 0.9)

# With fewer images a share says little: of 50, one of 0.2 has a standard error of 0.06.
LEAST_IMAGES = 50

# Unlike: so much more in share, and so many times as often. Where gates met other sources than those that they had
# learnt from, this found 80 % of those on which they erred far more often than in validation, and 42 % of the others.
MORE, TIMES = 0.1, 1.5


def is_undecided(scores: ArrayLike) -> NDArray[np.bool_]:
    """Of probabilities `(rows,)`, bool `(rows,)`."""
    given = np.asarray(scores, dtype=np.float64)
    found: NDArray[np.bool_] = (given >= BETWEEN[0]) & (given < BETWEEN[1])
    return found


def undecided_share(undecided: int, images: int) -> float | None:
    """None where there are too few images to tell."""
    return undecided / images if images >= LEAST_IMAGES else None


def is_unlike(share: float | None, in_validation: float | None) -> bool:
    """Whether a model is undecided so much more often than in validation; False where either is not known."""
    if share is None or in_validation is None:
        return False
    return share > in_validation + MORE and share > in_validation * TIMES
