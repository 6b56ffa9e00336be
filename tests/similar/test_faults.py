"""What an index survives: full disks, damaged files, other archives, and lists that somebody has worked on."""

import resource
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meteo_ray.archive import run
from meteo_ray.errors import MeteoRayError, UsageError
from meteo_ray.similar.config import SearchJob
from meteo_ray.similar.hamming_index import HammingIndex
from meteo_ray.similar.indexing import index_archive
from meteo_ray.similar.search import search_archive
from meteo_ray.similar.store import CHARTS, INDEX, Store, as_matrix
from tests.archive.fakes import BLUE, fake_models, paint
from tests.archive.test_run import config
from tests.similar.conftest import CHARTS as COUNT
from tests.similar.conftest import index_job


def search(classified, image="0000.png", **values) -> int:
    defaults = {"index": classified.out / "similar", "models": classified.models, "out": classified.out / "found"}
    archive = values.pop("asked", classified.archive)
    return search_archive(SearchJob(image=archive / "charts" / image, **{**defaults, **values}))


def classify_again(classified, **values) -> None:
    run.classify(config(classified.archive, classified.out, **values), fake_models())


def test_an_index_that_cannot_be_written_is_told_and_the_old_one_stays(tmp_path):
    file = tmp_path / INDEX
    few, many = HammingIndex(), HammingIndex()
    few.add(np.zeros((10, 6), np.uint8))
    many.add(np.zeros((50_000, 6), np.uint8))
    few.write(file)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            many.write(file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(HammingIndex.read(file)) == 10
    assert [path.name for path in tmp_path.iterdir()] == [INDEX]


def test_a_disk_that_is_full_at_the_index_says_how_to_go_on(classified):
    index_archive(index_job(classified))
    paint(classified.archive / "charts" / "new.png", BLUE, 77)
    classify_again(classified, resume=True)
    (classified.out / "similar" / f".{INDEX}").symlink_to("/dev/full")
    with pytest.raises(MeteoRayError, match=r"--classified .*No space left.*run the same command again"):
        index_archive(index_job(classified))
    assert search(classified) == 1  # as before
    assert index_archive(index_job(classified)) == COUNT + 1


def test_a_damaged_index_is_named_and_made_anew_from_the_codes(classified, monkeypatch):
    index_archive(index_job(classified))
    monkeypatch.setattr("meteo_ray.similar.indexing.Encoding", None)  # no image is read again
    for name in (CHARTS, INDEX):
        file = classified.out / "similar" / name
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
        with pytest.raises(UsageError, match=rf"{name}: damaged.*run jobs/index_archive\.py again"):
            search(classified)
        assert index_archive(index_job(classified)) == COUNT
        charts = pq.read_table(classified.out / "similar" / CHARTS)
        distances, _ = HammingIndex.read(classified.out / "similar" / INDEX).search(as_matrix(charts["code"]), 1)
        assert distances.tolist() == [[0]] * COUNT


def test_another_archive_leaves_nothing_behind_but_an_error(classified, tmp_path):
    paint(tmp_path / "other" / "charts" / "zzz.png", BLUE, 1)
    shutil.copytree(classified.archive, tmp_path / "copied_without_times", copy_function=shutil.copyfile)
    told = rf"none of the {COUNT} charts .*changed.*give the archive that was classified"
    for other in ("other", "copied_without_times"):
        with pytest.raises(UsageError, match=told):
            index_archive(index_job(classified, archive=tmp_path / other))
    assert index_archive(index_job(classified)) == COUNT
    assert search(classified) == 1


def test_charts_without_a_code_are_counted_in_every_call(classified, caplog):
    (classified.archive / "charts" / "0002.png").write_bytes(b"no picture any more")
    for _ in range(2):
        caplog.clear()
        with caplog.at_level("WARNING", "meteo_ray"):
            index_archive(index_job(classified))
        assert any("1 charts have no code" in text and "--retry-errors" in text for text in caplog.messages)


def test_where_a_file_has_changed_another_of_equal_bytes_is_read_at_once(classified):
    for name in ("copy", "another"):
        shutil.copy(classified.archive / "charts" / "0000.png", classified.archive / "charts" / f"{name}.png")
    classify_again(classified, resume=True)
    (classified.archive / "charts" / "0000.png").write_bytes(b"gone")
    assert index_archive(index_job(classified)) == COUNT + 2
    assert index_archive(index_job(classified)) == COUNT + 2


def test_a_list_that_somebody_has_worked_on_is_neither_overwritten_nor_removed(classified):
    index_archive(index_job(classified, to_label=3))
    file = classified.out / "similar" / "to_label.csv"
    written = file.read_bytes()
    index_archive(index_job(classified, to_label=3))  # its own
    file.write_bytes(written + b"my own work\n")
    for overwrite in (False, True):
        with pytest.raises(UsageError, match=r"to_label\.csv: was changed since it was written"):
            index_archive(index_job(classified, to_label=3, overwrite=overwrite))
    index_archive(index_job(classified, overwrite=True))
    assert file.read_bytes() == written + b"my own work\n"
    file.write_bytes(written)
    index_archive(index_job(classified, overwrite=True))
    assert not file.exists()


def test_groups_and_charts_end_with_the_last_chart(classified):
    shutil.copy(classified.archive / "charts" / "0000.png", classified.archive / "charts" / "copy.png")
    classify_again(classified, resume=True)
    index_archive(index_job(classified, to_label=2))
    assert pq.read_table(classified.out / "similar" / "groups.parquet").num_rows >= 2
    shutil.rmtree(classified.archive / "charts")
    classify_again(classified, overwrite=True)
    assert index_archive(index_job(classified, to_label=2)) == 0
    assert pq.read_table(classified.out / "similar" / "groups.parquet").num_rows == 0
    assert (classified.out / "similar" / "to_label.csv").read_text("utf-8").splitlines() == ["path,image_id,product"]


def test_the_index_is_found_by_the_folder_that_was_classified_or_its_own(classified):
    for index in (classified.out, classified.out / "similar"):
        with pytest.raises(UsageError, match=rf"no index here; .*--classified {classified.out}$"):
            search(classified, index=index)
    named = classified.out.with_name("similar")  # a folder that was classified may itself be called so
    classified.out.rename(named)
    classified.out = named
    with pytest.raises(UsageError, match=rf"no index here; .*--classified {named}$"):
        search(classified, index=named)
    index_archive(index_job(classified))
    for index in (named, named / "similar"):
        assert Store.of_index(index).folder == named / "similar"


def test_pictures_come_from_where_the_archive_was_indexed(classified, tmp_path):
    moved = tmp_path / "moved"
    classified.archive.rename(moved)
    index_archive(index_job(classified, archive=moved))
    assert search(classified, asked=moved) == 1
    assert (classified.out / "found" / "search.html").read_text("utf-8").count("<img") == COUNT + 1


def test_an_archive_with_keys_is_asked_for(classified):
    store = Store(classified.out)
    store.begin("0123456789ab", overwrite=False, to_label=False)
    store.remember("s3://key:secret@bucket/charts")
    with pytest.raises(UsageError, match=r"--archive is required: s3://\*\*\*@bucket/charts"):
        store.indexed_archive(None)
    assert store.indexed_archive("s3://key:secret@bucket/charts") == "s3://key:secret@bucket/charts"
    assert store.charts().equals(pa.table({}))
