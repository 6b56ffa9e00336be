"""From a path to pixels, and what reading a file can run into."""

import errno
import hashlib
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest

from meteo_ray.imaging.decode import DecodeFailure, DecodeLimits, decode, read_bytes
from meteo_ray.imaging.fit import fit
from meteo_ray.imaging.load import load_bytes, load_image
from meteo_ray.imaging.page_pixels import LONGEST_SIDE
from tests.imaging.files import chart, difference, encoded, noisy


def outcome(path: Path) -> tuple[str, str]:
    with pytest.raises(DecodeFailure) as caught:
        load_image(path)
    return caught.value.status, caught.value.reason


def test_a_loaded_image_tells_about_its_file(tmp_path):
    data = encoded(chart((200, 150)), "PNG")
    path = tmp_path / "图 1#%20.jpg"  # neither the name nor its ending matters
    path.write_bytes(data)
    loaded = load_image(path)
    assert (loaded.width, loaded.height, loaded.format, loaded.n_frames) == (200, 150, "PNG", 1)
    assert loaded.sha256 == hashlib.sha256(data).hexdigest()
    assert loaded.pixels.shape == (240, 320, 3)
    assert (loaded.pixels == fit(decode(data).image)).all()


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_page_keeps_its_shape_and_no_more_pixels_than_letters_need(kind):
    assert load_bytes(encoded(chart((200, 150)), kind), None).pixels.shape == (150, 200, 3)
    large = load_bytes(encoded(chart((3000, 600)), kind), None)
    assert large.pixels.shape == (LONGEST_SIDE // 5, LONGEST_SIDE, 3)
    assert (large.width, large.height) == (3000, 600)


def test_gif_bytes_named_png_are_a_gif(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(chart(), "GIF"))
    assert load_image(tmp_path / "a.png").format == "GIF"


def test_the_same_bytes_under_two_paths_have_one_checksum_and_one_picture(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(encoded(chart(), "PNG"))
    first, second = load_image(tmp_path / "a.png"), load_image(tmp_path / "b.png")
    assert first.sha256 == second.sha256
    assert (first.pixels == second.pixels).all()


def test_the_asked_size_is_width_by_height(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(chart(), "PNG"))
    assert load_image(tmp_path / "a.png", (448, 336)).pixels.shape == (336, 448, 3)


def test_a_vanished_file_has_changed(tmp_path):
    assert outcome(tmp_path / "gone.png") == ("error", "changed")


def test_an_empty_file_is_empty(tmp_path):
    (tmp_path / "a.png").touch()
    assert outcome(tmp_path / "a.png") == ("error", "empty")


def test_a_folder_is_an_io_error(tmp_path):
    assert outcome(tmp_path) == ("error", "io")


def test_a_named_pipe_is_refused_instead_of_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    assert outcome(tmp_path / "a.png") == ("error", "io")


@pytest.fixture
def forbidden(tmp_path):
    """A file without any rights; root may read it all the same, so the test gives up root's rights meanwhile."""
    path = tmp_path / "a.png"
    path.write_bytes(encoded(chart(), "PNG"))
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield path
    os.seteuid(user)


def test_a_forbidden_file_is_an_io_error(forbidden):
    assert outcome(forbidden) == ("error", "io")


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc")
def test_a_file_that_keeps_failing_is_an_io_error_after_all_attempts():
    with pytest.raises(DecodeFailure, match=r"error/io.*3 attempts"):
        read_bytes("/proc/self/mem")  # nothing is mapped at its start: the system answers EIO


def test_storage_that_recovers_is_read(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"content")
    answers = [OSError(errno.EIO, "Input/output error"), OSError(errno.ESTALE, "Stale file handle")]
    real_open = os.open

    def flaky_open(*arguments: object, **options: object) -> int:
        if answers:
            raise answers.pop(0)
        return real_open(*arguments, **options)

    monkeypatch.setattr(os, "open", flaky_open)
    assert read_bytes(path) == b"content"
    assert answers == []


def test_a_file_above_the_byte_limit_is_rejected_unread(tmp_path):
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.truncate(10 * 2**30)  # 10 GiB, none of it on disk
    with pytest.raises(DecodeFailure, match="rejected/too_large"):
        read_bytes(path, DecodeLimits())
    path.unlink()


def test_an_image_of_more_pixels_than_pillow_opens_names_our_own_limit():
    size = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunks = {b"IHDR": size, b"IDAT": zlib.compress(b""), b"IEND": b""}
    bomb = b"\x89PNG\r\n\x1a\n"
    for kind, data in chunks.items():
        bomb += struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    with pytest.raises(DecodeFailure, match=rf"3600000000 pixels, at most {DecodeLimits().max_pixels} are taken"):
        decode(bomb)


def test_a_file_that_grows_while_it_is_read_has_changed(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    path.write_bytes(b"half")
    real_fstat = os.fstat

    def fstat_then_grow(descriptor: int) -> os.stat_result:
        status = real_fstat(descriptor)
        if status.st_ino == path.stat().st_ino and status.st_size == 4:
            with path.open("ab") as file:
                file.write(b"and half")
        return status

    monkeypatch.setattr(os, "fstat", fstat_then_grow)
    with pytest.raises(DecodeFailure, match="error/changed"):
        read_bytes(path)


def test_reduced_decoding_of_a_jpeg_agrees_with_full_decoding(tmp_path):
    data = encoded(chart((2000, 1500), margin=150), "JPEG", quality=85)
    (tmp_path / "a.jpg").write_bytes(data)
    assert difference(load_image(tmp_path / "a.jpg").pixels, fit(decode(data).image)) < 2


def test_noise_without_any_structure_is_loaded_too(tmp_path):
    (tmp_path / "a.png").write_bytes(encoded(noisy((64, 64)), "PNG"))
    assert load_image(tmp_path / "a.png").pixels.shape == (240, 320, 3)


def test_real_charts_load_and_keep_their_content(real_charts):
    paths = sorted((real_charts / "images").iterdir())[::40]
    for path in paths:
        pixels = load_image(path).pixels
        assert pixels.shape == (240, 320, 3)
        assert np.ptp(pixels) > 50, path.name
