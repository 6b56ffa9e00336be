"""kill -9 at a random moment of anything that takes part in a run: the same command again gives every row once."""

import os
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.archive.fakes import paint, paint_archive
from tests.archive.test_run import rows

CHARTS, OTHERS = 40, 40
FILES = CHARTS + OTHERS + 3  # a twin, an empty file, and a text

# Who is killed, by a part of its command line (Ray gives its workers' processes such names), and within how many
# seconds after it has appeared: about as long as it lives.
VICTIMS = {
    "driver": ("tests.archive.fakes", 25.0),
    "reader": ("ReadImages", 0.5),
    "judge": ("JudgeImages", 4.0),
    "second judge": ("LookAgain", 4.0),
    "decoder": ("guarded_process_child", 0.5),
    "registry": ("Registry", 15.0),
    "raylet": ("raylet/raylet", 20.0),
}
IN_EVERY_RUN = [("driver", 0)]
MORE = [(victim, number) for victim in VICTIMS for number in range(3) if (victim, number) not in IN_EVERY_RUN]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = paint_archive(tmp_path_factory.mktemp("killed") / "archive", CHARTS, OTHERS)
    (folder / "twin.png").write_bytes((folder / "charts" / "0001.png").read_bytes())
    (folder / "empty.png").write_bytes(b"")
    paint(folder / "notes.png", (9, 9, 9)).write_text("no image")
    return folder


@pytest.fixture(scope="module")
def undisturbed(archive: Path) -> list[dict[str, Any]]:
    out = archive.with_name("undisturbed")
    assert start(archive, out, slow_s=0.0).wait(600) == 0
    return by_path(out)


def start(archive: Path, out: Path, slow_s: float = 0.04) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-m", "tests.archive.fakes", "--resume", "--archive", archive, "--out", out]
    command += ["--models", archive.with_name("models"), "--reading.workers", "1"]
    command += ["--batches.rows", "4", "--batches.product-rows", "8", "--batches.part-rows", "12"]
    environment = {**os.environ, "FAKE_SLOW_S": str(slow_s)}
    log = archive.with_name("log").open("ab")
    return subprocess.Popen([str(part) for part in command], env=environment, stdout=log, stderr=log)


def by_path(out: Path) -> list[dict[str, Any]]:
    return sorted(rows(out), key=lambda row: row["path"])


def find(job: "subprocess.Popen[bytes]", name: str) -> psutil.Process | None:
    """A process of the job, itself or below it."""
    if name == VICTIMS["driver"][0]:
        return psutil.Process(job.pid)
    for process in psutil.Process(job.pid).children(recursive=True):
        try:
            if any(name in part for part in process.cmdline()[:4]):
                return process
        except psutil.Error:
            continue
    return None


def kill_within(job: "subprocess.Popen[bytes]", name: str, delay_s: float) -> bool:
    """Wait for the victim, then so long, then kill it; False when the job ended before."""
    while job.poll() is None and find(job, name) is None:
        time.sleep(0.05)
    time.sleep(delay_s)
    try:
        victim = find(job, name)
        if victim is None:
            return False
        victim.kill()
    except psutil.NoSuchProcess:
        return False
    return True


def cases() -> list[Any]:
    slow = [pytest.param(*case, marks=[pytest.mark.slow, pytest.mark.long]) for case in MORE]
    return [*IN_EVERY_RUN, *slow]


@pytest.mark.parametrize(("victim", "number"), cases())
def test_the_same_command_again_gives_every_row_once(
    archive: Path, undisturbed: list[dict[str, Any]], tmp_path: Path, victim: str, number: int
) -> None:
    """Fault 51."""
    out, moments = tmp_path / "out", random.Random(f"{victim} {number}")
    name, lifetime_s = VICTIMS[victim]
    delay_s = moments.uniform(0, lifetime_s)
    job = start(archive, out)
    while not kill_within(job, name, delay_s):  # on a fast machine it may have ended before
        assert job.wait(600) == 0
        shutil.rmtree(out)
        delay_s /= 2
        job = start(archive, out)
    for _ in range(3):
        if job.wait(600) == 0:
            break
        job = start(archive, out, slow_s=0.0)
    assert job.returncode == 0
    found = by_path(out)
    assert len(found) == len({row["image_id"] for row in found}) == FILES
    assert found == undisturbed


@pytest.mark.slow
def test_a_node_that_goes_costs_no_row(archive: Path, undisturbed: list[dict[str, Any]], tmp_path: Path) -> None:
    """Two nodes on this machine, the second killed when a few parts are committed."""
    command = [sys.executable, "-m", "tests.archive.two_nodes", str(archive), str(tmp_path / "out")]
    said = subprocess.run(command, check=True, timeout=600, capture_output=True, text=True).stdout
    assert "killed one of 2 nodes with actors" in said
    assert "2 nodes, 1 alive" in said
    assert by_path(tmp_path / "out") == undisturbed
