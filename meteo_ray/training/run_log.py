"""A run's log: workers write it into the run's folder, the job shows it as it grows.

Ray would forward the workers' output too, with a prefix of 40 characters before every line and its own remarks in
between; this way the terminal, the job's log and the file on disk read the same.
"""

import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE = "train.log"
POLL_S = 0.5


def log_to_run(folder: Path, rank: int) -> None:
    """Send this worker's log to the run's file; workers but the first only their warnings."""
    handler = logging.FileHandler(folder / FILE, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", datefmt="%H:%M:%S"))
    logger = logging.getLogger("meteo_ray")
    logger.handlers = [handler]
    logger.setLevel(logging.INFO if rank == 0 else logging.WARNING)
    logger.propagate = False


@contextmanager
def followed(folder: Path) -> Iterator[None]:
    """Copy what is added to the run's log to stderr while the block runs."""
    path = folder / FILE
    position = path.stat().st_size if path.is_file() else 0
    stop = threading.Event()

    def follow() -> None:
        nonlocal position
        while True:
            last_look = stop.wait(POLL_S)
            if path.is_file():
                with path.open(encoding="utf-8", errors="replace") as file:
                    file.seek(position)
                    sys.stderr.write(file.read())
                    sys.stderr.flush()
                    position = file.tell()
            if last_look:
                return

    thread = threading.Thread(target=follow, name="run-log", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
