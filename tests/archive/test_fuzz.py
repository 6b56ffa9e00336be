"""Damaged images and containers, by the hundred, through a whole run: each has its row, and nothing else happens."""

import io
import random
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.archive.fakes import fake_models
from tests.archive.in_process import without_ray  # noqa: F401 (a fixture)
from tests.archive.test_run import config, rows

STATUSES = {"ok", "rejected", "error"}


def image(form: str, seed: int) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, form)
    return file.getvalue()


def packed(kind: str, seed: int) -> bytes:
    file = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(3):
                archive.writestr(f"{number}.png", image("PNG", seed + number))
        return file.getvalue()
    with tarfile.open(fileobj=file, mode=f"w:{kind.partition('.')[2]}") as archive:
        for number in range(3):
            member = tarfile.TarInfo(f"{number}.png")
            data = image("PNG", seed + number)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def damaged(data: bytes, chance: random.Random) -> bytes:
    """Some bytes changed, and sometimes cut, doubled or with zeros in it."""
    changed = bytearray(data)
    for _ in range(chance.choice([0, 1, 1, 3, 20])):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    place = chance.randrange(len(changed))
    kind = chance.randrange(5)
    if kind == 0:
        del changed[place:]
    elif kind == 1:
        changed[place:place] = changed[:place]
    elif kind == 2:
        changed[place : place + 50] = bytes(50)
    return bytes(changed)


def fill(folder: Path, files: int) -> None:
    chance = random.Random(files)
    makers: list[tuple[str, Callable[[int], bytes]]] = [
        *((form.lower(), lambda seed, form=form: image(form, seed)) for form in ("PNG", "JPEG", "GIF", "BMP", "TIFF")),
        ("webp", lambda seed: image("WEBP", seed)),
        *((kind, lambda seed, kind=kind: packed(kind, seed)) for kind in ("zip", "tar", "tar.gz", "tar.bz2", "tar.xz")),
    ]
    folder.mkdir()
    for number in range(files):
        suffix, make = makers[number % len(makers)]
        (folder / f"{number:05d}.{suffix}").write_bytes(damaged(make(number), chance))


@pytest.mark.parametrize("files", [220, pytest.param(4400, marks=[pytest.mark.slow, pytest.mark.long])])
@pytest.mark.usefixtures("without_ray")
def test_whatever_the_bytes_every_input_has_its_row(tmp_path: Path, files: int) -> None:
    from meteo_ray.archive.run import classify

    fill(tmp_path / "archive", files)
    settings = config(tmp_path / "archive", tmp_path / "out", stages=("gate",), max_bad=1.0)
    summary = classify(settings, fake_models(("gate",)))
    found = rows(tmp_path / "out")
    assert {row["status"] for row in found} <= STATUSES
    assert len({row["image_id"] for row in found}) == len(found) == summary["rows"]
    tops = {row["path"].split("/")[0] for row in found}
    assert tops == {path.name for path in (tmp_path / "archive").iterdir()}
    reasons = {row["reason"] for row in found if row["status"] == "error"}
    assert reasons <= {"truncated", "unidentified", "empty", "metadata", "crashed", "timeout"}
    assert summary["status"]["ok"] > files / 5
