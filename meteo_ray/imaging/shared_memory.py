"""Memory that a guarded child writes and its parent reads: pixels need not pass through a pipe.

The child may write there what it likes and when it likes, so what is read there is only ever taken for pixels.
"""

import fcntl
import mmap
import os


class SharedMemory:
    """The parent's side. `descriptor` goes to the child; close it when the child has gone."""

    def __init__(self, size: int) -> None:
        """Raises OSError when there is no memory, or no file descriptor, to be had."""
        self.size = size
        self.descriptor = os.memfd_create("meteo_ray", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            os.ftruncate(self.descriptor, size)
            # A child that made it shorter would kill a parent that reads beyond its end.
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, seals)
            self._bytes = mmap.mmap(self.descriptor, size, prot=mmap.PROT_READ)
        except BaseException:
            os.close(self.descriptor)
            raise

    def first(self, count: int) -> memoryview:
        """The first `count` bytes as they are now, and change with the child's next answer. Raises ValueError."""
        if type(count) is not int or not 0 <= count <= self.size:
            raise ValueError(f"{count!r} of {self.size} shared bytes")
        return memoryview(self._bytes)[:count]

    def close(self) -> None:
        """Give up the descriptor. The memory goes with the last view of it."""
        os.close(self.descriptor)


def opened(descriptor: int) -> mmap.mmap | None:
    """The child's side; None for a descriptor of -1."""
    return None if descriptor < 0 else mmap.mmap(descriptor, 0)
