"""The two losses of the network and their sum: alpha * BCE + beta * sequence (R21)."""

import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss

# Marks the padding of label sequences.
PADDING = -1


def parallel_loss(logits: Tensor, targets: Tensor, class_weights: Tensor, gamma: float = 2.0) -> Tensor:
    """Focal binary cross-entropy of every row, the mean over its labels, `(batch,)` in float32.

    -1/L sum_i [ w_i y_i (1 - p_i)^gamma log p_i + (1 - y_i) p_i^gamma log(1 - p_i) ]   (Lin et al. 2017, equation 5)

    Args:
        logits: `(batch, labels)`.
        targets: `(batch, labels)` of 0 and 1.
        class_weights: `(labels,)`, w: how much more a label's presence counts than its absence.
        gamma: focusing exponent; 0 gives plain cross-entropy.
    """
    logits = _wide(logits)
    targets = targets.to(logits.dtype)
    # alpha=-1 switches off torchvision's single class weight; ours differ by label.
    focal = sigmoid_focal_loss(logits, targets, alpha=-1, gamma=gamma, reduction="none")
    return (focal * torch.where(targets > 0, class_weights, 1.0)).mean(dim=1)


def sequence_loss(logits: Tensor, sequences: Tensor) -> Tensor:
    """Cross-entropy of every row's label sequence, the mean over its own steps, `(batch,)` in float32.

    Args:
        logits: `(batch, steps, labels + 1)`.
        sequences: int64 `(batch, steps)`: labels, <eos>, then PADDING. Every row holds at least <eos>.
    """
    steps = F.cross_entropy(_wide(logits).transpose(1, 2), sequences, ignore_index=PADDING, reduction="none")
    return steps.sum(dim=1) / (sequences != PADDING).sum(dim=1)


def _wide(tensor: Tensor) -> Tensor:
    """At least float32, whatever autocast made of it."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
