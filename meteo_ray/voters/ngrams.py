"""Shares of hashed character n-grams (tf-idf) of what is written on a chart, title and whole text apart.

They learn how offices write and forgive the slips of text recognition.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.preprocessing import normalize

Floats = NDArray[np.float32]
Written = Sequence[tuple[str, str]]
"""Title and text of each page, normalised; a `Page` is such a pair."""

# Character n-grams within words. Of 2^13, 2^14, 2^15 and 2^17 hashed features all did alike on unseen real sources, as
# did n-grams from 1 or 3 and to 4 (255 charts, docs/results.md).
NGRAMS = (2, 5)
HASHED = 2**13
BLOCKS = 2

WIDTH = BLOCKS * HASHED + 1
"""Columns of `NgramCounts.features`."""


@dataclass(frozen=True)
class NgramCounts:
    """What is counted on pages before anything is learnt of them: n-grams of title and text, `(pages, HASHED)` each,
    and whether nothing is written, `(pages, 1)`."""

    blocks: tuple[sparse.csr_matrix, ...]
    empty: sparse.csr_matrix

    @classmethod
    def of(cls, pages: Written) -> Self:
        empty = np.array([[not text] for _, text in pages], dtype=np.float32).reshape(-1, 1)
        return cls(tuple(_counts(pages)), sparse.csr_matrix(empty))

    def taken(self, rows: np.ndarray) -> Self:
        return type(self)(tuple(block[rows] for block in self.blocks), self.empty[rows])

    def rarity(self) -> Floats:
        """Inverse document frequencies of the n-grams of both blocks, `(2 * HASHED,)`, learnt from these pages."""
        return np.concatenate([TfidfTransformer().fit(block).idf_ for block in self.blocks]).astype(np.float32)

    def features(self, rarity: Floats) -> sparse.csr_matrix:
        """Weighted n-grams, each block of length 1, and whether nothing is written: `(pages, WIDTH)`."""
        blocks = zip(self.blocks, np.split(rarity, BLOCKS), strict=True)
        weighted = [normalize(counts.multiply(part).tocsr()) for counts, part in blocks]
        return sparse.hstack([*weighted, self.empty]).tocsr()


def _counts(pages: Written) -> list[sparse.csr_matrix]:
    """Hashed n-grams of each block of the pages, `(pages, HASHED)`."""
    hasher = HashingVectorizer(
        analyzer="char_wb", ngram_range=NGRAMS, n_features=HASHED, alternate_sign=False, norm=None, lowercase=False
    )
    counts = [hasher.transform([page[block] for page in pages]) for block in range(BLOCKS)]
    for block in counts:
        block.data = 1 + np.log(block.data)  # a word that stands there ten times does not say ten times as much
    return counts
