"""What a rare label counts beside a common one (R21)."""

import numpy as np
from numpy.typing import NDArray


def class_weights(counts: NDArray[np.int64], limit: float) -> NDArray[np.float32]:
    """Inverse-frequency weights of the labels, `(labels,)`, relative to the mean count (R21).

    Weights stay within [1/limit, limit]: a label seen once in ten thousand rows must not outweigh all others. Labels
    never seen get `limit`, which has no effect as no row shows them.
    """
    seen = counts[counts > 0]
    mean = seen.mean() if len(seen) else 1.0
    return np.clip(mean / np.maximum(counts, 1e-9), 1 / limit, limit).astype(np.float32)
