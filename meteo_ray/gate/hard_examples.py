"""How often each training row is drawn: both classes alike, hard examples more often (R12)."""

import numpy as np
from numpy.typing import NDArray


def sampling_weights(
    positive: np.ndarray, row_loss: np.ndarray | None, hard_share: float, hard_weight: float, given: np.ndarray
) -> NDArray[np.float64]:
    """How likely each row is drawn, `(rows,)`: both classes weigh the same, hard rows more within theirs (R12).

    Hard are the `hard_share` of the rows of highest loss among those of a class that were seen; rows not seen yet
    (NaN) weigh like the ordinary ones. `given` are the rows' own weights, `(rows,)`.
    """
    weights = given.astype(np.float64)
    for members in (np.flatnonzero(positive), np.flatnonzero(~positive.astype(bool))):
        if row_loss is not None:
            seen = members[np.isfinite(row_loss[members])]
            count = int(hard_share * len(seen))
            weights[seen[np.argsort(-row_loss[seen], kind="stable")[:count]]] *= hard_weight
        weights[members] /= max(weights[members].sum(), 1e-12)
    return weights
