"""The nowcast through the loop, and its jobs: learnt, scored and written on events that it makes itself."""

import json
import shutil

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from meteo_ray.errors import UsageError
from meteo_ray.nowcast.config import EvaluateNowcastJob, NowcastJob, NowcastTraining
from meteo_ray.nowcast.extrapolation import blurred
from meteo_ray.nowcast.models.forecaster import Forecaster
from meteo_ray.nowcast.predictor import NowcastPredictor
from meteo_ray.nowcast.radar.events import by_split, read_frames, with_splits
from meteo_ray.nowcast.run import evaluate, nowcast
from meteo_ray.nowcast.task import NowcastTask
from meteo_ray.nowcast.windows import Windows, _widened, margin_of
from meteo_ray.streaming.in_process import stream_in_process
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.loop import TrainingRun
from tests.nowcast.conftest import SETTINGS, moving_blob, write_untrained
from tests.training.line_task import FolderHost

pytest.importorskip("pysteps", reason="the extra `radar` is not installed")

LOOP = LoopSettings(batch_size=4, precision="fp32", patience=0, torch_threads=1)


@pytest.fixture(scope="module")
def task(fields, index) -> NowcastTask:
    return NowcastTask(SETTINGS, fields, seed=0, events=by_split(index))


@pytest.fixture(scope="module")
def index(made):
    return with_splits(read_frames(made), (), ())


def test_windows_are_of_the_splits_own_events(task, index):
    for number, split in enumerate(("train", "validation", "test")):
        rows = task.rows(index, split)
        assert set(rows["event"].to_pylist()) == {number}
        assert rows.num_rows == 2 * 2  # two windows of seven frames, stride two; two crops of each


def test_crops_are_drawn_anew_in_training_and_never_in_validation(task, index):
    rows = task.rows(index, "train")
    batch = {name: rows[name].to_numpy() for name in rows.column_names}
    first, again, other = (task.prepare("train", epoch)(dict(batch)) for epoch in (0, 0, 1))
    np.testing.assert_array_equal(first["past"], again["past"])
    assert not np.array_equal(first["past"], other["past"])
    fixed = [task.prepare("validation", epoch)(dict(batch))["past"] for epoch in (0, 1)]
    np.testing.assert_array_equal(*fixed)
    assert first["past"].shape == (4, 4, 16, 16)
    assert first["future"].shape == (4, 3, 16, 16)


def test_a_crop_is_what_the_whole_window_shows_there(fields):
    windows = Windows(SETTINGS, fields)
    whole = windows.load(0, 0)
    part = windows.crop(0, 0, np.random.default_rng(0))
    rows, columns = (length - 16 + 1 for length in whole.seen.shape)
    places = [(y, x) for y in range(rows) for x in range(columns)
              if np.array_equal(whole.past[:, y : y + 16, x : x + 16], part.past, equal_nan=True)]  # fmt: skip
    (y, x) = places[0]
    for name in ("future", "sharp"):
        np.testing.assert_array_equal(getattr(whole, name)[:, y : y + 16, x : x + 16], getattr(part, name))
    np.testing.assert_allclose(whole.soft[:, y : y + 16, x : x + 16], part.soft, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("leads", [3, 12, 30])
def test_a_crop_is_blurred_as_the_whole_field_is_for_all_leads(leads):
    """A wide shower beside the crop reaches into it as far as on the whole grid."""
    rows = columns = slice(100, 116)
    field = np.zeros((leads, 216, 216), np.float32)
    field[:, :, 120:] = 5
    wide, inner = zip(*(_widened(part, margin_of(leads)) for part in (rows, columns)), strict=True)
    part = blurred(field[:, wide[0], wide[1]])[:, inner[0], inner[1]]
    np.testing.assert_allclose(part, blurred(field)[:, rows, columns], atol=0.02)


def test_it_goes_on_after_a_stop(task, index, tmp_path):
    def run(name, stop_after=None):
        host = FolderHost(tmp_path / name / "host", stop_after)
        return TrainingRun(task, index, LOOP, tmp_path / name, host, stream_in_process, torch.device("cpu"))

    whole = run("whole").fit()
    with pytest.raises(KeyboardInterrupt):
        run("cut", stop_after=1).fit()
    resumed = run("cut").fit()
    for one, other in zip(whole.history, resumed.history, strict=True):
        assert one["train/loss"] == pytest.approx(other["train/loss"], rel=1e-5)
        assert one["validation/mse"] == pytest.approx(other["validation/mse"], rel=1e-5)


def test_without_the_extrapolations_it_learns_from_nothing(fields, index, tmp_path):
    settings = SETTINGS.model_copy(update={"residual": False, "rate": 1e-2, "epochs": 12})
    task = NowcastTask(settings, fields, seed=0, events=by_split(index))
    host = FolderHost(tmp_path / "host", None)
    run = TrainingRun(task, index, LOOP, tmp_path / "run", host, stream_in_process, torch.device("cpu"))
    errors = [epoch["validation/mse"] for epoch in run.fit().history]
    assert min(errors) < 0.9 * errors[0]


def test_the_metrics_are_those_of_the_fields(task, index):
    model = Forecaster(SETTINGS).eval()
    rows = task.rows(index, "validation")
    batch = next(stream_in_process(rows, task.prepare("validation", 0), 8))
    with torch.inference_mode():
        tensors = task.collate(batch)
        rain = model(tensors["past"], tensors["sharp"], tensors["soft"])[0].numpy()
        found = task.metrics(task.outputs(model, tensors))
    seen = np.repeat(batch["seen"][:, None], 3, axis=1)
    error, rival = ((field - batch["future"])[seen].astype(np.float64) for field in (rain, batch["sharp"]))
    assert found["mse"] == pytest.approx(np.mean(error**2), rel=1e-4)
    assert found["skill"] == pytest.approx(1 - np.mean(error**2) / np.mean(rival**2), abs=1e-3)


def predictor(seed=0) -> NowcastPredictor:
    torch.manual_seed(seed)
    return NowcastPredictor(Forecaster(SETTINGS), SETTINGS, "x")


def test_a_nowcast_is_of_its_past_alone():
    frames = moving_blob(8)
    first = predictor().nowcast(frames[:4])
    assert first.rain.shape == (3, 48, 48)
    assert first.chances.shape == (3, 3, 48, 48)
    assert (np.diff(first.chances, axis=1)[np.isfinite(first.chances[:, 1:])] < 1e-6).all()  # rarer the heavier
    second = predictor().nowcast(np.array(frames[:4]))
    np.testing.assert_array_equal(first.rain, second.rain)


@pytest.fixture(scope="module")
def models(made, tmp_path_factory):
    return write_untrained(tmp_path_factory.mktemp("models"), made)


def test_the_job_writes_fields_with_units_a_table_maps_and_an_animation(made, models, tmp_path):
    import xarray as xr

    job = NowcastJob(data=made, models=models, out=tmp_path / "out", time="2021-06-03T12:20")
    nowcast(job)
    with xr.open_dataset(job.out / "nowcast.nc", engine="h5netcdf") as data:
        assert data["rain"].shape == (3, 32, 32)
        assert data["rain"].attrs["units"] == "mm h-1"
        assert data["lead"].attrs.get("units", "minutes") == "minutes"
    lines = (job.out / "nowcast.csv").read_text().splitlines()
    assert len(lines) == 4
    assert "2021-06-03T12:35:00,15" in lines[3]
    assert (job.out / "nowcast.png").read_bytes().startswith(b"\x89PNG")
    assert (job.out / "nowcast.gif").read_bytes().startswith(b"GIF")
    with pytest.raises(UsageError, match="--overwrite"):
        nowcast(job)
    nowcast(job.model_copy(update={"overwrite": True, "time": None}))  # the last frame: nothing to compare with
    for wrong, message in (
        ("2021-06-03T12:21", "no frame then"),
        ("2021-06-03T12:05", "must lie before"),
        ("x", "a time"),
    ):
        with pytest.raises(UsageError, match=message):
            nowcast(job.model_copy(update={"out": tmp_path / "other", "time": wrong}))
    assert not (tmp_path / "other").exists()


def test_after_a_gap_nothing_is_shown_as_observed(made, models, tmp_path, monkeypatch):
    """Five frames later the files go on: what they show is not five minutes ahead."""
    gap = tmp_path / "gap"
    shutil.copytree(made, gap)
    for path in sorted((gap / "event_20210603").iterdir())[5:7]:
        path.unlink()
    panels = []
    monkeypatch.setattr("meteo_ray.nowcast.plots.animation", lambda titles, *given: panels.append(given) or b"GIF")
    job = NowcastJob(data=gap, models=models, out=tmp_path / "out", event="event_20210603", time="2021-06-03T12:20")
    nowcast(job)
    nowcast(job.model_copy(update={"data": made, "out": tmp_path / "whole"}))
    (after_gap, no_errors), (whole, errors) = panels
    assert list(after_gap) == ["nowcast", "extrapolation"]
    assert not no_errors
    assert list(whole) == ["observed", "nowcast", "extrapolation"]
    assert list(errors) == ["error"]


def test_a_network_has_a_layer():
    with pytest.raises(ValidationError, match="hidden"):
        NowcastTraining(hidden=())


def test_the_evaluation_scores_the_test_event_beside_all_baselines(made, models, tmp_path):
    evaluate(EvaluateNowcastJob(data=made, models=models, out=tmp_path / "m.json", rounds=50, stride=1))
    document = json.loads((tmp_path / "m.json").read_text())
    (entry,) = document["entries"]
    assert entry["event"] == "event_20210603"
    assert entry["windows"] == 4
    names = {"network", "zero", "domain mean", "persistence", "extrapolation", "blurred extrapolation", "S-PROG"}
    assert set(entry["scores"]) == names
    assert all(len(scores) == 3 for scores in entry["scores"].values())
    assert entry["scores"]["extrapolation"][0]["mse"] < entry["scores"]["persistence"][0]["mse"]
    assert entry["scores"]["persistence"][0]["power"] > entry["scores"]["zero"][0]["power"] == 0
    page = (tmp_path / "m.html").read_text("utf-8")
    assert "data:image/png" in page
    assert "skill against blurred extrapolation" in page
