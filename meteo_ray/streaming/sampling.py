"""In which order an epoch draws the rows: by weight, or in groups of similar length. Pure numpy on the small index.

The random generator is the caller's, seeded per epoch, so an epoch can be repeated and a run resumed.
"""

import numpy as np

# Batches are formed from groups of this many: similar lengths inside a batch, yet other batches in every epoch.
BATCHES_PER_GROUP = 50


def weighted_order(weights: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Positions drawn with replacement in proportion to `weights` `(rows,)`, int64 `(draws,)`.

    The distribution of torch's `WeightedRandomSampler(weights, draws)` (R12).

    Raises:
        ValueError: when a weight is negative or not finite, or none is positive.
    """
    weights = np.asarray(weights, dtype=np.float64)
    if not np.isfinite(weights).all() or (weights < 0).any() or weights.sum() <= 0:
        raise ValueError("weights must be finite and not negative, and at least one positive")
    return rng.choice(len(weights), size=draws, replace=True, p=weights / weights.sum()).astype(np.int64)


def group_by_length(order: np.ndarray, lengths: np.ndarray, batch_size: int, rng: np.random.Generator) -> np.ndarray:
    """Reorder `order` so that each batch of `batch_size` holds rows of similar `lengths` (R28).

    `lengths` `(rows,)` is indexed by the positions in `order` `(draws,)`. Within groups of 50 batches rows are sorted
    by length, then whole batches are shuffled; a last, smaller batch stays last. The same positions come back.
    """
    order = np.asarray(order, dtype=np.int64)
    group = batch_size * BATCHES_PER_GROUP
    parts = [order[start : start + group] for start in range(0, len(order), group)]
    parts = [part[np.argsort(lengths[part], kind="stable")] for part in parts]
    sorted_order = np.concatenate(parts) if parts else order
    whole = len(order) // batch_size * batch_size
    batches = sorted_order[:whole].reshape(-1, batch_size)
    return np.concatenate([batches[rng.permutation(len(batches))].ravel(), sorted_order[whole:]])
