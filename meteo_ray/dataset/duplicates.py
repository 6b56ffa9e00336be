"""Which images are the same, or nearly: groups that no split may tear apart (R3, R4).

Equal bytes are found by sha256. Near-equal pictures (saved again, resized, another format) are found by ImageHash's
DCT hash (phash) of the fitted 320x240 picture, which trimming and fitting have already freed from margins.
"""

from collections.abc import Sequence

import imagehash
import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

# 16 x 16 low frequencies = 256 bits.
HASH_SIZE = 16
HASH_BITS = HASH_SIZE * HASH_SIZE

# Two pictures are near-duplicates when at most this many of the 256 bits differ.
MAX_DISTANCE = 24

# Rows compared at once inside one bucket: 256 x 10,000 rows x 32 bytes = 80 MB at the worst.
_BLOCK_ROWS = 256


def perceptual_hash(pixels: np.ndarray) -> str:
    """The hash of a uint8 `(height, width, 3)` picture as 64 hex digits."""
    return str(imagehash.phash(Image.fromarray(pixels), hash_size=HASH_SIZE))


def duplicate_groups(sha256: Sequence[str], hashes: Sequence[str]) -> np.ndarray:
    """Group numbers int32 `(images,)`: equal for images linked by any chain of equal bytes or near-equal hashes.

    Numbers run from 0 in the order of first appearance.
    """
    count = len(sha256)
    unique_hashes, hash_number = np.unique(np.asarray(hashes, dtype=str), return_inverse=True)
    _, sha_number = np.unique(np.asarray(sha256, dtype=str), return_inverse=True)
    pairs = near_pairs(_bits(unique_hashes), MAX_DISTANCE)
    # Nodes: first the distinct hashes, then the distinct checksums; an image is an edge between its two.
    offset = len(unique_hashes)
    rows = np.concatenate([pairs[:, 0], hash_number])
    columns = np.concatenate([pairs[:, 1], sha_number + offset])
    size = offset + (int(sha_number.max()) + 1 if count else 0)
    graph = coo_array((np.ones(len(rows), dtype=bool), (rows, columns)), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    return _numbered_by_appearance(component[hash_number])


def near_pairs(bits: np.ndarray, distance: int) -> np.ndarray:
    """Every pair of rows that differ in at most `distance` bits, int64 `(pairs, 2)`, first < second, each once.

    `bits` is uint8 zeros and ones `(rows, bits)`, with more bits than `distance`. Exact, yet not quadratic: cut into
    `distance + 1` bands, two rows within the distance agree on at least one whole band (pigeonhole principle), so
    only rows that share a band are compared.
    """
    words = _words(bits)
    found = [np.empty((0, 2), dtype=np.int64)]
    for band in np.array_split(np.arange(bits.shape[1]), distance + 1):
        for bucket in _buckets(np.packbits(bits[:, band], axis=1)):
            found.append(_close_pairs(words, bucket, distance))
    return np.unique(np.concatenate(found), axis=0)


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
