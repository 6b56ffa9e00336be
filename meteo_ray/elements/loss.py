"""The two losses of the network and their sum: alpha * BCE + beta * sequence (R21)."""

import math

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
    return _mean_over_labels(focal, targets, class_weights)


def asymmetric_loss(
    logits: Tensor,
    targets: Tensor,
    class_weights: Tensor,
    gammas: tuple[float, float] = (0.0, 4.0),
    margin: float = 0.05,
) -> Tensor:
    """Asymmetric loss of every row (Ridnik et al. 2021, equations 4 to 7), the mean over its labels, `(batch,)` in
    float32.

    -1/L sum_i [ w_i y_i (1 - p_i)^gamma+ log p_i + (1 - y_i) m_i^gamma- log(1 - m_i) ],  m_i = max(p_i - margin, 0)

    Args:
        logits, targets, class_weights: as those of `parallel_loss`, which this is with equal gammas and no margin.
        gammas: focusing exponents of present and of absent labels.
        margin: absent labels that are held less likely than this cost nothing.
    """
    logits = _wide(logits)
    positive_gamma, negative_gamma = gammas
    # Exponents below 1 have an infinite slope at 0, and infinity times 0 is no number.
    tiny = torch.finfo(logits.dtype).tiny
    missed = torch.sigmoid(-logits).clamp(min=tiny)
    feared = (torch.sigmoid(logits) - margin).clamp(min=tiny)
    present = -(missed**positive_gamma) * F.logsigmoid(logits)
    absent = -(feared**negative_gamma) * _log_of_rest(logits, margin)
    return _mean_over_labels(torch.where(targets > 0, present, absent), targets, class_weights)


def _log_of_rest(logits: Tensor, margin: float) -> Tensor:
    """log(1 - max(p - margin, 0)), without rounding 1 - p = sigmoid(-logits) to 0."""
    log_margin = logits.new_tensor(math.log(margin) if margin else -math.inf)
    return torch.logaddexp(F.logsigmoid(-logits), log_margin).clamp(max=0)


def _mean_over_labels(terms: Tensor, targets: Tensor, class_weights: Tensor) -> Tensor:
    """`(batch, labels)` -> `(batch,)`; the terms of labels that are present count by their class weights."""
    return (terms * torch.where(targets > 0, class_weights, 1.0)).mean(dim=1)


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
