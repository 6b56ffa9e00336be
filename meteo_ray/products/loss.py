"""What training minimises: the right answer's surprise, its rank among the candidates, or both.

A ranking compares total log-likelihoods, so totals are what is trained, not means over an answer's tokens: with means a
long name's tokens would weigh less than a short one's, and what is learnt would not be what decides.
"""

import torch
from torch import nn


def answer_loss(scores: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Negative log-likelihood of each row's right answer (R34): float32 `(rows,)`.

    Args:
        scores: log-likelihoods `(rows, answers)`, as `log_likelihoods` gives them.
        right: int64 `(rows,)`, the right answer's column.
    """
    return -scores.gather(1, right[:, None])[:, 0]


def candidate_loss(scores: torch.Tensor, right: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the right answer under the softmax over the row's answers: float32 `(rows,)`.

    That softmax is what the verdict hears of the language model (verdict.py); `real` bool `(rows, answers)` is false
    where the row has no such answer.
    """
    return nn.functional.cross_entropy(scores.masked_fill(~real, -torch.inf), right, reduction="none")
