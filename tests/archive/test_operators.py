"""The cascade's operators, called directly: marked rows, mini-batches, images that a model cannot bear."""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import torch

from meteo_ray.archive.cascade.judge_images import JudgeImages
from meteo_ray.archive.cascade.judged_rows import JUDGED
from meteo_ray.archive.cascade.loaded_model import LoadedModel
from meteo_ray.archive.cascade.look_again import LookAgain
from meteo_ray.archive.cascade.read_images import ReadImages
from meteo_ray.archive.cascade.second_look import in_order_ahead
from meteo_ray.archive.cascade.suspects import DEATHS_ALLOWED, SuspectList
from meteo_ray.archive.ids import IdSet
from meteo_ray.archive.inputs.listing_thread import Listing
from meteo_ray.archive.inputs.manifest import Manifest
from meteo_ray.archive.inputs.rounds import pending_rounds
from meteo_ray.archive.inputs.source import LocalSource, open_source
from meteo_ray.archive.reading.claims import ClaimTable
from meteo_ray.archive.reading.limits import Limits
from meteo_ray.batch import Batch, objects
from meteo_ray.errors import UsageError
from meteo_ray.judging.predictor import Predictor
from tests.archive.fakes import BLUE, FAKES, RED, Fake, FakeGate, NanGate, OddGate, RaisingGate, fake_model, paint

LIMITS = Limits(timeout_s=20.0, memory_limit_mb=1536)


def read(source: LocalSource, scratch: Path) -> Batch:
    """The whole archive as one batch."""
    manifest = Manifest(scratch / "manifest")
    pending = next(pending_rounds(manifest, IdSet(), Listing(source, manifest)))
    return read_by(source, pending)


def read_by(source: LocalSource, pending: pa.Table) -> Batch:
    (batch,) = ReadImages(source, LIMITS, ClaimTable(), SuspectList(), pending.num_rows, described=False)(pending)
    return batch


def judged(batch: Batch, count: int = 2, gate: type[Predictor] = FakeGate) -> pa.Table:
    models = [fake_model("gate", gate), fake_model("elements", FAKES["elements"])]
    return JudgeImages(models[:count], "gate=1", threads=1, suspects=SuspectList())(batch)


def named(table: pa.Table, source: LocalSource, images: int = 3) -> tuple[pa.Table, Fake]:
    model = fake_model("products", FAKES["products"])
    operator = LookAgain(model, ["is_meteo"], source, LIMITS, images, threads=1, suspects=SuspectList())
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
    whole = paint(folder / "whole.png", BLUE, 10).read_bytes()
    (folder / "truncated.png").write_bytes(whole[: len(whole) // 2])
    return folder


def test_only_charts_reach_elements_and_products(archive: Path, tmp_path: Path) -> None:
    source = open_source(archive)
    table, predictor = named(judged(read(source, tmp_path)), source)
    assert table.schema.equals(JUDGED)
    rows = by_path(table)
    assert len(rows) == len(list(archive.iterdir()))
    assert rows["other.png"]["is_meteo"] is False
    assert rows["other.png"]["status"] == "ok"
    assert [rows["other.png"][name] for name in ("elements", "element_sequence", "product")] == [None] * 3
    assert [rows["empty.png"][name] for name in ("is_meteo", "width", "format", "n_frames")] == [None] * 4
    assert rows["empty.png"]["detail"]
    chart = rows["chart0.png"]
    assert [element["id"] for element in chart["elements"]] == ["temperature", "wind"]
    assert (chart["product"], chart["format"], chart["n_frames"], chart["reason"]) == ("product_2", "PNG", 1, None)
    assert predictor.batches == [3, 3]  # six charts in full mini-batches of three


def test_without_elements_only_the_gate_speaks(archive: Path, tmp_path: Path) -> None:
    rows = by_path(judged(read(open_source(archive), tmp_path), count=1))
    assert rows["chart0.png"]["is_meteo"] is True
    assert rows["chart0.png"]["elements"] is None


def test_chart_that_changes_before_the_second_look_is_an_error(archive: Path, tmp_path: Path) -> None:
    source = open_source(archive)
    table = judged(read(source, tmp_path))
    paint(archive / "chart0.png", BLUE, 99)
    (archive / "chart1.png").unlink()
    rows = by_path(named(table, source)[0])
    for name in ("chart0.png", "chart1.png"):
        assert (rows[name]["status"], rows[name]["reason"]) == ("error", "changed")
        assert rows[name]["is_meteo"] is rows[name]["elements"] is rows[name]["product"] is None
    assert rows["chart2.png"]["product"] == "product_2"


def test_for_a_model_that_looks_at_no_pixels_no_file_is_read_again(archive: Path, tmp_path: Path) -> None:
    class Blind(Fake):
        needs_pixels = False

        def __call__(self, batch: Batch) -> Batch:
            names = [f"product_{len(found)}" for found in batch["elements"]]
            tops = objects([[] for _ in names])
            return {"product": objects(names), "product_score": np.ones(len(names), np.float32), "product_top": tops}

    source = open_source(archive)
    table = judged(read(source, tmp_path))
    archive.rename(tmp_path / "aside")
    operator = LookAgain(fake_model("products", Blind), ["is_meteo"], source, LIMITS, 3, 1, SuspectList())
    rows = by_path(operator(table))
    assert {row["product"] for row in rows.values() if row["is_meteo"]} == {"product_2"}
    assert rows["other.png"]["product"] is None
    assert [row["fault"] for row in rows.values()] == [None] * len(rows)


def test_an_outage_before_the_second_look_stops_the_job(archive: Path, tmp_path: Path) -> None:
    source = open_source(archive)
    table = judged(read(source, tmp_path))
    archive.rename(tmp_path / "aside")
    faults = set(named(table, source)[0]["fault"].to_pylist())
    assert len(faults) == 1
    assert "nothing was held against its files" in faults.pop()


def test_an_outage_while_reading_stops_the_job(archive: Path, tmp_path: Path) -> None:
    source = open_source(archive)
    manifest = Manifest(tmp_path / "manifest")
    pending = next(pending_rounds(manifest, IdSet(), Listing(source, manifest)))
    archive.rename(tmp_path / "aside")
    table = judged(read_by(source, pending))
    assert all("nothing was held against its files" in fault for fault in table["fault"].to_pylist())


def test_readers_that_died_too_often_say_so_in_every_block(archive: Path, tmp_path: Path) -> None:
    class Deadly(SuspectList):
        def begin(self, batch: str, whole: bool) -> tuple[int, int]:
            return 1, DEATHS_ALLOWED + 1

    source, manifest = open_source(archive), Manifest(tmp_path / "manifest")
    pending = next(pending_rounds(manifest, IdSet(), Listing(source, manifest)))
    found = list(ReadImages(source, LIMITS, ClaimTable(), Deadly(), 5, described=False)(pending))
    assert sum(len(block["path"]) for block in found) == pending.num_rows
    assert all("died" in fault for block in found for fault in block["fault"])


@pytest.mark.parametrize(
    ("gate", "reason", "words"),
    [(OddGate, "not_finite", "gate answered NaN"), (RaisingGate, "crashed", "division by a black image")],
)
def test_an_image_that_a_model_cannot_bear_costs_its_row(
    archive: Path, tmp_path: Path, gate: type[Predictor], reason: str, words: str
) -> None:
    paint(archive / "poison.png", (0, 0, 0), 3)
    source = open_source(archive)
    rows = by_path(named(judged(read(source, tmp_path), gate=gate), source)[0])
    assert (rows["poison.png"]["status"], rows["poison.png"]["reason"]) == ("error", reason)
    assert words in rows["poison.png"]["detail"]
    assert rows["poison.png"]["gate_score"] is rows["poison.png"]["elements"] is rows["poison.png"]["product"] is None
    assert rows["chart0.png"]["product"] == "product_2"
    assert [row["mistake"] for row in rows.values()] == [None] * len(rows)


def test_a_model_that_answers_nan_for_any_image_is_broken() -> None:
    model = LoadedModel(fake_model("gate", NanGate))
    with pytest.raises(UsageError, match="NaN or infinity for any image"):
        model({"image": np.zeros((2, 4, 4, 3), dtype=np.uint8)})


def test_what_a_model_answers_besides_need_not_be_finite() -> None:
    """A language model that was not asked about a product has no likelihood of it: -inf, for who weighs it."""

    class Telling(FakeGate):
        def __call__(self, batch: Batch) -> Batch:
            return {**super().__call__(batch), "gate_likelihood": np.full((len(batch["image"]), 3), -np.inf)}

    model = LoadedModel(fake_model("gate", Telling))
    answers = model({"image": np.zeros((2, 4, 4, 3), dtype=np.uint8)})
    assert all("gate_score" in answer and "gate_likelihood" not in answer for answer in answers)


def test_a_defect_that_every_image_meets_is_no_verdict() -> None:
    class Defect(FakeGate):
        def __call__(self, batch: Batch) -> Batch:
            raise AttributeError("a defect")

    with pytest.raises(AttributeError, match="a defect"):
        LoadedModel(fake_model("gate", Defect))({"image": np.zeros((2, 4, 4, 3), dtype=np.uint8)})


def test_what_a_model_objects_to_while_loading_travels_as_a_column(archive: Path, tmp_path: Path) -> None:
    operator = JudgeImages([fake_model("gate", FakeGate, refuse="not fitted")], "x", 1, SuspectList())
    assert set(operator(read(open_source(archive), tmp_path))["mistake"].to_pylist()) == {"not fitted"}


def test_out_of_device_memory_halves_the_batch() -> None:
    class Small(FakeGate):
        def __call__(self, batch: Batch) -> Batch:
            if len(batch["image"]) > 3:
                raise torch.OutOfMemoryError
            return super().__call__(batch)

    images = np.random.default_rng(0).integers(0, 255, (10, 8, 8, 3)).astype(np.uint8)
    small, roomy = LoadedModel(fake_model("gate", Small)), LoadedModel(fake_model("gate", FakeGate))
    assert small({"image": images}) == roomy({"image": images})


def test_results_come_in_order_and_are_computed_ahead() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        assert list(in_order_ahead(pool, partial(pow, 2), range(10), 3)) == [2**n for n in range(10)]
