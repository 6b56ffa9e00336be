"""The gate's loss: alpha * BCE + (1 - alpha) * focal (R10)."""

from torch import Tensor
from torch.nn import functional as F
from torchvision.ops import sigmoid_focal_loss


def gate_loss(logits: Tensor, targets: Tensor, bce_share: float = 0.7, gamma: float = 2.0) -> Tensor:
    """Loss of every row, `(batch,)`, computed in float32.

    The focal part is `-(1 - p_t)^gamma log p_t` (Lin et al. 2017, equation 5, with class weight alpha_t = 1: batches
    are balanced by sampling already, R12).

    Args:
        logits: `(batch,)`, any float type.
        targets: `(batch,)` of 0 and 1.
        bce_share: alpha.
        gamma: focusing exponent.
    """
    logits, targets = logits.float(), targets.float()
    cross_entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    # alpha=-1 is torchvision's way of saying "no class weight".
    focal = sigmoid_focal_loss(logits, targets, alpha=-1, gamma=gamma, reduction="none")
    return bce_share * cross_entropy + (1 - bce_share) * focal
