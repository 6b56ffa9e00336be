"""Nothing that this program did not make is removed or overwritten, whatever it is told; where nothing can be made."""

import errno
import os
import threading
from pathlib import Path

import pytest

from meteo_ray import bundle
from meteo_ray.archive import resume
from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.archive.run import classify
from meteo_ray.demo.config import DemoJob
from meteo_ray.demo.data_set import build_archive, build_data
from meteo_ray.errors import MachineFault, UsageError
from meteo_ray.files import make_folder, replace_folder, require_ours
from meteo_ray.preparation.config import PrepareData
from meteo_ray.preparation.prepare import build_index
from meteo_ray.products.config import SmallBase
from meteo_ray.products.small_base import make_small_base
from meteo_ray.vocabulary import load_vocabulary
from tests.archive.fakes import BLUE, fake_models, paint

FOLDERS = ["manifest/a.png", "predictions/a.png", "damaged/a.png"]
NAMES = [*FOLDERS, "report.html", "summary.json", "run.json", "predictions.csv"]

RUN = {"archive": "a", "models": {}, "preprocessing_version": 1, "schema_version": 1}


def own_files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def foreign(tmp_path) -> Path:
    """A user's folder with files that matter to them."""
    folder = tmp_path / "mine"
    paint(folder / "images" / "000000.png", BLUE)
    (folder / "notes.txt").write_text("not yours", "utf-8")
    return folder


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("flag", [None, "resume", "overwrite"])
def test_an_archive_run_takes_no_name_that_stands_there(tmp_path, name, flag):
    work, archive = tmp_path / "work", tmp_path / "archive"
    paint(archive / "x.png", BLUE)
    (work / name).parent.mkdir(parents=True, exist_ok=True)
    (work / name).write_text("{}", "utf-8")
    config = ArchiveConfig(archive=archive, models=tmp_path / "models", out=work, **({flag: True} if flag else {}))
    with pytest.raises(UsageError, match=f"{name.split('/')[0]} there was not made by this job"):
        classify(config, fake_models())
    assert (work / name).read_text("utf-8") == "{}"


def test_the_archive_of_a_run_is_no_part_of_its_output(tmp_path):
    archive = paint(tmp_path / "work" / "pending" / "x.png", BLUE).parent
    for places in (
        {"archive": archive, "out": tmp_path / "work"},
        {"archive": tmp_path / "work", "out": archive / "out"},
        {"archive": archive, "out": tmp_path / "models" / "out"},
        {"archive": archive, "out": tmp_path / "out", "models": tmp_path / "out" / "models"},
        {"archive": tmp_path / "work", "models": archive, "out": tmp_path / "out"},
        {"archive": archive, "models": archive, "out": tmp_path / "out"},
    ):
        with pytest.raises(UsageError, match="lies inside"):
            classify(ArchiveConfig(**{"models": tmp_path / "models", **places}), fake_models())
    assert (archive / "x.png").is_file()


def test_a_run_is_known_by_its_record(tmp_path):
    resume.begin(tmp_path, RUN, resume=False, overwrite=False)
    (tmp_path / "manifest").mkdir()
    resume.begin(tmp_path, RUN, resume=False, overwrite=False)
    assert not (tmp_path / "manifest").exists()


def test_an_index_goes_into_no_foreign_folder(foreign, tmp_path):
    before = own_files(foreign)
    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(UsageError, match="mine: holds files, but no index"):
        build_index(PrepareData(data=data, index=foreign))
    assert own_files(foreign) == before


def test_a_small_base_replaces_no_other_model(foreign):
    before = own_files(foreign)
    with pytest.raises(UsageError, match="no small base model"):
        make_small_base(foreign, load_vocabulary())
    assert own_files(foreign) == before
    base = foreign.with_name("base")
    small = SmallBase(hidden_size=32, layers=1, image_size=64)
    make_small_base(base, load_vocabulary(), small)
    make_small_base(base, load_vocabulary(), small)  # its own it replaces


def test_a_bundle_replaces_only_a_bundle(foreign, tmp_path):
    before = own_files(foreign)
    with pytest.raises(UsageError, match="no model bundle"), bundle.writing(foreign):
        pass
    assert own_files(foreign) == before
    for text in ("first", "second"):
        with bundle.writing(tmp_path / "gate") as scratch:
            (scratch / "weights").write_text(text)
    assert (tmp_path / "gate" / "weights").read_text() == "second"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gate", "mine"]


def test_drawings_go_into_no_data_folder_of_the_users(foreign):
    (foreign / "labels.jsonl").write_text("{}\n", "utf-8")
    before = own_files(foreign)
    job = DemoJob(out=foreign, charts=1, others=1, overwrite=True)
    with pytest.raises(UsageError, match="no drawn data set"):
        build_data(job)
    with pytest.raises(UsageError, match="no drawn archive"):
        build_archive(foreign, job)
    assert own_files(foreign) == before


def test_empty_and_absent_folders_are_free(tmp_path):
    require_ours(tmp_path, "anything")
    require_ours(tmp_path / "absent", "anything")
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="is a file"):
        require_ours(tmp_path / "file", "anything")


def test_a_reader_always_finds_a_folder_while_it_is_replaced(tmp_path):
    folder, stop, missed = tmp_path / "gate", threading.Event(), []
    folder.mkdir()
    (folder / "weights").touch()

    def read() -> None:
        while not stop.is_set():
            if not folder.is_dir():
                missed.append(True)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(300):
        scratch = tmp_path / f".{number}"
        scratch.mkdir()
        (scratch / "weights").touch()
        replace_folder(scratch, folder)
    stop.set()
    reader.join()
    assert not missed
    assert [path.name for path in tmp_path.iterdir()] == ["gate"]


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, MachineFault), (errno.EROFS, UsageError)])
def test_a_full_disk_is_no_mistake_in_a_folders_name(tmp_path, monkeypatch, number, kind):
    def refuse(path: Path, **asked: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(kind, match=f"^--out {tmp_path / 'out'}: cannot be written to: {os.strerror(number)}$"):
        make_folder(tmp_path / "out", "--out")
