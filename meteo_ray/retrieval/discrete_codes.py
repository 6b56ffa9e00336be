"""The database's codes, solved for bit by bit with all outputs held fixed (discrete cyclic coordinate descent).

For rows i that the epoch has drawn, with outputs o_i, and all rows j: minimise over z in {-1, 1}

    alpha sum_ij (o_i . z_j - k S_ij)^2 + beta sum_i |z_i - o_i|^2

With all bits but one held fixed that is linear in the one, so its best value is a sign (Shen et al. 2015; Jiang & Li
2018, equation 9).
"""

import numpy as np
import torch
from torch import Tensor

from meteo_ray.retrieval.pairwise import BLOCK_ROWS, similarity

# Passes over the bits. Each can only lower the loss; the pairwise methods' code makes one.
PASSES = 1


def first_codes(classes: Tensor, bits: int, seed: int) -> Tensor:
    """Codes to start from, int8 `(rows, bits)` of -1 and 1: a random one for each class, several joined by their sum.

    Charts alike start with codes alike, so the first epoch already learns something.
    """
    drawn = np.random.default_rng([seed, bits]).standard_normal((classes.shape[1], bits))
    return _signs(classes @ torch.from_numpy(drawn).to(classes)).to(torch.int8)


def solved_codes(
    codes: Tensor,
    outputs: Tensor,
    rows: Tensor,
    classes: Tensor,
    unlike: float,
    alpha: float,
    beta: float,
    passes: int = PASSES,
) -> Tensor:
    """Better codes of all rows, int8 `(rows, bits)`; the loss is never higher than before.

    Args:
        codes: those in force, `(rows, bits)` of -1 and 1.
        outputs: o of the drawn rows, `(drawn, bits)`, in (-1, 1).
        rows: int64 `(drawn,)`, which these are; each once.
        classes: of all rows, `(rows, classes)` of 0 and 1.
        unlike: S of rows that are not alike.
    """
    bits = codes.shape[1]
    solved = codes.to(outputs.dtype).clone()
    # -1/2 of the gradient's constant part: alpha k S^T O, and beta O on the drawn rows.
    pull = torch.cat([similarity(part, classes[rows], unlike) @ outputs for part in classes.split(BLOCK_ROWS)])
    pull = alpha * bits * pull
    pull[rows] += beta * outputs
    products = alpha * outputs.T @ outputs
    for _ in range(passes):
        for bit in range(bits):
            others = solved @ products[:, bit] - solved[:, bit] * products[bit, bit]
            solved[:, bit] = _signs(pull[:, bit] - others)
    return solved.to(torch.int8)


def _signs(values: Tensor) -> Tensor:
    """-1 or 1; 0 counts as positive, as in `codes.pack`."""
    return torch.where(values >= 0, 1.0, -1.0).to(values.dtype)
