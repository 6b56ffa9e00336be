"""Codes of features that nobody trained for them."""

import faiss
import numpy as np


def itq(train: np.ndarray, test: np.ndarray, bits: int) -> np.ndarray:
    """PCA to `bits` dimensions, rotated so that signs lose least (Gong et al. 2013): `(test rows, bits)`."""
    middle = train.mean(axis=0)
    transform = faiss.ITQTransform(train.shape[1], bits, True)
    transform.train(np.ascontiguousarray(train - middle, dtype=np.float32))
    found: np.ndarray = transform.apply(np.ascontiguousarray(test - middle, dtype=np.float32))
    return found


def lsh(train: np.ndarray, test: np.ndarray, bits: int, seed: int) -> np.ndarray:
    """The sides of random hyperplanes through the middle of the training charts (Charikar 2002)."""
    planes = np.random.default_rng([seed, bits]).standard_normal((train.shape[1], bits))
    found: np.ndarray = (test - train.mean(axis=0)) @ planes
    return found
