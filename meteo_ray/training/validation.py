"""A whole split through the model being trained."""

from collections.abc import Iterable

import torch
from torch import nn

from meteo_ray.batch import Batch, concatenate
from meteo_ray.errors import UsageError
from meteo_ray.training.device import autocast
from meteo_ray.training.ready_batches import ReadyBatch
from meteo_ray.training.task import Task


def collect_outputs(
    task: Task, model: nn.Module, batches: Iterable[ReadyBatch], device: torch.device, precision: str
) -> Batch:
    """`task.outputs` of every batch, joined in row order; the model is left in eval mode.

    Raises:
        UsageError: when not a single row could be read.
    """
    model.eval()
    parts = []
    with torch.inference_mode():
        for batch in batches:
            for _, tensors in batch.pieces():
                with autocast(device, precision):
                    parts.append(task.outputs(model, tensors))
    if not parts:
        raise UsageError(f"{task.name}: none of the validation images can be read; run jobs/prepare_data.py again")
    return concatenate(parts)
