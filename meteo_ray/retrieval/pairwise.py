"""The pairwise loss: outputs of a batch against the codes of all training charts.

    L = alpha sum_ij (o_i . z_j - k S_ij)^2 + beta sum_i |z_i - o_i|^2

over rows i of the batch and j of the database without the batch, o = tanh of the outputs, z in {-1, 1}^k; S is 1 where
two charts are alike, else -1 or (`balanced`) -r with r the number of like pairs over that of unlike ones, so that both
weigh the same and hundreds of classes are not all asked to be opposite to each other.
"""

import torch
from torch import Tensor


def similarity(first: Tensor, second: Tensor, unlike: float) -> Tensor:
    """`S` of classes `(rows, classes)` and `(others, classes)` of 0 and 1: `(rows, others)` of 1 and `unlike`."""
    shared = first @ second.T > 0
    return torch.where(shared, 1.0, unlike).to(first.dtype)


def unlike_target(classes: Tensor, balanced: bool) -> float:
    """`S` of charts that are not alike, from the classes `(rows, classes)` of all training charts."""
    if not balanced:
        return -1.0
    like = sum(float((part @ classes.T > 0).sum()) for part in classes.split(BLOCK_ROWS))
    unlike = float(len(classes)) ** 2 - like
    return -like / unlike if unlike else -1.0


# Rows whose pairs with all others are looked at together: 512 x 100,000 floats are 200 MB.
BLOCK_ROWS = 512


def pairwise_loss(
    outputs: Tensor, own: Tensor, others: Tensor, target: Tensor, alpha: float, beta: float
) -> tuple[Tensor, Tensor]:
    """Both terms of the loss for each row, float `(batch,)` each; their sum is the loss.

    Both are divided by the number of other codes and of bits, as the pairwise methods' code does (SEMICON), so that a
    learning rate suits any number of charts and bits.

    Args:
        outputs: o, `(batch, bits)`, in (-1, 1).
        own: the rows' own codes, `(batch, bits)` of -1 and 1.
        others: codes of the database without the batch, `(others, bits)`.
        target: S, `(batch, others)`.
    """
    bits = outputs.shape[1]
    size = max(len(others), 1) * bits
    pairs = (outputs @ others.T - bits * target).square().sum(dim=1)
    codes = (own - outputs).square().sum(dim=1)
    return alpha * pairs / size, beta * codes / size
