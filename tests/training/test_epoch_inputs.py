"""Epochs follow one another without a gap, and an order that follows from losses waits for them."""

import threading
import time
from contextlib import closing

import numpy as np
import pytest
import torch

from meteo_ray.training.epoch_inputs import EpochInputs
from meteo_ray.training.memory_guard import MemoryGuard
from meteo_ray.training.ready_batches import BatchMaker
from tests.training.line_task import LineTask

ROWS, BATCH = 20, 8


class Source:
    """Epochs of ROWS rows, in batches; remembers what it was asked for.

    Their orders follow from losses from the epoch `follows_from` on.
    """

    def __init__(self, follows_losses: bool, epochs: range = range(1, 4), follows_from: int = 0) -> None:
        self.orders: dict[int, np.ndarray | None] = {}
        self.follows, self.follows_from = follows_losses, follows_from
        guard = MemoryGuard(BATCH, 0.9, torch.device("cpu"))
        self.inputs = EpochInputs(
            epochs,
            np.zeros(ROWS, dtype=np.float32),
            self,
            BatchMaker(LineTask(), guard, torch.device("cpu")),
        )

    def follows_losses(self, epoch: int) -> bool:
        return self.follows and epoch >= self.follows_from

    def draw(self, epoch: int, row_loss: np.ndarray | None) -> np.ndarray:
        self.orders[epoch] = row_loss
        return np.random.default_rng(epoch).permutation(ROWS)

    def batches(self, epoch: int, order: np.ndarray):
        for start in range(0, ROWS, BATCH):
            rows = order[start : start + BATCH]
            yield {"row": rows, "ok": np.ones(len(rows), bool), "x": np.ones((len(rows), 3)), "y": rows + 100 * epoch}

    def wait_for(self, epoch: int) -> bool:
        deadline = time.monotonic() + 10
        while epoch not in self.orders and time.monotonic() < deadline:
            time.sleep(0.01)
        return epoch in self.orders


@pytest.mark.parametrize("follows_losses", [False, True])
def test_every_epoch_has_its_own_batches_in_order(follows_losses):
    source = Source(follows_losses)
    with closing(source.inputs) as inputs:
        for epoch in (1, 2, 3):
            assert inputs.draws() == ROWS
            targets = [tensors["y"] for batch in inputs.batches() for _, tensors in batch.pieces()]
            assert [len(part) for part in targets] == [8, 8, 4]
            expected = np.random.default_rng(epoch).permutation(ROWS) + 100 * epoch
            assert torch.cat(targets).tolist() == expected.tolist()
            inputs.learnt(epoch, np.full(ROWS, epoch, dtype=np.float32))


def test_the_next_epoch_begins_before_this_one_has_been_learnt():
    source = Source(follows_losses=False)
    with closing(source.inputs) as inputs:
        inputs.draws()
        for _ in inputs.batches():
            pass
        assert source.wait_for(2)
        assert source.orders == {1: None, 2: None}


def test_an_order_that_follows_from_losses_waits_for_those_of_the_epoch_before():
    source = Source(follows_losses=True)
    with closing(source.inputs) as inputs:
        for epoch in (1, 2):
            inputs.draws()
            for _ in inputs.batches():
                pass
            time.sleep(0.1)
            assert epoch + 1 not in source.orders
            losses = np.full(ROWS, epoch, dtype=np.float32)
            inputs.learnt(epoch, losses)
            losses[:] = -1  # what is learnt from now on must not be seen
            assert source.wait_for(epoch + 1)
            assert (source.orders[epoch + 1] == epoch).all()
        assert (source.orders[1] == 0).all()


def test_the_first_order_that_follows_from_losses_sees_those_of_the_epoch_before():
    source = Source(follows_losses=True, epochs=range(3), follows_from=2)
    with closing(source.inputs) as inputs:
        for epoch in range(3):
            inputs.draws()
            for _ in inputs.batches():
                pass
            inputs.learnt(epoch, np.full(ROWS, epoch + 7, dtype=np.float32))
        assert source.orders[0] is None
        assert source.orders[1] is None
        assert source.orders[2].tolist() == [8] * ROWS


@pytest.mark.parametrize("follows_losses", [False, True])
def test_closing_ends_it_wherever_it_is(follows_losses):
    before = threading.active_count()
    source = Source(follows_losses)
    source.inputs.draws()
    for _ in source.inputs.batches():
        pass
    source.inputs.close()
    assert threading.active_count() == before
