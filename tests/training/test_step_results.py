"""Numbers that are read later are the same numbers, and one that is none is told with its step."""

import numpy as np
import pytest
import torch

from meteo_ray.errors import UsageError
from meteo_ray.training import step_results
from meteo_ray.training.step_results import EpochResults, StepResult
from meteo_ray.training.task import Loss, Progress


def result(step: int, sizes: tuple[int, ...], norm: float = 1.0) -> StepResult:
    """Rows 10 * step and on; the loss of micro-batch m is step + m / 10."""
    losses = []
    for number, size in enumerate(sizes):
        value = torch.tensor(step + number / 10)
        losses.append((size, Loss(value, {"part": value * 2}, value.repeat(size).to(torch.bfloat16))))
    rows = np.arange(sum(sizes)) + 10 * step
    return StepResult(Progress(2, step, 0.0), rows, losses, torch.tensor(norm), 1e-3)


@pytest.mark.parametrize("read_every", [1, 3, 1000])
def test_means_and_row_losses_do_not_depend_on_when_they_are_read(monkeypatch, read_every):
    monkeypatch.setattr(step_results, "READ_STEPS", read_every)
    results = EpochResults("epoch", 40, "gate")
    for step in range(5):
        results.add(result(step, (4, 2), norm=float(step)), 0.0)
    results.read(0.0)
    single = torch.tensor([step + number / 10 for step in range(5) for number in (0, 1)]).double()
    weights = torch.tensor([4, 2] * 5)
    loss = float((single * weights).sum() / 30)
    means = results.means()
    assert means["train/loss"] == pytest.approx(loss, rel=1e-12)
    assert means["train/part"] == pytest.approx(2 * loss, rel=1e-6)
    assert means["train/gradient_norm"] == 2.0
    row_loss = np.full(50, np.nan, dtype=np.float32)
    results.enter_row_losses(row_loss)
    assert np.isnan(row_loss[[6, 9, 49]]).all()
    bfloat16 = float(torch.tensor(0.1).bfloat16())
    np.testing.assert_array_equal(row_loss[[0, 3, 4, 10, 40]], np.float32([0, 0, bfloat16, 1, 4]))


def test_of_a_row_that_was_drawn_twice_the_later_loss_stays():
    results = EpochResults("epoch", 40, "gate")
    for step in (3, 1):
        one = result(step, (2,))
        results.add(StepResult(one.progress, np.array([7, 7]), one.losses, one.gradient_norm, 0.0), 0.0)
    row_loss = np.zeros(8, dtype=np.float32)
    results.enter_row_losses(row_loss)
    assert row_loss.tolist() == [0, 0, 0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_gradient_that_is_no_number_is_told_with_its_step(value):
    results = EpochResults("epoch", 1000, "gate")
    for step in range(step_results.READ_STEPS - 1):
        results.add(result(step, (1,), norm=value if step >= 4 else 1.0), 0.0)
    with pytest.raises(UsageError, match=r"epoch 3, step 4\)"):
        results.add(result(50, (1,)), 0.0)


def test_an_epoch_without_rows_has_means_of_zero():
    results = EpochResults("epoch", 10, "gate")
    results.add(StepResult(Progress(0, 0, 0.0), np.zeros(0, dtype=int), [], torch.tensor(0.0), 0.0), 0.0)
    results.read(0.0)
    row_loss = np.full(3, np.nan, dtype=np.float32)
    results.enter_row_losses(row_loss)
    assert results.means() == {"train/gradient_norm": 0.0}
    assert np.isnan(row_loss).all()
