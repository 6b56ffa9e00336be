"""Exact search over binary codes, by faiss."""

from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.files import safely_replaced
from meteo_ray.retrieval.codes import Codes

# Codes are searched as words of 64 bits, for which faiss has machine code of its own: of 6 bytes as they are a search
# takes several times as long (benchmarks/retrieval/search.py). What is left of a word is zero on both sides.
WORD_BYTES = 8


class HammingIndex:
    """Codes in the order in which they were added; 8 bytes of memory each."""

    def __init__(self, index: Any = None) -> None:
        self._index = index if index is not None else faiss.IndexBinaryFlat(8 * WORD_BYTES)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises UsageError when the file cannot be read."""
        try:
            return cls(faiss.read_index_binary(str(path)))
        except RuntimeError as error:
            first = str(error).strip().splitlines()[-1]
            raise UsageError(f"{path}: damaged: {first}; run jobs/index_archive.py again") from None

    def write(self, path: Path) -> None:
        """Whole or not at all; OSError where it cannot be written: faiss itself tells nothing of a full disk."""
        with safely_replaced(path) as file:
            file.write(faiss.serialize_index_binary(self._index).data)

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def add(self, codes: Codes) -> None:
        """Codes `(rows, code_bytes)` of at most 64 bits."""
        if len(codes):
            self._index.add(_words(codes))

    def search(self, codes: Codes, top: int) -> tuple[np.ndarray, np.ndarray]:
        """The nearest of each, the nearest first and equals in the order of the index.

        Returns:
            how many bits differ, int `(queries, found)`, and places in the index, int64 of the same shape; `found` is
            `top`, or less where there are fewer codes.
        """
        found = min(top, len(self))
        if not found or not len(codes):
            nothing = np.zeros((len(codes), 0), dtype=np.int64)
            return nothing, nothing
        distances, places = self._index.search(_words(codes), found)
        order = np.lexsort((places, distances))
        return np.take_along_axis(distances, order, 1), np.take_along_axis(places, order, 1)


def _words(codes: Codes) -> Codes:
    if codes.shape[1] > WORD_BYTES:
        raise ValueError(f"codes of {codes.shape[1]} bytes are longer than {WORD_BYTES}")
    return np.ascontiguousarray(np.pad(codes, ((0, 0), (0, WORD_BYTES - codes.shape[1]))))
