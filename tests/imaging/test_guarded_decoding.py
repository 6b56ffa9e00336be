"""The child process really hangs, crashes and runs out of memory here; the parent only gets a failure."""

import os
import socket
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from meteo_ray.errors import MachineFault
from meteo_ray.imaging import guarded_process
from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.guarded_decoding import GuardedLoader, loaded_image
from meteo_ray.imaging.guarded_process import ChildLost, Returned
from meteo_ray.imaging.load import load_image
from meteo_ray.imaging.page_pixels import LONGEST_SIDE
from tests.imaging.files import chart, encoded

CURIOUS = "tests.imaging.curious_loader"

HOSTILE_LOADER = """
    import ctypes
    import os
    import signal
    import sys
    import time

    from meteo_ray.imaging.decode import DecodeFailure
    from meteo_ray.imaging.load import load_image

    # Opened while the child still may write.
    LOG = open(os.path.join(os.path.dirname(__file__), "log"), "a+")


    def load(path, size):
        name = os.path.basename(path)
        LOG.write(f"{os.getpid()} {name}\\n")
        LOG.flush()
        if name == "hangs":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)  # as deaf as a loop inside a C library
            time.sleep(600)
        if name == "segfaults":
            ctypes.string_at(0)
        if name == "exits":
            os._exit(3)
        if name == "hogs":
            return bytearray(8 * 2**30)
        if name == "confuses":
            raise KeyError("a defect of the loader")
        if name == "is killed once":
            LOG.seek(0)
            if LOG.read().count(name) == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            path = os.path.join(os.path.dirname(path), "good.png")
        if name == "is always killed":
            os.kill(os.getpid(), signal.SIGKILL)
        return load_image(path, size)


    def lie(path, size):
        import socket

        from meteo_ray.imaging.messages import send

        connection = socket.socket(fileno=int(sys.argv[1]))
        name = os.path.basename(path)
        if name == "says ok":
            send(connection, b'{"failure": {"status": "ok", "reason": "empty", "detail": ""}}')
        if name == "says nonsense":
            send(connection, b'[1, 2]')
        if name == "wrong size":
            send(connection, b'{"fields": {"shape": [9, 9, 3]}, "payload": true, "shared": 0}')
            send(connection, bytes(9))
        if name == "endless":
            connection.sendall((4096).to_bytes(8) + b"begun")
        signal.setitimer(signal.ITIMER_REAL, 0)
        time.sleep(600)


    def load_and_say_what_is_imported(path, size):
        import sys

        raise DecodeFailure("error", "io", " ".join(sorted({name.partition(".")[0] for name in sys.modules})))
"""


def landlock_here():
    from py_landlock import LandlockError, get_abi_version

    try:
        return get_abi_version() >= 4  # the first that knows of connections
    except LandlockError:
        return False


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "hostile_loader.py").write_text(textwrap.dedent(HOSTILE_LOADER))
    (tmp_path / "good.png").write_bytes(encoded(chart(), "PNG"))
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def guarded(folder):
    with GuardedLoader(timeout_s=20.0, memory_limit_bytes=2**30, loader="hostile_loader:load") as loader:
        yield loader


def log_of(folder):
    """(process id, file name) of every call that reached a child."""
    return [tuple(line.split(" ", 1)) for line in (folder / "log").read_text().splitlines()]


def failure(loader, path):
    with pytest.raises(DecodeFailure) as caught:
        loader.load(path)
    return caught.value


def alive(process_id):
    """Whether the process still runs; one that ended but whose end nobody has noted yet (a zombie) does not."""
    try:
        status = Path(f"/proc/{process_id}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_the_child_loads_what_the_parent_would(folder):
    with GuardedLoader() as loader:
        for size in ((320, 240), (448, 448)):
            here, there = load_image(folder / "good.png", size), loader.load(folder / "good.png", size)
            assert (here.pixels == there.pixels).all()
            assert [getattr(here, n) for n in ("sha256", "width", "height", "format", "n_frames")] == [
                getattr(there, n) for n in ("sha256", "width", "height", "format", "n_frames")
            ]


def test_failures_pass_through_unchanged(folder):
    (folder / "text.png").write_text("not an image")
    with GuardedLoader() as loader:
        found = failure(loader, folder / "text.png")
        assert (found.status, found.reason) == ("error", "unidentified")
        assert failure(loader, folder / "gone.png").reason == "changed"


@pytest.mark.parametrize("name", ["图 1#%20\n.png", os.fsdecode(b"caf\xe9.png")], ids=["odd", "not UTF-8"])
def test_any_file_name_reaches_the_child(folder, name):
    (folder / name).write_bytes(encoded(chart(), "PNG"))
    with GuardedLoader() as loader:
        assert loader.load(folder / name).width == 200


def test_a_hang_is_ended_and_the_next_image_loads(folder):
    with GuardedLoader(timeout_s=1.0, attempts=2, loader="hostile_loader:load") as loader:
        found = failure(loader, folder / "hangs")
        assert (found.status, found.reason) == ("error", "timeout")
        assert "hangs" in found.detail
        assert loader.load(folder / "good.png").width == 200
    calls = log_of(folder)
    assert [name for _, name in calls] == ["hangs", "hangs", "good.png"]
    assert len({process for process, _ in calls}) == 3
    assert not any(alive(process) for process, _ in calls)


@pytest.mark.parametrize(("name", "how"), [("segfaults", "signal 11"), ("exits", "left with 3")])
def test_a_crash_is_contained_named_and_tried_again_a_bounded_number_of_times(folder, guarded, name, how):
    assert guarded.load(folder / "good.png").width == 200
    found = failure(guarded, folder / name)
    assert (found.status, found.reason) == ("error", "crashed")
    assert how in found.detail
    assert name in found.detail
    assert guarded.load(folder / "good.png").width == 200
    assert [entry for _, entry in log_of(folder)] == ["good.png", name, name, "good.png"]


def test_a_child_killed_from_outside_says_nothing_about_the_image(folder):
    with GuardedLoader(attempts=1, loader="hostile_loader:load") as loader:
        assert loader.load(folder / "is killed once").width == 200


def test_children_that_are_killed_again_and_again_are_the_machines_fault(folder, monkeypatch):
    monkeypatch.setattr(guarded_process, "KILLED_WAITS_S", (0.0, 0.0))
    with GuardedLoader(attempts=1, loader="hostile_loader:load") as loader:
        with pytest.raises(MachineFault, match="enough memory"):
            loader.load(folder / "is always killed")
        assert loader.load(folder / "good.png").width == 200


def test_memory_is_limited(folder, guarded):
    found = failure(guarded, folder / "hogs")
    assert (found.status, found.reason) == ("error", "crashed")
    assert "MemoryError" in found.detail
    assert guarded.load(folder / "good.png").width == 200


def test_a_defect_of_the_loader_costs_one_image_and_is_named(folder, guarded):
    found = failure(guarded, folder / "confuses")
    assert (found.status, found.reason) == ("error", "crashed")
    assert "KeyError" in found.detail


def test_a_child_that_was_killed_between_two_images_is_replaced(folder, guarded):
    guarded.load(folder / "good.png")
    process = int(log_of(folder)[0][0])
    os.kill(process, 9)
    assert guarded.load(folder / "good.png").width == 200


def test_the_child_imports_neither_ray_nor_torch(folder):
    with GuardedLoader(loader="hostile_loader:load_and_say_what_is_imported") as loader:
        imported = set(failure(loader, folder / "good.png").detail.split())
    assert {"PIL", "numpy"} <= imported
    assert not {"ray", "torch", "torchvision", "pyarrow", "pydantic"} & imported


def test_a_loader_that_does_not_exist_is_a_defect_and_says_so(folder):
    with GuardedLoader(loader="hostile_loader:absent") as loader, pytest.raises(MachineFault, match="absent"):
        loader.load(folder / "good.png")


def test_no_process_to_be_had_is_the_machines_fault(folder, monkeypatch):
    def fork(*arguments, **options):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", fork)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    with GuardedLoader() as loader, pytest.raises(MachineFault, match="temporarily unavailable"):
        loader.load(folder / "good.png")


def test_a_slow_start_is_waited_for(folder, monkeypatch):
    (folder / "slow_loader.py").write_text("import time; time.sleep(1)\nfrom meteo_ray.imaging.load import load_image")
    monkeypatch.setattr(guarded_process, "START_TIMEOUTS_S", (0.1, 20.0))
    with GuardedLoader(loader="slow_loader:load_image") as loader:
        assert loader.load(folder / "good.png").width == 200


@pytest.mark.parametrize("name", ["says ok", "says nonsense", "wrong size", "endless"])
def test_a_child_that_was_taken_over_is_not_believed(folder, name):
    """It may send what it likes, as long as it likes."""
    with GuardedLoader(timeout_s=1.0, attempts=1, loader="hostile_loader:lie") as loader:
        found = failure(loader, folder / name)
        assert (found.status, found.reason in ("crashed", "timeout")) == ("error", True)


def test_the_child_may_neither_write_nor_run_nor_connect(folder):
    with socket.create_server(("127.0.0.1", 0)) as server, GuardedLoader(loader=f"{CURIOUS}:try_everything") as loader:
        (folder / "port").write_text(str(server.getsockname()[1]))
        (folder / "keep").write_text("x")
        tried = dict(part.split("=") for part in failure(loader, folder / "good.png").detail.split())
    assert set(tried) == {"write", "remove", "run", "connect"}
    if landlock_here():
        assert set(tried.values()) == {"PermissionError"}
    assert (folder / "keep").exists() or not landlock_here()


def test_closing_ends_the_child_and_loading_starts_another(folder, guarded):
    guarded.load(folder / "good.png")
    guarded.close()
    assert not alive(log_of(folder)[0][0])
    assert guarded.load(folder / "good.png").width == 200


def test_a_hanging_child_whose_parent_is_gone_ends_by_itself(folder):
    (folder / "parent.py").write_text(
        "import sys\n"
        f"sys.path.insert(0, {str(folder)!r})\n"
        "from meteo_ray.imaging.guarded_decoding import GuardedLoader\n"
        "GuardedLoader(timeout_s=1.0, loader='hostile_loader:load').load(sys.argv[1])\n"
    )
    parent = subprocess.Popen([sys.executable, folder / "parent.py", folder / "hangs"])
    waited_until = time.monotonic() + 20
    while not ((folder / "log").exists() and log_of(folder)) and time.monotonic() < waited_until:
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    child = log_of(folder)[-1][0]
    while alive(child) and time.monotonic() < waited_until:
        time.sleep(0.05)
    assert not alive(child)


def test_it_contains_a_crash_inside_a_ray_worker(folder, ray_session):
    import ray

    @ray.remote(max_retries=0)
    def load_both(folder):
        sys.path.insert(0, folder)
        with GuardedLoader(loader="hostile_loader:load") as loader:
            reason = failure(loader, f"{folder}/segfaults").reason
            return reason, loader.load(f"{folder}/good.png").pixels.shape

    assert ray.get(load_both.remote(str(folder))) == ("crashed", (240, 320, 3))


ABOUT = {"sha256": "0" * 64, "width": 9, "height": 9, "format": "PNG", "n_frames": 1}


def test_a_page_comes_back_in_its_own_shape():
    page = np.arange(2 * 5 * 3, dtype=np.uint8).reshape(2, 5, 3)
    loaded = loaded_image(Returned({**ABOUT, "shape": [2, 5, 3]}, page.tobytes()), None)
    np.testing.assert_array_equal(loaded.pixels, page)


@pytest.mark.parametrize(
    "shape", [[2, 5], [5, 2, 4], [0, 5, 3], [-2, -5, 3], [2.0, 5, 3], ["2", 5, 3], [1, LONGEST_SIDE + 1, 3], [2, 4, 3]]
)
def test_a_page_that_is_none_is_not_believed(shape):
    with pytest.raises(ChildLost, match="no image of the size asked for"):
        loaded_image(Returned({**ABOUT, "shape": shape}, bytes(30)), None)
