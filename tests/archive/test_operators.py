"""The cascade's operators, called directly: marked rows, mini-batches, what has been judged before."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from meteo_ray.archive.judged_rows import JUDGED
from meteo_ray.archive.loaded_model import Judgements, LoadedModel
from meteo_ray.archive.manifest import write_manifest
from meteo_ray.archive.operators import JudgeImages, LookAgain, ReadImages
from meteo_ray.archive.reading import Limits
from meteo_ray.archive.resume import write_pending
from meteo_ray.archive.source import LocalSource, RemoteSource, Source
from meteo_ray.batch import Batch
from meteo_ray.errors import MeteoRayError
from meteo_ray.imaging.guarded_decoding import GuardedLoader
from tests.archive.fakes import BLUE, RED, Fake, FakeGate, NanGate, fake_model, fake_models, paint

LIMITS = Limits(timeout_s=20.0, memory_limit_mb=1536)


def read(source: Source, scratch: Path) -> Batch:
    """The whole archive as one batch."""
    write_manifest(source.entries(), scratch / "manifest")
    _, (chunk,) = write_pending(scratch / "manifest", np.empty(0, dtype=np.uint64), scratch / "pending", 1000)
    (batch,) = ReadImages(source, LIMITS)({"shard": np.array([str(chunk.shard)]), "group": np.array([chunk.group])})
    return batch


def judged(batch: Batch, count: int = 2) -> pa.Table:
    return JudgeImages(fake_models().models[:count], "gate=1", threads=1)(batch)


def named(table: pa.Table, source: Source, images: int = 3) -> tuple[pa.Table, Fake]:
    operator = LookAgain(fake_models().models[2], ["is_meteo"], source, LIMITS, images, threads=1)
    return operator(table), operator._model.predictor


def by_path(table: pa.Table) -> dict[str, dict[str, Any]]:
    return {row["path"]: row for row in table.to_pylist()}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    folder = tmp_path / "archive"
    for number in range(5):
        paint(folder / f"chart{number}.png", BLUE, number)
    paint(folder / "other.png", RED, 9)
    (folder / "empty.png").write_bytes(b"")
    (folder / "notes.txt").write_text("no image")
    whole = paint(folder / "whole.png", BLUE, 10).read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    (folder / "dangling.png").symlink_to("nowhere")
    return folder


@pytest.mark.parametrize("kind", ["local", "remote"])
def test_every_file_is_a_row_with_its_reason(archive: Path, tmp_path: Path, kind: str) -> None:
    source: Source = LocalSource(archive)
    if kind == "remote":
        (archive / "dangling.png").unlink()
        source = RemoteSource(archive.as_uri())
    batch = read(source, tmp_path)
    found = dict(zip(batch["path"], zip(batch["status"], batch["reason"], strict=True), strict=True))
    assert found["chart0.png"] == ("ok", "")
    assert found["empty.png"] == ("error", "empty")
    assert found["notes.txt"] == ("error", "unidentified")
    assert found["truncated.png"] == ("error", "truncated")
    assert len(found) == len(list(archive.iterdir()))
    assert batch["image"].shape == (len(found), 240, 320, 3)


def test_file_that_changes_or_vanishes_after_listing_is_marked(archive: Path, tmp_path: Path) -> None:
    class Meddled(LocalSource):
        """Somebody else works in the archive between listing and reading."""

        def local_file(self, path: str, listed: Any = None) -> Any:
            if path == "chart0.png":
                paint(self.root / path, RED, 77)
            if path == "chart1.png":
                (self.root / path).unlink()
            return super().local_file(path, listed)

    batch = read(Meddled(archive), tmp_path)
    found = dict(zip(batch["path"], zip(batch["status"], batch["reason"], strict=True), strict=True))
    assert found["chart0.png"] == found["chart1.png"] == ("error", "changed")
    assert found["chart2.png"] == ("ok", "")


@pytest.mark.slow
def test_images_that_crash_or_hang_the_decoder_cost_one_row_each(archive: Path, tmp_path: Path) -> None:
    class Dangerous(Limits):
        def loader(self) -> GuardedLoader:
            return GuardedLoader(self.timeout_s, attempts=1, loader="tests.archive.fakes:dangerous_load_image")

    source = LocalSource(archive)
    paint(archive / "crash.png", BLUE, 20)
    paint(archive / "hang.png", BLUE, 21)
    write_manifest(source.entries(), tmp_path / "manifest")
    _, (chunk,) = write_pending(tmp_path / "manifest", np.empty(0, dtype=np.uint64), tmp_path / "pending", 1000)
    operator = ReadImages(source, Dangerous(timeout_s=3.0, memory_limit_mb=1536))
    (batch,) = operator({"shard": np.array([str(chunk.shard)]), "group": np.array([chunk.group])})
    found = dict(zip(batch["path"], zip(batch["status"], batch["reason"], strict=True), strict=True))
    assert (found["crash.png"], found["hang.png"]) == (("error", "crashed"), ("error", "timeout"))
    assert list(found.values()).count(("ok", "")) == 7


def test_only_charts_reach_elements_and_products(archive: Path, tmp_path: Path) -> None:
    source = LocalSource(archive)
    table, predictor = named(judged(read(source, tmp_path)), source)
    assert table.schema.equals(JUDGED)
    rows = by_path(table)
    assert len(rows) == len(list(archive.iterdir()))
    assert rows["other.png"]["is_meteo"] is False
    assert rows["other.png"]["status"] == "ok"
    assert [rows["other.png"][name] for name in ("elements", "element_sequence", "product")] == [None] * 3
    assert rows["empty.png"]["is_meteo"] is None
    assert rows["empty.png"]["width"] is None
    assert [element["id"] for element in rows["chart0.png"]["elements"]] == ["temperature", "wind"]
    assert rows["chart0.png"]["product"] == "product_2"
    assert predictor.batches == [3, 3]  # six charts in full mini-batches of three


def test_without_elements_only_the_gate_speaks(archive: Path, tmp_path: Path) -> None:
    rows = by_path(judged(read(LocalSource(archive), tmp_path), count=1))
    assert rows["chart0.png"]["is_meteo"] is True
    assert rows["chart0.png"]["elements"] is None


def test_same_bytes_get_identical_scores_and_one_forward_pass(tmp_path: Path) -> None:
    source = LocalSource(tmp_path / "archive")
    one = paint(source.root / "one.png", BLUE, 1)
    (source.root / "two.png").write_bytes(one.read_bytes())
    paint(source.root / "three.png", BLUE, 3)
    table, predictor = named(judged(read(source, tmp_path)), source, images=8)
    rows = by_path(table)
    unlike = {"image_id", "path", "modified_ns"}
    first, second = ({k: v for k, v in rows[name].items() if k not in unlike} for name in ("one.png", "two.png"))
    assert first == second
    assert rows["three.png"]["gate_score"] != first["gate_score"]
    assert predictor.batches == [2]


def test_chart_that_changes_before_the_second_look_is_an_error(archive: Path, tmp_path: Path) -> None:
    source = LocalSource(archive)
    table = judged(read(source, tmp_path))
    paint(archive / "chart0.png", BLUE, 99)
    (archive / "chart1.png").unlink()
    rows = by_path(named(table, source)[0])
    for name in ("chart0.png", "chart1.png"):
        assert (rows[name]["status"], rows[name]["reason"]) == ("error", "changed")
        assert rows[name]["is_meteo"] is rows[name]["elements"] is rows[name]["product"] is None
    assert rows["chart2.png"]["product"] == "product_2"


def test_a_lost_file_does_not_condemn_its_twin(tmp_path: Path) -> None:
    source = LocalSource(tmp_path / "archive")
    data = paint(source.root / "a.png", BLUE, 1).read_bytes()
    (source.root / "b.png").write_bytes(data)
    table = judged(read(source, tmp_path))
    first = table["path"][0].as_py()
    (source.root / first).unlink()
    rows = by_path(named(table, source)[0])
    assert rows.pop(first)["status"] == "error"
    assert [row["product"] for row in rows.values()] == ["product_2"]


def test_nan_scores_never_leave_a_stage() -> None:
    model = LoadedModel(fake_model("gate", NanGate))
    with pytest.raises(MeteoRayError, match="gate_score = NaN"):
        model(np.array(["a"], dtype=object), {"image": np.zeros((1, 4, 4, 3), dtype=np.uint8)})


def test_out_of_device_memory_halves_the_batch() -> None:
    class Small(FakeGate):
        def __call__(self, batch: Batch) -> Batch:
            if len(batch["image"]) > 3:
                raise torch.OutOfMemoryError
            return super().__call__(batch)

    small = fake_model("gate", Small)
    roomy = fake_model("gate", FakeGate)
    images = np.random.default_rng(0).integers(0, 255, (10, 8, 8, 3)).astype(np.uint8)
    digests = np.array([str(number) for number in range(10)], dtype=object)
    assert LoadedModel(small)(digests, {"image": images}) == LoadedModel(roomy)(digests, {"image": images})


def test_judgements_forget_the_longest_unused() -> None:
    judgements = Judgements(["score"], capacity=2)
    digest = np.array(["a", "b", "c"], dtype=object)
    for position in range(2):
        judgements.add(digest[position : position + 1], {"score": np.array([position])})
    assert judgements.missing(digest[[0, 2, 2]]).tolist() == [1]  # uses a again
    judgements.add(digest[2:], {"score": np.array([2])})
    assert (judgements.get("a"), judgements.get("b"), judgements.get("c")) == ({"score": 0}, None, {"score": 2})


def test_unreadable_file_is_an_io_error(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    closed = paint(tmp_path / "archive" / "closed.png", BLUE)
    closed.chmod(0)
    batch = read(LocalSource(tmp_path / "archive"), tmp_path)
    assert (batch["status"][0], batch["reason"][0]) == ("error", "io")
