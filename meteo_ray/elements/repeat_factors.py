"""How much more often rows with rare labels are drawn (Gupta, Dollár & Girshick 2019, "LVIS", repeat factor sampling).

    r(c) = max(1, sqrt(t / f(c)))      f(c): the share of the rows that show label c;  t: the share that is not rare
    r(i) = max over the labels c of row i of r(c)

The root lies half-way between drawing rows as they come and drawing all rare labels equally often. A row counts by its
rarest label, so common labels that keep rare ones company are drawn more often too.
"""

import numpy as np
from numpy.typing import NDArray


def repeat_factors(shown: np.ndarray, weights: np.ndarray, rare_share: float) -> NDArray[np.float64]:
    """r of every row, `(rows,)`, 1 or more.

    Args:
        shown: `(rows, labels)` of 0 and 1.
        weights: `(rows,)`, how often each row is drawn anyhow: shares are those among the rows drawn.
        rare_share: t, below which a label is rare; 0: none is.
    """
    shares = weights @ shown / weights.sum()
    of_labels = np.sqrt(np.maximum(rare_share / np.maximum(shares, np.finfo(np.float64).tiny), 1.0))
    return np.where(shown > 0, of_labels, 1.0).max(axis=1, initial=1.0)
