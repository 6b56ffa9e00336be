"""Learning rates against torch's own schedulers, and the phases' bookkeeping."""

import pytest
import torch

from meteo_ray.training.learning_rate import learning_rate, locate, total_epochs
from meteo_ray.training.task import Phase


def test_the_cosine_is_torchs():
    phase = Phase("all", 10, {"a": 1e-3}, minimum_learning_rate=1e-6)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1e-3)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=10, eta_min=1e-6)
    for epoch in range(10):
        assert learning_rate(phase, 1e-3, epoch) == pytest.approx(reference.get_last_lr()[0], rel=1e-9)
        optimizer.step()
        reference.step()


def test_warm_up_is_linear_and_meets_the_peak():
    phase = Phase("all", 10, {}, warmup_epochs=4)
    assert [learning_rate(phase, 1.0, t) for t in (0, 1, 2, 4)] == pytest.approx([0, 0.25, 0.5, 1.0])


def test_a_phase_that_is_all_warm_up_never_divides_by_zero():
    assert learning_rate(Phase("all", 2, {}, warmup_epochs=2), 1.0, 2.0) == pytest.approx(1.0)


def test_epochs_find_their_phase_and_empty_phases_are_skipped():
    phases = [Phase("a", 2, {}), Phase("none", 0, {}), Phase("b", 3, {}), Phase("zero", 0, {})]
    assert total_epochs(phases) == 5
    found = [locate(phases, epoch) for epoch in range(5)]
    assert [p.phase.name for p in found] == ["a", "a", "b", "b", "b"]
    assert [p.epochs_done for p in found] == [0, 1, 0, 1, 2]
    assert [p.is_last_phase for p in found] == [False, False, True, True, True]
    with pytest.raises(IndexError):
        locate(phases, 5)
