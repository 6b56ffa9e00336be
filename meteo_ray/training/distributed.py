"""Several training workers on one batch: each computes its share, gradients are averaged before the step.

Plain averaging instead of DistributedDataParallel, because tasks call more than `forward` on their model and the
wrapper only watches that.
"""

from collections.abc import Iterable

import numpy as np
import torch
import torch.distributed as dist


def share_of(order: np.ndarray, rank: int, world_size: int) -> np.ndarray:
    """This worker's draws; all shares are equally long (up to world_size - 1 draws are left out)."""
    return order[: len(order) - len(order) % world_size][rank::world_size]


def of_first_rank(value: float, world_size: int) -> float:
    """The first worker's value in every worker, so that all stop after the same epoch.

    Batch statistics, and with them validation, differ a little from worker to worker.
    """
    if world_size == 1:
        return value
    values = [value]
    dist.broadcast_object_list(values)
    return values[0]


def average_gradients(parameters: Iterable[torch.nn.Parameter], world_size: int) -> None:
    """Replace every gradient by its mean over the workers; a worker without one counts as zero."""
    if world_size == 1:
        return
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    if not trained:
        return
    for parameter in trained:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    flat = torch.cat([parameter.grad.reshape(-1).float() for parameter in trained if parameter.grad is not None])
    dist.all_reduce(flat)
    flat /= world_size
    for parameter, piece in zip(trained, flat.split([p.numel() for p in trained]), strict=True):
        parameter.grad = piece.view_as(parameter).to(parameter.dtype)
