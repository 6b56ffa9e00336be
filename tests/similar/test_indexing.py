"""Codes for an archive's charts: all of them once, what is new later, and nothing of another model."""

import os
import shutil
from typing import ClassVar

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from PIL import Image

from meteo_ray.archive import run
from meteo_ray.errors import UsageError
from meteo_ray.imaging.load import load_image
from meteo_ray.retrieval.codes import pack
from meteo_ray.retrieval.predictor import RetrievalPredictor
from meteo_ray.similar import indexing
from meteo_ray.similar.hamming_index import HammingIndex
from meteo_ray.similar.indexing import index_archive
from meteo_ray.similar.store import CHARTS, INDEX, Store, as_matrix
from tests.archive.fakes import BLUE, fake_models, paint
from tests.archive.test_run import config
from tests.similar.conftest import CHARTS as COUNT
from tests.similar.conftest import InProcess, index_job, write_retrieval


def encoded_now(classified, paths) -> np.ndarray:
    images = np.stack([load_image(classified.archive / path).pixels for path in paths])
    return pack(RetrievalPredictor.load(classified.models / "retrieval", "cpu").encode(images)[0])


class Counted(InProcess):
    given: ClassVar[list[int]] = []

    def encode(self, listed):
        self.given.append(listed.num_rows)
        return super().encode(listed)


@pytest.fixture
def counted(monkeypatch):
    Counted.given = []
    monkeypatch.setattr(indexing, "Encoding", Counted)
    return Counted.given


def test_every_chart_gets_the_code_that_the_model_gives_it(classified):
    assert index_archive(index_job(classified)) == COUNT
    charts = pq.read_table(classified.out / "similar" / CHARTS)
    assert sorted(charts["path"].to_pylist()) == [f"charts/{number:04d}.png" for number in range(COUNT)]
    expected = encoded_now(classified, charts["path"].to_pylist())
    np.testing.assert_array_equal(as_matrix(charts["code"]), expected)
    index = HammingIndex.read(classified.out / "similar" / INDEX)
    distances, places = index.search(expected, 1)
    assert len(index) == COUNT
    assert (distances == 0).all()
    assert places.shape == (COUNT, 1)


def test_what_is_new_is_added_and_what_is_known_is_not_read_again(classified, counted):
    index_archive(index_job(classified))
    before = pq.read_table(classified.out / "similar" / CHARTS)
    assert counted == [COUNT]
    index_archive(index_job(classified))
    assert counted == [COUNT]  # nothing new
    paint(classified.archive / "charts" / "new.png", BLUE, 77)
    shutil.copy(classified.archive / "charts" / "0000.png", classified.archive / "charts" / "copy.png")
    run.classify(config(classified.archive, classified.out, resume=True), fake_models())
    assert index_archive(index_job(classified)) == COUNT + 2
    assert counted == [COUNT, 1]  # of equal bytes one code is enough
    after = pq.read_table(classified.out / "similar" / CHARTS)
    assert after.slice(0, COUNT).equals(before)
    assert set(after["path"].to_pylist()[COUNT:]) == {"charts/new.png", "charts/copy.png"}
    assert len(HammingIndex.read(classified.out / "similar" / INDEX)) == COUNT + 2


def test_charts_that_the_predictions_no_longer_hold_leave_the_index(classified, counted):
    index_archive(index_job(classified))
    (classified.archive / "charts" / "0001.png").unlink()
    run.classify(config(classified.archive, classified.out, overwrite=True), fake_models())
    assert index_archive(index_job(classified)) == COUNT - 1
    charts = pq.read_table(classified.out / "similar" / CHARTS)
    assert "charts/0001.png" not in charts["path"].to_pylist()
    index = HammingIndex.read(classified.out / "similar" / INDEX)
    assert (index.search(as_matrix(charts["code"]), 1)[0] == 0).all()
    assert counted == [COUNT]  # from the codes, not from the images


def test_a_killed_run_goes_on_with_what_it_committed(classified, counted, monkeypatch):
    encode = Counted.encode

    def cut_off(self, listed):
        for number, table in enumerate(encode(self, listed)):
            if number == 1:
                raise KeyboardInterrupt
            yield table

    monkeypatch.setattr(Counted, "encode", cut_off)
    with pytest.raises(KeyboardInterrupt):
        index_archive(index_job(classified))
    monkeypatch.setattr(Counted, "encode", encode)
    assert index_archive(index_job(classified)) == COUNT
    assert counted == [COUNT, COUNT - 4]


def test_a_file_that_changed_has_no_code_until_it_is_asked_for(classified, counted):
    picture = (classified.archive / "charts" / "0002.png").read_bytes()
    (classified.archive / "charts" / "0002.png").write_bytes(b"no picture any more")
    assert index_archive(index_job(classified)) == COUNT - 1
    rows = pq.read_table(classified.out / "similar" / "codes-00000.parquet").to_pylist()
    (bad,) = [row for row in rows if row["status"] != "ok"]
    assert bad["reason"] == "changed"
    assert index_archive(index_job(classified)) == COUNT - 1
    assert counted == [COUNT]
    (classified.archive / "charts" / "0002.png").write_bytes(picture)
    # As it was listed: same size and time.
    place = Store(classified.out).manifest / "files-00000.parquet"
    listed = next(row for row in pq.read_table(place).to_pylist() if row["path"] == "charts/0002.png")
    os.utime(classified.archive / "charts" / "0002.png", ns=(listed["modified_ns"], listed["modified_ns"]))
    assert index_archive(index_job(classified, retry_errors=True)) == COUNT


def test_codes_of_another_model_are_not_mixed_with_these(classified):
    index_archive(index_job(classified))
    write_retrieval(classified.models, seed=1)
    with pytest.raises(UsageError, match=r"holds codes of another model.*--overwrite"):
        index_archive(index_job(classified))
    assert index_archive(index_job(classified, overwrite=True)) == COUNT
    charts = pq.read_table(classified.out / "similar" / CHARTS)
    np.testing.assert_array_equal(as_matrix(charts["code"]), encoded_now(classified, charts["path"].to_pylist()))


def test_what_cannot_be_used_is_named(classified, tmp_path):
    with pytest.raises(UsageError, match="no predictions here; classify the archive first"):
        index_archive(index_job(classified, classified=tmp_path / "elsewhere"))
    with pytest.raises(UsageError, match="no retrieval model here"):
        index_archive(index_job(classified, models=tmp_path / "elsewhere"))
    with pytest.raises(UsageError, match="no such folder"):
        index_archive(index_job(classified, archive=tmp_path / "gone"))
    (classified.out / "similar").mkdir()
    (classified.out / "similar" / "mine.txt").write_text("keep")
    with pytest.raises(UsageError, match="holds files, but no index of codes"):
        index_archive(index_job(classified))
    assert (classified.out / "similar" / "mine.txt").read_text() == "keep"


def test_near_equal_charts_are_grouped_and_unlike_ones_offered_for_labelling(classified):
    first = Image.open(classified.archive / "charts" / "0000.png")
    first.save(classified.archive / "charts" / "saved_again.jpg", quality=95)
    run.classify(config(classified.archive, classified.out, resume=True), fake_models())
    index_archive(index_job(classified, to_label=3))
    groups = pq.read_table(classified.out / "similar" / "groups.parquet")
    pair = groups.filter(
        pc.equal(groups["group"], groups["group"][groups["path"].to_pylist().index("charts/0000.png")])
    )
    assert {"charts/0000.png", "charts/saved_again.jpg"} <= set(pair["path"].to_pylist())
    lines = (classified.out / "similar" / "to_label.csv").read_text("utf-8").splitlines()
    assert lines[0] == "path,image_id,product"
    assert len(set(lines[1:])) == 3
    assert not {"charts/0000.png", "charts/saved_again.jpg"} <= {line.split(",")[0] for line in lines}
