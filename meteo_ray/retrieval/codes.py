"""Binary codes: signs as bits in bytes, and how many bits differ."""

import numpy as np
from numpy.typing import NDArray

Codes = NDArray[np.uint8]
"""Packed bits, `(rows, code_bytes)`: bit 1 is a positive output, the first output in the highest bit of byte 0."""


def code_bytes(bits: int) -> int:
    """Bytes that hold a code; what is left of the last one is zero."""
    return -(-bits // 8)


def pack(outputs: NDArray[np.floating]) -> Codes:
    """Network outputs `(rows, bits)` -> codes; 0 counts as positive."""
    packed: Codes = np.packbits(np.asarray(outputs) >= 0, axis=1)
    return packed


def hamming(queries: Codes, items: Codes) -> NDArray[np.int64]:
    """How many bits differ, `(queries, items)`. A split asks block by block (`ranking`), an archive its index."""
    if queries.shape[1] != items.shape[1]:
        raise ValueError(f"codes of {queries.shape[1]} and {items.shape[1]} bytes have no distance")
    found = np.zeros((len(queries), len(items)), dtype=np.int64)
    for byte in range(queries.shape[1]):  # one at a time: all at once would take eight times the memory
        found += np.bitwise_count(queries[:, byte, None] ^ items[None, :, byte])
    return found
