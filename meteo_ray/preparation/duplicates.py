"""Which images are the same, or nearly: groups that no split may tear apart (R3, R4).

Equal bytes are found by sha256. Near-equal pictures (saved again, resized, another format) are found by ImageHash's
DCT hash (phash) of the fitted 320x240 picture, which trimming and fitting have already freed from margins.
"""

from collections.abc import Iterator

import imagehash
import numpy as np
from numpy.typing import ArrayLike
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# Charts share map outlines, so a coarse hash mistakes one chart for another and a fine one loses copies.
# Measured by benchmarks/near_duplicates.py on 970 real charts and look-alikes: with 256 bits of which 32 may differ,
# 96-99 % of the copies (saved as JPEG, shrunk, both) are found, while 46 pairs of files match, 3 of them charts of
# different content, in groups of 4 at most. The classic 64 bits need 8 to find as many copies (99 %) and then join 46
# pairs of different charts, in groups of 10; 576 bits never reach 97 %. A wrong match costs little (two charts stay
# in one split), a missed copy flatters a score.
HASH_SIZE = 16  # lowest frequencies in each direction
HASH_BITS = HASH_SIZE * HASH_SIZE
MAX_DISTANCE = 32

# Rows compared at once inside one bucket: 256 x 10,000 rows x 32 bytes = 80 MB at the worst.
_BLOCK_ROWS = 256


def perceptual_hash(pixels: np.ndarray) -> str:
    """The hash of a uint8 `(height, width, 3)` picture as 64 hex digits."""
    return str(imagehash.phash(Image.fromarray(pixels), hash_size=HASH_SIZE))


def duplicate_groups(sha256: ArrayLike, hashes: ArrayLike, distance: int = MAX_DISTANCE) -> np.ndarray:
    """Group numbers int32 `(images,)`: equal for images linked by any chain of equal bytes or near-equal hashes.

    Hashes are near-equal when at most `distance` bits differ. Numbers run from 0 in the order of first appearance.
    """
    distinct, hash_of_image = np.unique(np.asarray(hashes, dtype=str), return_inverse=True)
    groups = np.arange(len(distinct))
    for pairs in near_pairs(_bits(distinct), distance):
        graph = coo_array((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(len(distinct),) * 2)
        groups = join_partitions(groups, connected_components(graph, directed=False)[1])
    return _numbered_by_appearance(join_partitions(groups[hash_of_image], np.asarray(sha256, dtype=str)))


def near_any(hashes: ArrayLike, others: ArrayLike, distance: int = MAX_DISTANCE) -> np.ndarray:
    """Whether at most `distance` bits tell each of `hashes` `(images,)` from one of `others`, as bool `(images,)`."""
    known, wanted = (_words(_bits(np.asarray(part, dtype=str))) for part in (others, hashes))
    # One after the other: all pairs at once, 2000 images against 20,000 would take 1.3 GB.
    found = [(np.bitwise_count(known ^ one).sum(axis=1, dtype=np.int64) <= distance).any() for one in wanted]
    return np.array(found, dtype=bool)


def join_partitions(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Labels int `(rows,)`: equal for rows that either partition `(rows,)` puts together, directly or in a chain."""
    first_names, first_number = np.unique(first, return_inverse=True)
    second_names, second_number = np.unique(second, return_inverse=True)
    offset, size = len(first_names), len(first_names) + len(second_names)
    edges = (np.ones(len(first_number), dtype=bool), (first_number, second_number + offset))
    _, component = connected_components(coo_array(edges, shape=(size, size)), directed=False)
    return component[first_number]


def near_pairs(bits: np.ndarray, distance: int) -> Iterator[np.ndarray]:
    """Yield every pair of rows that differ in at most `distance` bits, as arrays int64 `(pairs, 2)`, first < second.

    `bits` is uint8 zeros and ones `(rows, bits)`, with more bits than `distance`. Exact, yet not quadratic: cut into
    `distance + 1` bands, two rows within the distance agree on at least one whole band (pigeonhole principle), so
    only rows that share a band are compared. A pair that shares several bands comes several times.
    """
    words = _words(bits)
    for band in np.array_split(np.arange(bits.shape[1]), distance + 1):
        found = [_close_pairs(words, bucket, distance) for bucket in _buckets(np.packbits(bits[:, band], axis=1))]
        if found:
            yield np.concatenate(found)


def _buckets(keys: np.ndarray) -> list[np.ndarray]:
    """Ascending row numbers of every group of two or more equal rows of `keys` `(rows, bytes)`."""
    if not len(keys):
        return []
    _, inverse, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    by_key = np.argsort(inverse.ravel(), kind="stable")
    groups = np.split(by_key, np.cumsum(counts)[:-1])
    return [groups[number] for number in np.flatnonzero(counts > 1)]


def _close_pairs(words: np.ndarray, bucket: np.ndarray, distance: int) -> np.ndarray:
    """The pairs of rows of one bucket that differ in at most `distance` bits, compared block by block."""
    found = []
    for start in range(0, len(bucket), _BLOCK_ROWS):
        block = bucket[start : start + _BLOCK_ROWS]
        rest = bucket[start:]
        differing = np.bitwise_count(words[block, None] ^ words[None, rest]).sum(axis=2, dtype=np.int64)
        first, second = np.nonzero(np.triu(differing <= distance, k=1))
        found.append(np.stack([block[first], rest[second]], axis=1))
    return np.concatenate(found)


def _words(bits: np.ndarray) -> np.ndarray:
    """The bits packed into uint64 `(rows, words)`, zeros at the end."""
    packed = np.packbits(bits, axis=1)
    padding = -packed.shape[1] % 8
    return np.ascontiguousarray(np.pad(packed, ((0, 0), (0, padding)))).view(np.uint64)


def _bits(hashes: np.ndarray) -> np.ndarray:
    """Hexadecimal hashes as uint8 zeros and ones `(hashes, HASH_BITS)`."""
    packed = np.frombuffer(bytes.fromhex("".join(hashes)), dtype=np.uint8).reshape(len(hashes), HASH_BITS // 8)
    return np.unpackbits(packed, axis=1)


def _numbered_by_appearance(labels: np.ndarray) -> np.ndarray:
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int32)
    rank[np.argsort(first)] = np.arange(len(first), dtype=np.int32)
    return rank[inverse]
