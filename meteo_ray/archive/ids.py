"""Image ids as numbers: eight bytes a file, so that millions of them fit into a process."""

import numpy as np
import pyarrow as pa

# Ids that are merged into the large array together: inserting into 100,000 numbers copies 0.8 MB, into five million 40.
RECENT_IDS = 100_000


def id_numbers(image_ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """The ids, 16 hex digits each, as uint64 `(rows,)`."""
    return np.frombuffer(bytes.fromhex("".join(image_ids.to_pylist())), dtype=">u8").astype(np.uint64)


def contains(sorted_numbers: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """For each of `numbers` whether it is in `sorted_numbers`, bool `(rows,)`."""
    if not len(sorted_numbers):
        return np.zeros(len(numbers), dtype=bool)
    positions = np.minimum(np.searchsorted(sorted_numbers, numbers), len(sorted_numbers) - 1)
    found: np.ndarray = sorted_numbers[positions] == numbers
    return found


class IdSet:
    """A growing set of ids: eight bytes each, however many."""

    def __init__(self) -> None:
        self._sorted = np.empty(0, dtype=np.uint64)
        self._recent = np.empty(0, dtype=np.uint64)

    def __len__(self) -> int:
        return len(self._sorted) + len(self._recent)

    def contains(self, numbers: np.ndarray) -> np.ndarray:
        """For each of `numbers`, uint64 `(rows,)`, whether it has been added, bool `(rows,)`."""
        return contains(self._sorted, numbers) | contains(self._recent, numbers)

    def add(self, numbers: np.ndarray) -> np.ndarray:
        """Add ids; for each whether it was new and stands for the first time, bool `(rows,)`."""
        new = np.zeros(len(numbers), dtype=bool)
        new[np.unique(numbers, return_index=True)[1]] = True
        new &= ~self.contains(numbers)
        added = np.sort(numbers[new])
        self._recent = np.insert(self._recent, np.searchsorted(self._recent, added), added)
        if len(self._recent) > RECENT_IDS:
            self._sorted = np.insert(self._sorted, np.searchsorted(self._sorted, self._recent), self._recent)
            self._recent = np.empty(0, dtype=np.uint64)
        return new
