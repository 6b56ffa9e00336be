"""The output folder: one run, one job at a time, and nothing lost by mistake."""

import errno
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meteo_ray.errors import MeteoRayError, UsageError
from meteo_ray.files import storable

RUN, MANIFEST = "run.json", "manifest"
PREDICTIONS, SUMMARY, REPORT = "predictions", "summary.json", "report.html"
TABLES = {"csv": "predictions.csv", "jsonl": "predictions.jsonl"}
SORTED = "sorted"
LOCK = ".lock"


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the folder for this job; the lock vanishes with the process, however it ends.

    Raises:
        UsageError: when another job holds it, or when it cannot be written to.
    """
    if storable(str(out)) != str(out):
        raise UsageError(f"--out {storable(str(out))}: its name is not UTF-8, which Parquet files need")
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = (out / LOCK).open("a")
    except OSError as error:
        raise UsageError(f"--out {out}: cannot be written to: {error.strerror}") from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"--out {out}: another job is writing there; wait for it or give another folder") from None
        yield


@contextmanager
def explained_write_errors(out: Path, flag: str = "--out", again: str = "run again with --resume") -> Iterator[None]:
    """A full or read-only disk becomes one message that says how to go on."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
            message = f"{flag} {out}: {error.strerror}; committed rows are kept: mend it and {again}"
            raise MeteoRayError(message) from error
        raise
