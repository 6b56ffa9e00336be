"""Fixtures that several folders use: one local Ray for the whole session, and the real charts when they are there."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How fast an example runs depends on the machine, not on the code.
settings.register_profile("no-deadline", deadline=None)
settings.load_profile("no-deadline")

ROOT = Path(__file__).resolve().parent.parent

# Four logical CPUs whatever the machine: a training worker, its data workers and two actors fit side by side.
LOGICAL_CPUS = 4

# The store of images keeps 2 GB of a disk free (`streaming/image_store.py`), and some tests write a gigabyte: with less
# there is nothing that they could show.
FREE_BYTES = 4 * 10**9


def pytest_sessionstart() -> None:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES:
        pytest.exit(
            f"{folder}: {free / 1e9:.1f} GB free, the tests want {FREE_BYTES / 1e9:.0f}; make room, or set TMPDIR", 2
        )


@pytest.fixture(scope="session")
def ray_session() -> Iterator[None]:
    """One local Ray cluster for all tests of the session; library code that calls `cluster.connect()` joins it."""
    import ray
    import ray.data

    os.environ.setdefault("RAY_DATA_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    ray.init(address="local", num_cpus=LOGICAL_CPUS, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield
    ray.shutdown()


@pytest.fixture(scope="session")
def real_charts() -> Path:
    """The folder of real, labelled charts; the test is skipped where it is absent."""
    folder = Path(os.environ.get("METEO_RAY_REAL_CHARTS", ROOT.parent / "shared" / "real_charts"))
    if not (folder / "labels.jsonl").is_file():
        pytest.skip("no real charts here (METEO_RAY_REAL_CHARTS)")
    return folder
