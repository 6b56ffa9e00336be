"""What is written on charts: read after the pixels were judged, heard by the models, a column beside their answers."""

import csv
import json
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image, ImageDraw

from meteo_ray import bundle
from meteo_ray.archive import resume, run
from meteo_ray.archive.cascade import read_text
from meteo_ray.archive.cascade.judge_images import NOT_READ, JudgeImages
from meteo_ray.archive.cascade.judged_rows import JUDGED, VOTES
from meteo_ray.archive.cascade.models import Model
from meteo_ray.archive.cascade.read_text import ReadText
from meteo_ray.archive.cascade.suspects import SuspectList
from meteo_ray.archive.inputs.source import open_source
from meteo_ray.batch import objects
from meteo_ray.calibration.votes import Scale, VoteScales, unstacked
from meteo_ray.elements.bundle import write_bundle as write_elements
from meteo_ray.elements.calibration import ElementsCalibration, LabelCalibration
from meteo_ray.elements.config import ElementsTraining
from meteo_ray.elements.model import ElementsDimensions, ElementsModel
from meteo_ray.elements.verdict import ElementsVerdict
from meteo_ray.errors import UsageError
from meteo_ray.gate.bundle import write_bundle as write_gate
from meteo_ray.gate.calibration import NETWORK, GateCalibration
from meteo_ray.gate.config import GateTraining
from meteo_ray.gate.model import GateModel
from meteo_ray.gate.verdict import GateVerdict
from meteo_ray.imaging.fonts import hei_font
from meteo_ray.schema import WRITTEN
from meteo_ray.stages import CASCADE
from meteo_ray.text.config import TextSettings
from meteo_ray.text.reader import TextReader
from meteo_ray.voters.text_voter import Page, TextVoter, pages_of
from meteo_ray.voters.voters import Voters
from tests.archive.fakes import BLUE, DARK_BLUE, FAKES, RED, fake_model, fake_models, paint
from tests.archive.in_process import replace_ray, without_ray  # noqa: F401 (a fixture)
from tests.archive.page_engine import TITLE
from tests.archive.test_operators import LIMITS, by_path, read
from tests.archive.test_run import config, rows
from tests.archive.untrained import INPUT_SIZE, VOCABULARY, as_it_is

READING = TextSettings(mode="title", undecided_from=0.0)
ENGINE = partial(TextReader, function="tests.archive.page_engine:read_lines")

SILENT = {name: Scale((0.0,), (0.0,)) for name in (NETWORK, "words")}


def a_voter(questions: int) -> TextVoter:
    """Knows that names of elements matter; of one question: whether any does."""
    titles = ["Temperature", "10 m wind", "Total precipitation", "A walk in the park", "The menu of today", ""]
    pages = [Page.of(title, title) for title in titles]
    truth = np.array([VOCABULARY.multi_hot(names) for names in (["temperature"], ["wind"], ["precipitation"])] * 2)
    truth[3:] = 0
    targets = truth if questions > 1 else truth.any(axis=1, keepdims=True)
    return TextVoter.fit(pages, targets, np.ones(len(pages)), VOCABULARY)


def write_models_that_read(models: Path) -> Path:
    """Untrained networks that nobody listens to once the text was read; the gate lets nothing through by pixels."""
    gate = GateCalibration(as_it_is(NETWORK, 1), 1.0, 1.0)
    names = GateCalibration(VoteScales(SILENT | {"names": Scale((1.0,), (0.0,))}), 1.0, 0.5)
    with bundle.writing(models / "gate") as folder:
        training, voter = GateTraining(init="none", input_size=INPUT_SIZE), a_voter(1)
        verdict = GateVerdict(VOCABULARY, gate, names, voter)
        write_gate(folder, GateModel("none", INPUT_SIZE), training, verdict, Voters(text=voter))
    labels = len(VOCABULARY.elements)
    each = (LabelCalibration(1.0, 0.0, 0.5, 5, False),) * labels
    scales = {name: Scale((slope,) * labels, (0.0,) * labels) for name, slope in (("parallel", 0.0), ("names", 1.0))}
    with bundle.writing(models / "elements") as folder:
        voter, settings = a_voter(labels), ElementsTraining(backbone="resnet18", init="none", input_size=INPUT_SIZE)
        image, text = as_it_is("parallel", labels), VoteScales(scales)
        verdicts = ElementsVerdict(
            VOCABULARY, ElementsCalibration(image, each), ElementsCalibration(text, each), text=voter
        )
        model, counts = ElementsModel(ElementsDimensions(labels, "resnet18", INPUT_SIZE)), np.arange(labels)
        write_elements(folder, model, settings, counts, verdicts, Voters(text=voter))
    return models


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run over a page that names an element, its twin, one that says nothing and one of which the engine dies."""
    root = tmp_path_factory.mktemp("text")
    write_models_that_read(root / "models")
    page = paint(root / "archive" / "named.png", BLUE, 1)
    (root / "archive" / "twin.png").write_bytes(page.read_bytes())
    paint(root / "archive" / "silent.png", RED, 2)
    paint(root / "archive" / "deadly.png", DARK_BLUE, 3)
    with pytest.MonkeyPatch.context() as patch:
        replace_ray(patch)
        patch.setattr(read_text, "TextReader", ENGINE)
        settings = {"stages": ("gate", "elements"), "also": ("csv", "jsonl"), "text": READING}
        run.classify(config(root / "archive", root / "out", **settings))
    return root / "out"


def found(out: Path) -> dict[str, dict[str, Any]]:
    return {row["path"]: row for row in rows(out)}


def test_text_turns_an_undecided_image_into_a_chart_with_its_elements(finished: Path) -> None:
    row = found(finished)["named.png"]
    assert (row["status"], row["is_meteo"], row["title"]) == ("ok", True, TITLE)
    assert row["text"].splitlines()[0] == TITLE
    assert row["valid_time"] == datetime(2024, 7, 15, 8, tzinfo=UTC)
    assert row["level"] == "850 hPa"
    assert [element["id"] for element in row["elements"]] == ["temperature"]
    assert row["element_sequence"] is not None  # of the network, which judged it in case it is a chart


def test_an_image_that_says_nothing_is_no_chart_and_has_no_elements(finished: Path) -> None:
    row = found(finished)["silent.png"]
    assert (row["is_meteo"], row["title"], row["text"]) == (False, "", "")
    assert row["elements"] is row["element_sequence"] is row["valid_time"] is None


def test_a_page_whose_text_cannot_be_read_keeps_what_its_pixels_say(finished: Path) -> None:
    row = found(finished)["deadly.png"]
    assert (row["status"], row["reason"], row["is_meteo"]) == ("ok", None, False)
    assert 0 < row["gate_score"] < 1
    assert row["elements"] is None
    assert [row[name] for name in WRITTEN.names] == [None] * len(WRITTEN)


def test_equal_bytes_have_equal_text(finished: Path) -> None:
    one, other = (found(finished)[name] for name in ("named.png", "twin.png"))
    own = ("image_id", "path")
    assert {k: v for k, v in one.items() if k not in own} == {k: v for k, v in other.items() if k not in own}


def test_votes_stay_inside_the_run(finished: Path) -> None:
    columns = pq.read_table(finished / "predictions").column_names
    assert not {field.name for field in VOTES} & set(columns)


def test_tables_summary_and_report_tell_of_it(finished: Path) -> None:
    with (finished / "predictions.csv").open(encoding="utf-8-sig", newline="") as file:
        cells = {row["path"]: row for row in csv.DictReader(file)}["named.png"]
    assert cells["text"].startswith(f"{TITLE} / ")
    assert cells["valid_time"] == "2024-07-15T08:00:00+00:00"
    lines = (finished / "predictions.jsonl").read_text("utf-8").splitlines()
    exact = {row["path"]: row for row in map(json.loads, lines)}
    assert exact["named.png"]["valid_time"] == "2024-07-15T08:00:00+00:00"
    assert exact["deadly.png"]["text"] is None
    summary = json.loads((finished / "summary.json").read_text("utf-8"))
    assert summary["text"] == {"read": 3, "titled": 2}
    assert summary["charts"] == 2
    assert summary["seconds"]["text"] > 0
    assert f"<b>{TITLE}</b>" in (finished / "report.html").read_text("utf-8")


@pytest.mark.usefixtures("without_ray")
def test_off_reads_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_text, "TextReader", None)
    paint(tmp_path / "archive" / "chart.png", BLUE, 1)
    summary = run.classify(config(tmp_path / "archive", tmp_path / "out"), fake_models())
    (row,) = rows(tmp_path / "out")
    assert row["is_meteo"]
    assert [row[name] for name in WRITTEN.names] == [None] * len(WRITTEN)
    assert (summary["text"], summary["seconds"]["text"]) == ({"read": 0, "titled": 0}, 0)


@pytest.mark.parametrize("stage", ["gate", "elements"])
def test_verdicts_without_networks_say_what_predictors_say(finished: Path, stage: str) -> None:
    """What evaluation measures with a text at hand is what an archive is told."""
    judging, folder = CASCADE[stage], finished.with_name("models") / stage
    images = np.random.default_rng(0).integers(0, 256, (3, 240, 320, 3), dtype=np.uint8)
    written = {"title": objects(["Temperature", None, ""]), "text": objects(["Temperature\n850", None, ""])}
    predictor, verdict = judging.load(folder, device="cpu", precision="fp32"), judging.load_verdict(folder)
    assert verdict.reads_text
    votes = unstacked(predictor({"image": images})[judging.votes], verdict.voters)
    expected, found = predictor({"image": images, **written}), verdict(votes, pages_of({"image": images, **written}))
    for name, values in found.items():
        assert values.tolist() == expected[name].tolist()


def judged(archive: Path, scratch: Path, text: TextSettings) -> pa.Table:
    """The rows of an archive as the fakes judge them."""
    operator = JudgeImages(fakes(), "x", threads=1, suspects=SuspectList(), text=text)
    return operator(read(open_source(archive), scratch))


def fakes() -> list[Model]:
    return [fake_model(name, FAKES[name]) for name in ("gate", "elements")]


def reader_of(archive: Path, text: TextSettings = READING) -> ReadText:
    return ReadText(fakes(), text, open_source(archive), LIMITS, SuspectList())


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(read_text, "TextReader", ENGINE)
    paint(tmp_path / "archive" / "chart.png", BLUE, 1)
    paint(tmp_path / "archive" / "other.png", RED, 2)
    (tmp_path / "archive" / "empty.png").write_bytes(b"")
    return tmp_path / "archive"


def test_only_charts_and_undecided_images_are_read(archive: Path, tmp_path: Path) -> None:
    """The red picture scores 0.15 with the gate: below 0.2, above 0.1."""
    narrow, wide = (TextSettings(mode="title", undecided_from=start) for start in (0.2, 0.1))
    assert by_path(judged(archive, tmp_path, narrow))["other.png"]["elements"] is None
    assert by_path(judged(archive, tmp_path, wide))["other.png"]["elements"] is not None
    for text, expected in ((narrow, None), (wide, "")):
        table = reader_of(archive, text)(judged(archive, tmp_path, text))
        assert table.schema.equals(JUDGED)
        row = by_path(table)
        assert [row[name]["text"] for name in ("other.png", "empty.png")] == [expected, None]
        assert row["chart.png"]["title"] == TITLE
        assert [element["id"] for element in row["chart.png"]["elements"]] == ["temperature", "wind"]
        assert row["other.png"]["elements"] is row["other.png"]["element_sequence"] is None
        assert row["empty.png"]["reason"] == "empty"


def test_a_page_that_changes_before_it_is_read_is_an_error(archive: Path, tmp_path: Path) -> None:
    table = judged(archive, tmp_path, READING)
    paint(archive / "chart.png", BLUE, 99)
    row = by_path(reader_of(archive)(table))["chart.png"]
    assert (row["status"], row["reason"]) == ("error", "changed")
    assert row["is_meteo"] is row["elements"] is row["text"] is None


def test_an_outage_before_pages_are_read_stops_the_job(archive: Path, tmp_path: Path) -> None:
    table, operator = judged(archive, tmp_path, READING), reader_of(archive)
    archive.rename(tmp_path / "aside")
    (fault,) = set(operator(table)["fault"].to_pylist())
    assert "nothing was held against its files" in fault


def test_a_verdict_that_cannot_be_loaded_is_told(archive: Path, tmp_path: Path) -> None:
    def refuse() -> Any:
        raise UsageError("no such threshold")

    models = [Model(model.name, model.version, model.judging, model.load, refuse) for model in fakes()]
    operator = ReadText(models, READING, open_source(archive), LIMITS, SuspectList())
    assert set(operator(judged(archive, tmp_path, READING))["mistake"].to_pylist()) == {"no such threshold"}


def test_a_run_goes_on_with_the_same_text_settings_only(tmp_path: Path) -> None:
    def identity(text: TextSettings) -> dict[str, Any]:
        return resume.identity(config(tmp_path / "archive", tmp_path / "out", text=text), fake_models())

    out = tmp_path / "out"
    out.mkdir()
    resume.begin(out, identity(READING), resume=False, overwrite=False)
    (out / "predictions").mkdir()
    (out / "predictions" / "part-00000.parquet").write_bytes(b"x")
    resume.begin(out, identity(READING.model_copy(update={"seconds": 5.0})), resume=True, overwrite=False)
    for change in ({"mode": "page"}, {"mode": "off"}, {"undecided_from": 0.3}, {"minimum_score": 0.9}):
        other = identity(READING.model_copy(update=change))
        with pytest.raises(UsageError, match=r"text\.\w+: .* then, .* now"):
            resume.begin(out, other, resume=True, overwrite=False)
    assert identity(NOT_READ) == identity(TextSettings(undecided_from=0.1))


def draw_page(path: Path, paper: tuple[int, int, int]) -> Path:
    page = Image.new("RGB", (640, 480), paper)
    ImageDraw.Draw(page).text((60, 12), "500hPa高度场 Geopotential Height", "black", hei_font(24))
    ImageDraw.Draw(page).rectangle((60, 60, 620, 430), outline="black")
    path.parent.mkdir(parents=True, exist_ok=True)
    page.save(path)
    return path


def test_a_drawn_title_arrives_through_ray(ray_session: None, tmp_path: Path) -> None:
    """With the engine as it is. White paper is neither blue nor red: undecided, and no chart."""
    draw_page(tmp_path / "archive" / "blue.png", (150, 190, 255))
    draw_page(tmp_path / "archive" / "white.png", (255, 255, 255))
    paint(tmp_path / "archive" / "other.png", RED, 1)
    settings = config(tmp_path / "archive", tmp_path / "out", text=TextSettings(mode="title"))
    summary = run.classify(settings, fake_models())
    row = found(tmp_path / "out")
    for name, chart in (("blue.png", True), ("white.png", False)):
        assert "Geopotential" in row[name]["title"]
        assert (row[name]["is_meteo"], row[name]["elements"] is not None, bool(row[name]["product"])) == (chart,) * 3
    assert row["other.png"]["text"] is None
    assert summary["text"] == {"read": 2, "titled": 2}
