"""Engines that do what OCR engines have been seen to do: hang, crash, grow, answer nonsense."""

import os
import signal
import time
from typing import Any

_held: list[bytearray] = []


def read_lines(descriptor: int, width: int, height: int, mode: str) -> dict[str, Any]:
    """The first pixel's red says what happens; the text is this process's id."""
    what = os.pread(descriptor, 1, 0)[0]
    if what == HANGS:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(600)
    if what == EXITS:
        os._exit(3)
    if what in (CRASHES_ONCE, IS_KILLED_ONCE):
        os.pwrite(descriptor, bytes([READS]), 0)  # the only place that outlives it
        os.kill(os.getpid(), signal.SIGSEGV if what == CRASHES_ONCE else signal.SIGKILL)
    if what == FAILS:
        raise MemoryError("no room")
    if what == GROWS:
        _held.append(bytearray(b"x") * GROWTH_BYTES)
    if what == LIES:
        return {"lines": [{"text": "off the page", "left": -1, "top": 0, "right": 9, "bottom": 1, "score": 1}]}
    if what == BABBLES:
        return {"lines": [{"text": 7}]}
    line = {"text": str(os.getpid()), "left": 0, "top": 0, "right": 1, "bottom": 1}
    return {"lines": [{**line, "score": 0.9}, {**line, "score": 0.1}]}


READS, HANGS, EXITS, CRASHES_ONCE, IS_KILLED_ONCE, FAILS, GROWS, LIES, BABBLES = range(9)

GROWTH_BYTES = 64 * 2**20
