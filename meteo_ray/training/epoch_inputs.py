"""The batches of all epochs, made ready in one thread that goes on from one epoch into the next."""

import queue
from collections.abc import Callable, Iterator
from typing import Protocol, cast

import numpy as np

from meteo_ray.batch import Batch
from meteo_ray.training.read_ahead import ReadAhead
from meteo_ray.training.ready_batches import ReadyBatch

# No epoch's number: -1 is that of the losses known before epoch 0.
_CLOSED = None


class Source(Protocol):
    """See `TrainingRows`."""

    def follows_losses(self, epoch: int) -> bool: ...

    def draw(self, epoch: int, row_loss: np.ndarray | None) -> np.ndarray: ...

    def batches(self, epoch: int, order: np.ndarray) -> Iterator[Batch]: ...


class EpochInputs:
    """Reads ahead through `epochs`: while one is learnt to its end and validated, the next is being prepared.

    Where the order of an epoch follows from the losses of the one before, the thread waits for them at its border;
    they are known when the steps are done, before the validation.

    Args:
        epochs: their numbers, in order.
        row_loss: float32 `(rows,)`, as known before the first of them.
        source: what an epoch draws, and its prepared batches. It is given no row losses where it needs none.
        make_ready: see `BatchMaker`.
    """

    def __init__(
        self,
        epochs: range,
        row_loss: np.ndarray,
        source: Source,
        make_ready: Callable[[Batch], ReadyBatch],
    ) -> None:
        self._epochs, self._source, self._make_ready = epochs, source, make_ready
        self._learnt: queue.Queue[tuple[int | None, np.ndarray | None]] = queue.Queue()
        self.learnt(epochs.start - 1, row_loss)
        self._ahead: ReadAhead[int | ReadyBatch | None] = ReadAhead(self._items())

    @property
    def waited_s(self) -> float:
        """Seconds that training has waited for its data so far, over all epochs."""
        return self._ahead.waited_s

    def draws(self) -> int:
        """How many rows the next epoch draws, in all workers. Then `batches` gives those of this one."""
        return cast(int, next(self._ahead))

    def batches(self) -> Iterator[ReadyBatch]:
        """The batches of the epoch that `draws` began."""
        for item in self._ahead:
            if item is None:
                return
            yield cast(ReadyBatch, item)

    def learnt(self, epoch: int, row_loss: np.ndarray) -> None:
        """The steps of an epoch are done; its row losses may decide about the next one's order."""
        self._learnt.put((epoch, row_loss.copy()))

    def close(self) -> None:
        self._learnt.put((_CLOSED, None))
        self._ahead.close()

    def _items(self) -> Iterator[int | ReadyBatch | None]:
        """For every epoch its number of draws, its batches, and None."""
        for epoch in self._epochs:
            row_loss = self._losses_before(epoch) if self._source.follows_losses(epoch) else None
            order = self._source.draw(epoch, row_loss)
            yield len(order)
            batches = self._source.batches(epoch, order)
            try:
                for batch in batches:
                    yield self._make_ready(batch)
            finally:
                close = getattr(batches, "close", None)
                if close is not None:
                    close()
            yield None

    def _losses_before(self, epoch: int) -> np.ndarray | None:
        """Waits until the epoch before has been learnt."""
        while True:
            number, row_loss = self._learnt.get()
            if number in (epoch - 1, _CLOSED):
                return row_loss
