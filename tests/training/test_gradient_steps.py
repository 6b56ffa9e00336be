"""What a step leaves lies where the device computes, so that nothing waits and all of it can be read at once."""

import numpy as np
import pytest
import torch

from meteo_ray.training.config import LoopSettings
from meteo_ray.training.distributed import Workers
from meteo_ray.training.gradient_steps import Stepper
from meteo_ray.training.memory_guard import MemoryGuard
from meteo_ray.training.ready_batches import ReadyBatch, Transfer
from meteo_ray.training.task import Progress
from tests.training.line_task import LineTask


@pytest.mark.parametrize("rows", [0, 4])
def test_the_numbers_of_a_step_lie_on_one_device(rows):
    """Of a batch without a row that can be read too; torch's device without memory stands for a GPU."""
    task, device, settings = LineTask(), torch.device("meta"), LoopSettings(precision="fp32")
    model = task.build().to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    batch = {"row": np.arange(rows), "ok": np.ones(rows, bool), "x": [np.ones(3)] * rows, "y": np.ones(rows)}
    ready = ReadyBatch(task, batch, 4, lambda tensors: Transfer(device)({n: t.to(device) for n, t in tensors.items()}))
    stepper = Stepper(task, model, optimizer, MemoryGuard(4, 0.9, device), settings, device, Workers())
    found = stepper.step(ready, Progress(0, 0, 0.0))
    assert len(found.rows) == rows
    assert {number.device for number in found.numbers()} == {device}
