"""Faults on the whole way from file to row: odd images, hostile containers, a full disk, a device or Ray that gives up.

What each part does about them on its own is tested beside it.
"""

import errno
import itertools
import os
import tarfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray
import torch
from PIL import Image

from meteo_ray.archive.cascade import loaded_model
from meteo_ray.archive.cascade.loaded_model import DEVICE_FAILED, LoadedModel
from meteo_ray.archive.cascade.pipeline import Cascade, what_ended
from meteo_ray.archive.config import Batches
from meteo_ray.archive.inputs.source import open_source
from meteo_ray.archive.run import classify
from meteo_ray.batch import Batch
from meteo_ray.errors import MachineFault, MeteoRayError
from meteo_ray.imaging.decode import DEFAULT_LIMITS
from tests.archive.fakes import BLUE, FakeGate, fake_model, fake_models, paint, paint_archive
from tests.archive.in_process import without_ray  # noqa: F401 (a fixture)
from tests.archive.test_listing import ODD_NAMES
from tests.archive.test_reading import listed, read, verdicts
from tests.archive.test_run import config, without_run
from tests.imaging.files import chart, difference, encoded, noisy, png, png_chunk, with_orientation

OK = ("ok", "")


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def bomb(kind: bytes) -> bytes:
    """A PNG of one chunk that unpacks to 50 MB."""
    return png((64, 64), png_chunk(kind, b"name\0\0" + zlib.compress(bytes(50_000_000))))


def test_one_picture_stored_in_any_way_is_read_alike(tmp_path: Path) -> None:
    """Whatever the format, depth, transparency or turn, and whatever the name says."""
    picture, levels = chart(), np.array(chart().convert("L"))
    clear = picture.copy()
    clear.putalpha(Image.fromarray(np.where(levels == 255, 0, 255).astype(np.uint8)))
    colourful = {
        "really_a_gif.png": encoded(picture, "GIF"),
        "animation.gif": encoded(picture, "GIF", save_all=True, append_images=[noisy((200, 150))]),
        "pages.tif": encoded(picture, "TIFF", save_all=True, append_images=[noisy((64, 64))]),
        "transparent.png": encoded(clear, "PNG"),
        "palette.png": encoded(picture.quantize(16), "PNG"),
        "cmyk.tif": encoded(picture.convert("CMYK"), "TIFF"),
        "turned.png": with_orientation(picture.transpose(Image.Transpose.ROTATE_180), 3, "PNG"),
    }
    grey = {
        "deep.png": encoded(Image.fromarray(levels.astype(np.uint16) * 257), "PNG"),
        "grey_alpha.png": encoded(picture.convert("LA"), "PNG"),
        "float.tif": encoded(Image.fromarray(levels.astype(np.float32) / 255), "TIFF"),
    }
    plain = {"plain.png": encoded(picture, "PNG"), "grey.png": encoded(picture.convert("L"), "PNG")}
    found = read(open_source(write(tmp_path / "archive", plain | colourful | grey)))
    assert set(verdicts(found).values()) == {OK}
    images = {name: result.image for name, result in found.items() if result.image is not None}
    for names, twin in ((colourful, "plain.png"), (grey, "grey.png")):
        for name in names:
            assert difference(images[name].pixels, images[twin].pixels) < 2, name
    assert images["really_a_gif.png"].format == "GIF"
    assert [images[name].n_frames for name in ("plain.png", "animation.gif", "pages.tif")] == [1, 2, 2]


def test_every_bad_image_is_a_row_with_its_reason(tmp_path: Path) -> None:
    whole = {codec: encoded(noisy((120, 90)), codec) for codec in ("PNG", "JPEG", "GIF", "WEBP")}
    flipped = bytearray(whole["PNG"])
    flipped[len(flipped) // 2] ^= 0x10
    expected: dict[str, tuple[bytes, tuple[str, str]]] = {
        "empty.png": (b"", ("error", "empty")),
        "text.png": (b"time,wind\n" * 40, ("error", "unidentified")),
        "flipped.png": (bytes(flipped), ("error", "truncated")),
        "many_pixels.png": (png((10_000, 10_000)), ("rejected", "too_large")),
        "vast.png": (png((65_536, 65_536)), ("rejected", "too_large")),
        "one_pixel.png": (encoded(Image.new("RGB", (1, 1)), "PNG"), ("rejected", "too_small")),
        "thread.png": (encoded(Image.new("RGB", (1, 20_000)), "PNG"), ("rejected", "too_small")),
        "strip.png": (encoded(Image.new("RGB", (20, 4000)), "PNG"), ("rejected", "aspect")),
        "text_bomb.png": (bomb(b"zTXt"), ("error", "metadata")),
        "profile_bomb.png": (bomb(b"iCCP"), ("error", "metadata")),
        "script.png": (encoded(chart(), "EPS"), ("rejected", "format")),
        "layers.png": (b"8BPS\x00\x01" + bytes(600), ("rejected", "format")),
        "telescope.fits": (b"SIMPLE  =                    T" + bytes(600), ("rejected", "format")),
        **{f"cut.{codec}": (data[: len(data) // 2], ("error", "truncated")) for codec, data in whole.items()},
    }
    archive = write(tmp_path / "archive", {name: data for name, (data, _) in expected.items()})
    with (archive / "sparse.png").open("wb") as file:
        file.truncate(DEFAULT_LIMITS.max_bytes + 1)
    found = read(open_source(archive))
    assert verdicts(found) == {name: verdict for name, (_, verdict) in expected.items()} | {
        "sparse.png": ("rejected", "too_large")
    }
    assert all(result.detail for result in found.values())


def test_odd_names_are_read_and_not_only_listed(tmp_path: Path) -> None:
    data = encoded(chart(), "PNG")
    archive = write(tmp_path / "archive", dict.fromkeys([*ODD_NAMES, "=cmd|' -C calc'!A0.png", "x\u202egnp.exe"], data))
    found = verdicts(read(open_source(archive)))
    assert len(found) == len(ODD_NAMES) + 2
    assert set(found.values()) == {OK}


def test_what_is_no_file_any_more_is_neither_waited_for_nor_read(tmp_path: Path) -> None:
    """A pipe, a folder and a dangling link take the places of listed files."""
    names = ["folder.png", "link.png", "pipe.png", "same.png"]
    archive = write(tmp_path / "archive", dict.fromkeys(names, encoded(chart(), "PNG")))
    source = open_source(archive)
    rows = listed(source)
    for name in names[:3]:
        (archive / name).unlink()
    os.mkfifo(archive / "pipe.png")
    (archive / "folder.png").mkdir()
    (archive / "link.png").symlink_to("nowhere")
    assert verdicts(read(source, rows)) == {
        "folder.png": ("error", "io"),
        "link.png": ("error", "changed"),
        "pipe.png": ("error", "io"),
        "same.png": OK,
    }


def test_hostile_containers_are_rows_that_name_the_limit(tmp_path: Path) -> None:
    """And what is good in them is judged; nothing is unpacked beside them."""
    data, archive = encoded(chart(), "PNG"), tmp_path / "archive"
    archive.mkdir()
    with zipfile.ZipFile(archive / "mixed.zip", "w") as packed:
        for name in ("good.png", "/etc/absolute.png", "../out.png", "inner.zip"):
            packed.writestr(name, data)
    with tarfile.open(archive / "mixed.tar", "w") as tar:
        for name, kind in (("device.png", tarfile.CHRTYPE), ("link.png", tarfile.SYMTYPE), ("pipe", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
        (tmp_path / "good.png").write_bytes(data)
        tar.add(tmp_path / "good.png", "good.png")
    with (
        zipfile.ZipFile(archive / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as packed,
        packed.open("a.png", "w") as member,
    ):
        for _ in range(120):
            member.write(bytes(2**20))
    found = read(open_source(archive))
    assert verdicts(found) == {
        "bomb.zip": ("rejected", "too_large"),
        "mixed.zip/good.png": OK,
        "mixed.zip//etc/absolute.png": ("rejected", "path"),
        "mixed.zip/../out.png": ("rejected", "path"),
        "mixed.zip/inner.zip": ("rejected", "format"),
        "mixed.tar/device.png": ("rejected", "special"),
        "mixed.tar/link.png": ("rejected", "special"),
        "mixed.tar/pipe": ("rejected", "special"),
        "mixed.tar/good.png": OK,
    }
    assert "times its size, at most 200 are taken" in found["bomb.zip"].detail
    assert {path.name for path in archive.iterdir()} == {"bomb.zip", "mixed.zip", "mixed.tar"}


@pytest.mark.usefixtures("without_ray")
def test_however_the_work_is_cut_the_rows_are_the_same(tmp_path: Path) -> None:
    archive = paint_archive(tmp_path / "archive", 5, 2)
    (archive / "twin.png").write_bytes((archive / "charts" / "0003.png").read_bytes())
    (archive / "empty.png").write_bytes(b"")
    classify(config(archive, tmp_path / "one_by_one", batches=Batches(rows=1, product_images=1)), fake_models())
    classify(config(archive, tmp_path / "together", batches=Batches()), fake_models())
    found = without_run(tmp_path / "together")
    assert len(found) == 9
    assert without_run(tmp_path / "one_by_one") == found


@pytest.mark.usefixtures("without_ray")
def test_neither_clock_nor_time_zone_changes_what_a_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Summer time begins and the clock is set back a year between two calls; the files are touched."""
    archive = paint_archive(tmp_path / "archive", 3, 3)
    classify(config(archive, tmp_path / "out"), fake_models())
    before, now = without_run(tmp_path / "out"), time.time
    monkeypatch.setattr(time, "time", lambda: now() - 365 * 86400)
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    time.tzset()
    try:
        for path in archive.rglob("*.png"):
            os.utime(path, (1, 1))
        paint(archive / "new.png", BLUE, 50)
        classify(config(archive, tmp_path / "out", resume=True), fake_models())
    finally:
        monkeypatch.undo()
        time.tzset()
    after = without_run(tmp_path / "out")
    assert [row for row in after if row["path"] != "new.png"] == before
    assert len(after) == 7


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize("scratch", [".summary.json.tmp", ".report.html.tmp", ".predictions.csv.tmp"])
def test_a_disk_that_is_full_at_the_end_is_told_and_resume_finishes(tmp_path: Path, scratch: str) -> None:
    """/dev/full stands for the file that is being written: the kernel itself says that there is no room."""
    archive, out = paint_archive(tmp_path / "archive", 3, 3), tmp_path / "out"
    settings = {"also": ("csv",), "stages": ("gate",)}
    out.mkdir()
    (out / scratch).symlink_to("/dev/full")
    with pytest.raises(MeteoRayError, match=r"No space left on device.*--resume") as caught:
        classify(config(archive, out, **settings), fake_models(("gate",)))
    assert caught.value.exit_status == 1
    before = without_run(out)
    assert len(before) == 6
    (out / scratch).unlink(missing_ok=True)
    assert classify(config(archive, out, resume=True, **settings), fake_models(("gate",)))["rows"] == 6
    assert without_run(out) == before
    assert (out / "report.html").exists()
    assert len((out / "predictions.csv").read_text("utf-8-sig").splitlines()) == 7


@pytest.mark.usefixtures("without_ray")
def test_a_disk_that_fills_up_while_files_are_listed_is_told_and_resume_finds_them(tmp_path: Path) -> None:
    archive, out = paint_archive(tmp_path / "archive", 3, 3), tmp_path / "out"
    classify(config(archive, out, stages=("gate",)), fake_models(("gate",)))
    before = without_run(out)
    paint(archive / "new.png", BLUE, 50)
    scratch = out / "manifest" / ".files-00001.parquet"
    scratch.symlink_to("/dev/full")
    with pytest.raises(MeteoRayError, match=r"No space left on device.*--resume"):
        classify(config(archive, out, resume=True, stages=("gate",)), fake_models(("gate",)))
    assert without_run(out) == before
    assert not scratch.is_symlink()  # nothing half-written is left
    assert classify(config(archive, out, resume=True, stages=("gate",)), fake_models(("gate",)))["rows"] == 7


@pytest.mark.parametrize(
    "error",
    [
        ray.exceptions.OutOfDiskError("local disk is full"),
        ray.exceptions.OutOfMemoryError("the node ran low"),
        ray.exceptions.NodeDiedError("node died"),
        ray.exceptions.RayActorError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_when_ray_gives_up_the_job_says_how_to_go_on(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def iter_batches(self, **_: Any) -> Iterator[Any]:
            yield from [1]
            raise error

    monkeypatch.setattr(Cascade, "_graph", lambda self, listed: Broken())
    given = object.__new__(Cascade).judge(None)
    assert next(given) == 1
    with pytest.raises(MachineFault, match=r"Ray stopped: .*--resume"):
        next(given)


@pytest.mark.usefixtures("ray_session")
def test_a_process_that_cannot_start_is_told_by_what_it_raised() -> None:
    """Torch is first loaded there: Ray's own first line names the actor and not what is wrong with torch."""

    @ray.remote(num_cpus=0)
    class Unusable:
        def __init__(self) -> None:
            raise ImportError("libtorch_cpu.so: cannot open shared object file")

    with pytest.raises(ray.exceptions.RayActorError) as given_up:
        ray.get(Unusable.remote().__ray_ready__.remote())
    expected = "a process could not start: ImportError: libtorch_cpu.so: cannot open shared object file"
    assert what_ended(given_up.value) == expected


def test_a_device_that_failed_ends_its_process_and_judges_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The context is lost with the first error: no later answer of this process counts."""
    calls = itertools.count()

    class Lost(FakeGate):
        def __call__(self, batch: Batch) -> Batch:
            next(calls)
            raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    def leave(status: int) -> None:
        raise SystemExit(status)

    monkeypatch.setattr(loaded_model.os, "_exit", leave)
    with pytest.raises(SystemExit) as left:
        LoadedModel(fake_model("gate", Lost))({"image": np.zeros((4, 8, 8, 3), dtype=np.uint8)})
    assert left.value.code == DEVICE_FAILED
    assert next(calls) == 2, "the batch and the test image, and nothing after them"


@pytest.mark.parametrize("what", ["socket.socketpair", "subprocess.Popen", "SharedMemory"])
def test_a_machine_out_of_file_descriptors_blames_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    archive = write(tmp_path / "archive", {"a.png": encoded(chart(), "PNG")})
    source = open_source(archive)
    rows = listed(source)

    def none_left(*_: Any, **__: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(f"meteo_ray.imaging.guarded_process.{what}", none_left)
    monkeypatch.setattr("meteo_ray.imaging.guarded_process.time.sleep", lambda seconds: None)
    with pytest.raises(MachineFault, match="Too many open files"):
        read(source, rows)
