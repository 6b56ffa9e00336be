"""A thread that works ahead of its consumer, and how long that still had to wait."""

import queue
import threading
import time
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")

# R7: batches that are ready, on the device where that is a GPU, while the one before is learnt.
DEPTH = 2

# How often a thread whose consumer has gone looks whether it has.
POLL_S = 0.2

# A closed thread may be inside a call that nobody can cut short, such as waiting for a block of images.
CLOSE_S = 30.0


class _End:
    """What the thread puts last: the error that ended it, or None."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class ReadAhead(Generic[T]):
    """Iterates over `items` in a thread, at most `depth` items ahead.

    What `items` raises is raised where its next item would have come. Closing it closes `items` too, if that is a
    generator; the thread runs that from its first line to its last.
    """

    def __init__(self, items: Iterator[T], depth: int = DEPTH) -> None:
        self.waited_s = 0.0
        """Seconds that the consumer has waited so far."""
        self._items = items
        self._queue: queue.Queue[T | _End] = queue.Queue(depth)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        started = time.perf_counter()
        item = self._queue.get()
        self.waited_s += time.perf_counter() - started
        if not isinstance(item, _End):
            return item
        self._queue.put(item)  # whoever asks once more gets the same answer
        raise item.error or StopIteration

    def close(self) -> None:
        """End the thread; what it has made is dropped."""
        self._closed.set()
        while True:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                break
        self._thread.join(CLOSE_S)

    def _run(self) -> None:
        error: BaseException | None = None
        try:
            for item in self._items:
                if not self._put(item):
                    break
        except BaseException as raised:
            error = raised
        finally:
            close = getattr(self._items, "close", None)
            if close is not None:
                close()
            self._put(_End(error))

    def _put(self, item: T | _End) -> bool:
        """False when nobody wants it any more."""
        while not self._closed.is_set():
            try:
                self._queue.put(item, timeout=POLL_S)
                return True
            except queue.Full:
                continue
        return False
