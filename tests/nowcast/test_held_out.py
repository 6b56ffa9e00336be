"""What is scored was not learnt from, and how sure a score is depends on how many windows there are."""

import json
import logging
import shutil

import numpy as np
import pytest
import torch

from meteo_ray import bundle
from meteo_ray.demo.made_radar import write_events
from meteo_ray.errors import UsageError
from meteo_ray.metrics.block_bootstrap import shown
from meteo_ray.nowcast.config import EvaluateNowcastJob, TrainNowcastJob
from meteo_ray.nowcast.held_out import events_to_score
from meteo_ray.nowcast.models.forecaster import Forecaster
from meteo_ray.nowcast.predictor import NowcastPredictor
from meteo_ray.nowcast.radar.events import by_split, read_frames, with_splits
from meteo_ray.nowcast.radar.fields import RadarFields
from meteo_ray.nowcast.run import evaluate, verdict_line
from meteo_ray.nowcast.scoring import EventScores, entry, score_event, verdict
from meteo_ray.nowcast.stage import NOWCAST
from meteo_ray.nowcast.windows import Windows
from meteo_ray.schema import TEST, TRAIN, VALIDATION
from tests.nowcast.conftest import SETTINGS, write_untrained

pytest.importorskip("pysteps", reason="the extra `radar` is not installed")

TAUGHT, VALIDATED, TESTED = (f"event_2021060{day}" for day in (1, 2, 3))


@pytest.fixture(scope="module")
def models(made, tmp_path_factory):
    return write_untrained(tmp_path_factory.mktemp("models"), made)


def scored(made, models, out, **settings):
    evaluate(EvaluateNowcastJob(data=made, models=models, out=out, rounds=20, **settings))
    return json.loads(out.read_text("utf-8"))["entries"]


def config_of(models):
    return bundle.read_config(models / "nowcast", "nowcast")


def test_a_training_records_its_events(made, tmp_path):
    job = TrainNowcastJob(data=made, models=tmp_path, nowcast=SETTINGS)
    task = NOWCAST.make_task(job, NOWCAST.read_inputs(job))
    with bundle.writing(tmp_path / "nowcast") as scratch:
        rows = {name: np.zeros(1) for name in ("squares", "squared", "rival_squared", "brier", "hits", "asked")}
        task.export(task.build(), {**rows, "rival_hits": np.zeros(1), "rival_asked": np.zeros(1)}, scratch)
    events = config_of(tmp_path)["events"]
    assert {split: list(names) for split, names in events.items()} == {
        TRAIN: [TAUGHT],
        VALIDATION: [VALIDATED],
        TEST: [TESTED],
    }


def test_where_a_taught_event_is_the_last_it_is_not_scored(made, models, tmp_path):
    """The folder grew and lost events; the last one by name is not the one that was held out."""
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(made / TAUGHT, elsewhere / TAUGHT)
    write_events(tmp_path / "new", events=1, frames=10, side=64, seed=5)
    (tmp_path / "new" / TAUGHT).rename(elsewhere / "a_new")
    (one,) = scored(elsewhere, models, tmp_path / "m.json")
    assert one["event"] == "a_new"
    shutil.copytree(made / TESTED, elsewhere / TESTED)
    (one,) = scored(elsewhere, models, tmp_path / "m.json")
    assert one["event"] == TESTED


def test_what_taught_is_refused_by_name_and_by_its_files(made, models, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(made / TAUGHT, elsewhere / TAUGHT)
    with pytest.raises(UsageError, match=f"all events here taught or validated it \\({TAUGHT}\\)"):
        scored(elsewhere, models, tmp_path / "m.json")
    (elsewhere / TAUGHT).rename(elsewhere / "renamed")
    with pytest.raises(UsageError, match=f"renamed is {TAUGHT}"):
        scored(elsewhere, models, tmp_path / "m.json")
    assert not (tmp_path / "m.json").exists()


def test_a_bundle_that_records_no_events_is_scored_with_a_warning(made, models, caplog):
    config = {name: value for name, value in config_of(models).items() if name != "events"}
    with caplog.at_level(logging.WARNING, "meteo_ray"):
        assert events_to_score(models / "nowcast", config, read_frames(made)) == [TESTED]
    assert "does not record which events taught it" in caplog.text


@pytest.mark.parametrize(("stride", "block"), [(1, 7), (2, 4), (4, 2), (9, 1)])
def test_windows_that_share_frames_are_drawn_together(fields, stride, block):
    """Of seven frames each; what shares no frame may be drawn on its own."""
    windows = Windows(SETTINGS, fields, stride)
    predictor = NowcastPredictor(Forecaster(SETTINGS), SETTINGS, "x")
    assert score_event(predictor, windows, TESTED).block == block


def scores_of(windows: int, block: int) -> EventScores:
    """Sums of an event whose network is always the better one."""
    from meteo_ray.nowcast.baselines import baselines
    from meteo_ray.nowcast.windows import Window

    found, rng = EventScores("event", 2.0, 6, block), np.random.default_rng(0)
    for _ in range(windows):
        rain = rng.gamma(1, 2, (10, 8, 8)).astype(np.float32)
        window = Window(rain[:4], rain[4:], rain[4:] + 1, rain[4:] + 2, np.ones((8, 8), bool))
        answers = {"network": window.future + 0.1, **baselines(window)}
        found.add(window, answers, np.full((6, 3, 8, 8), 0.5, np.float32))
    return found


def test_a_verdict_is_sure_where_the_interval_is():
    found = entry(scores_of(12, 2), 50)
    assert verdict(found)["better"]
    assert verdict(found)["for_sure"] == "better"
    assert verdict_line("event", verdict(found)).endswith("(for sure better)")
    found["skill_against"]["extrapolation"][5].update(low=-0.9, high=-0.1)
    assert verdict(found)["for_sure"] == "worse"
    found["skill_against"]["extrapolation"][5].update(low=-0.1, high=0.1)
    assert verdict(found)["for_sure"] is None


def test_of_too_few_windows_nothing_is_sure():
    few = {"skill": 0.2, "low": None, "high": None, "days": 3}
    assert shown(few, digits=0) == "+20 % [too few]"
    assert shown({**few, "low": 0.1, "high": 0.3}, digits=0) == "+20 % [+10, +30]"
    found = entry(scores_of(3, 2), 50)
    found["skill_against"]["extrapolation"][5] = few
    assert verdict(found)["better"]
    assert verdict(found)["for_sure"] is None
    assert verdict_line("event", verdict(found)).endswith("MSE against extrapolation +20 % [too few]")


def shortened(made, folder, event, frames):
    shutil.copytree(made, folder)
    for path in sorted((folder / event).iterdir())[frames:]:
        path.unlink()
    return folder


def test_a_test_event_shorter_than_a_window_is_named_before_training_and_scoring(made, models, tmp_path):
    short = shortened(made, tmp_path / "test", TESTED, 5)
    job = TrainNowcastJob(data=short, models=tmp_path, nowcast=SETTINGS)
    message = rf"no window of 7 frames .*: {TESTED} \(5 frames\)"
    with pytest.raises(UsageError, match=f"{message}; name longer ones with --nowcast.test-events"):
        NOWCAST.read_inputs(job)
    with pytest.raises(UsageError, match=message):
        scored(short, models, tmp_path / "m.json")
    other = shortened(made, tmp_path / "validation", VALIDATED, 6)
    with pytest.raises(UsageError, match=rf"{VALIDATED} \(6 frames\); .*--nowcast.validation-events"):
        NOWCAST.read_inputs(job.model_copy(update={"data": other}))


def test_an_event_of_which_nothing_is_seen_is_named(made, tmp_path, monkeypatch):
    fields = RadarFields(made, read_frames(made), 2.0, tmp_path)
    monkeypatch.setattr(fields, "event", lambda name: np.full((10, 16, 16), np.nan, np.float32))
    windows = Windows(SETTINGS, fields)
    torch.manual_seed(0)
    with pytest.raises(UsageError, match=f"{TESTED}: no square is seen"):
        score_event(NowcastPredictor(Forecaster(SETTINGS), SETTINGS, "x"), windows, TESTED)


def test_splits_of_a_table_are_its_events_with_sums(made):
    found = by_split(with_splits(read_frames(made), (), ()))
    assert [list(found[split]) for split in (TRAIN, VALIDATION, TEST)] == [[TAUGHT], [VALIDATED], [TESTED]]
    assert len({digest for names in found.values() for digest in names.values()}) == 3
