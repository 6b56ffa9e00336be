"""Files of judged rows read once more, at another size, ahead of whoever looks at them."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from meteo_ray.archive.cascade.judged_rows import Row, unjudged
from meteo_ray.archive.inputs.source import LocalSource, RemoteSource
from meteo_ray.archive.reading.limits import Limits
from meteo_ray.archive.reading.reader import Read, Reader
from meteo_ray.schema import ERROR

Item = TypeVar("Item")
Result = TypeVar("Result")


class SecondLook:
    """Reads the files of rows of JUDGED at `size` (width, height), or as pages, up to `ahead` before they are asked
    for."""

    def __init__(
        self, source: LocalSource | RemoteSource, limits: Limits, size: tuple[int, int] | None, ahead: int
    ) -> None:
        self._reader, self._ahead = Reader(source, limits, size), ahead
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="decode")

    def __call__(self, rows: Sequence[Row]) -> Iterator[tuple[Row, Read]]:
        """Each row with its file, in order.

        Raises:
            MachineFault: when files cannot be read because the machine or the archive as a whole is not well.
        """
        return zip(rows, in_order_ahead(self._pool, self._read, rows, self._ahead), strict=True)

    def _read(self, row: Row) -> Read:
        # Its own status and reason are the verdict on the first look.
        return self._reader.read_rows([{**row, "status": "", "reason": ""}])[0]


def is_unchanged(row: Row, read: Read) -> bool:
    """Whether the file still holds what the row was judged by."""
    return bool(read.sha256) and read.sha256 == row["sha256"]


def lost(read: Read) -> Row:
    """What is written of a row whose file cannot be read again, or not as it was."""
    status, reason = (read.status, read.reason) if read.image is None else (ERROR, "changed")
    return unjudged({"status": status, "reason": reason, "detail": read.detail})


def in_order_ahead(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item], depth: int
) -> Iterator[Result]:
    """Results in the order of `items`, computed up to `depth` items before they are asked for."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(function, item))
        if len(waiting) > depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
