"""The pointwise rival: every class has one fixed binary code, and outputs are to point towards it (OrthoHash).

Hoe et al. 2021, "One Loss for All": cross-entropy over scaled cosines between the outputs and all classes' codes, the
own class's reduced by a margin. Charts of several classes are to point towards each of them alike.
"""

import numpy as np
import torch
from scipy.linalg import hadamard
from torch import Tensor
from torch.nn import functional as F


def class_codes(classes: int, bits: int, seed: int) -> Tensor:
    """Far-apart codes, float32 `(classes, bits)` of -1 and 1.

    Rows of a Hadamard matrix are as far apart as codes can be, bits / 2; where their number of bits or of classes does
    not suit, fair coins stand in, as in the paper, drawn again for a class that got another's code.
    """
    rng = np.random.default_rng([seed, classes, bits])
    power = bits > 0 and bits & (bits - 1) == 0
    if power and classes <= 2 * bits:
        both = np.concatenate([hadamard(bits), -hadamard(bits)])
        return torch.from_numpy(both[:classes].astype(np.float32))
    codes = rng.choice([-1.0, 1.0], size=(classes, bits))
    while classes <= 2**bits and len(again := _repeated(codes)):  # else two classes could not be told apart
        codes[again] = rng.choice([-1.0, 1.0], size=(len(again), bits))
    return torch.from_numpy(codes.astype(np.float32))


def _repeated(codes: np.ndarray) -> np.ndarray:
    """The rows that stand there before."""
    return np.setdiff1d(np.arange(len(codes)), np.unique(codes, axis=0, return_index=True)[1])


def pointwise_loss(outputs: Tensor, codes: Tensor, classes: Tensor, margin: float, scale: float) -> Tensor:
    """The cross-entropy of each row, float `(batch,)`.

    Args:
        outputs: `(batch, bits)`, before any tanh.
        codes: of all classes, `(classes, bits)`.
        classes: of the rows, `(batch, classes)` of 0 and 1, at least one each.
    """
    cosines = F.normalize(outputs, dim=1) @ F.normalize(codes, dim=1).T
    shares = classes / classes.sum(dim=1, keepdim=True)
    logits = scale * (cosines - margin * classes)
    return -(shares * torch.log_softmax(logits, dim=1)).sum(dim=1)
