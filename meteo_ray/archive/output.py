"""The output folder: one run, one job at a time, and nothing lost by mistake."""

import errno
import fcntl
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from meteo_ray.errors import MeteoRayError, UsageError
from meteo_ray.files import write_atomically

RUN, MANIFEST, PENDING = "run.json", "manifest", "pending"
PREDICTIONS, SUMMARY, REPORT = "predictions", "summary.json", "report.html"
LOCK = ".lock"


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold the folder for this job; the lock vanishes with the process, however it ends.

    Raises:
        UsageError: when another job holds it, or when it cannot be written to.
    """
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


def begin(out: Path, identity: dict[str, Any], resume: bool, overwrite: bool) -> None:
    """Make the folder ready for the run that `identity` describes; a resumed run must be the same one.

    A run that ended before it committed anything leaves nothing worth asking about.

    Raises:
        UsageError: when another run stands there and neither flag was given, or when it differs from this one.
    """
    committed = len(list((out / PREDICTIONS).glob("part-*.parquet")))
    if overwrite or not committed:
        _remove(out)
    elif not resume:
        raise UsageError(f"--out {out}: holds a run already ({committed} parts); give --resume or --overwrite")
    else:
        _require_same(out, identity)
        (out / SUMMARY).unlink(missing_ok=True)  # it stands for a finished run
    write_atomically(out / RUN, json.dumps(identity, ensure_ascii=False, indent=2) + "\n")


@contextmanager
def explained_write_errors(out: Path) -> Iterator[None]:
    """A full or read-only disk becomes one message that says how to go on."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO):
            message = f"--out {out}: {error.strerror}; committed rows are kept: mend it and run again with --resume"
            raise MeteoRayError(message) from error
        raise


def _remove(out: Path) -> None:
    for name in (MANIFEST, PENDING, PREDICTIONS):
        shutil.rmtree(out / name, ignore_errors=True)
    for name in (RUN, SUMMARY, REPORT):
        (out / name).unlink(missing_ok=True)


def _require_same(out: Path, identity: dict[str, Any]) -> None:
    try:
        before = json.loads((out / RUN).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{out / RUN}: cannot read what was run here: {error}; give --overwrite") from None
    names = [name for name in sorted(before | identity) if before.get(name) != identity.get(name)]
    changed = [f"{name}: {before.get(name)!r} then, {identity.get(name)!r} now" for name in names]
    if changed:
        title = f"--out {out}: the run there was made otherwise; repeat its settings, or give --overwrite:"
        raise UsageError.of_problems(title, changed)
