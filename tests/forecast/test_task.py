"""Station forecasts through the loop: what is learnt is kept, resumed, honest about the future, and used as trained."""

import numpy as np
import pytest
import torch

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.forecast.config import ForecastTraining, TrainForecastJob
from meteo_ray.forecast.inputs import chosen, split_of
from meteo_ray.forecast.predictor import Ensemble, ForecastPredictor
from meteo_ray.forecast.series.panel import Panel, from_table, to_table
from meteo_ray.forecast.series.source import load_source
from meteo_ray.forecast.task import ForecastTask
from meteo_ray.forecast.windows import Windows
from meteo_ray.schema import TEST, TRAIN, VALIDATION
from meteo_ray.streaming.in_process import stream_in_process
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.loop import TrainingRun
from tests.forecast.conftest import made_panel
from tests.training.line_task import FolderHost

LOOP = LoopSettings(batch_size=32, precision="fp32", patience=0, torch_threads=1, weight_decay=0.01)
MODELS = ("lstm", "cnn_lstm", "station_lstm", "graph", "mixer")


def settings(**changes) -> ForecastTraining:
    small = {"hidden": 4, "lookback": 5, "horizon": 2, "epochs": 2, "rate": 5e-3, "dropout": 0}
    return ForecastTraining(**{**small, **changes})


def task_of(chosen_settings: ForecastTraining, panel: Panel) -> ForecastTask:
    index = to_table(panel, split_of(panel, chosen_settings.split))
    return ForecastTask(chosen_settings, index, load_source("delhi").model_dump(mode="json"), seed=0)


def index_of(task: ForecastTask):
    return to_table(task.windows.panel, task.split)


def trained(task: ForecastTask, folder, host=None):
    host = host or FolderHost(folder / "host")
    run = TrainingRun(task, index_of(task), LOOP, folder, host, stream_in_process, torch.device("cpu"))
    return run.fit()


def exported(task: ForecastTask, finished, folder) -> ForecastPredictor:
    with bundle.writing(folder / "forecast") as scratch:
        task.export(finished.model, finished.outputs, scratch)
    return ForecastPredictor.load(folder / "forecast")


def test_a_panel_survives_the_index():
    panel = made_panel(stations=3, days=80)
    panel.values[1, 5:9, 0] = np.nan
    split = np.array(["train"] * 50 + [""] * 10 + ["test"] * 20, dtype=object)
    found, splits = from_table(to_table(panel, split))
    np.testing.assert_array_equal(found.values, panel.values)
    np.testing.assert_array_equal(found.places, panel.places)
    np.testing.assert_array_equal(found.days, panel.days)
    assert (found.stations, found.quantities) == (panel.stations, panel.quantities)
    assert splits.tolist() == split.tolist()


@pytest.mark.parametrize("model", MODELS)
def test_it_learns_what_the_pressure_tells_and_is_used_as_trained(model, tmp_path):
    """Pressure leads the temperature by a day, which the damped anomaly of temperature alone cannot know."""
    panel = made_panel(stations=3, days=700)
    linear = model != "station_lstm"  # which reads one number: there is nothing to gain
    task = task_of(settings(model=model, epochs=12 if linear else 2, linear_path=True), panel)
    finished = trained(task, tmp_path)
    metrics = task.metrics(finished.outputs)
    assert metrics["skill"] > (0.1 if linear else -0.1)
    predictor = exported(task, finished, tmp_path)
    rows = task.rows(index_of(task), TEST)
    prepared = task.prepare(TEST, 0)({name: rows[name].to_numpy() for name in rows.column_names})
    with torch.inference_mode():
        outputs = task.outputs(finished.model.eval(), task.collate(prepared))
    origins = np.unique(rows["origin"].to_numpy())
    found = predictor.forecast(panel, origins)
    expected = outputs["forecast"].reshape(len(origins), 3, 2, 1)
    np.testing.assert_allclose(found.point, expected, atol=1e-3)
    assert (np.diff(found.quantiles, axis=-1) >= 0).all()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("scaling", ["anomaly", "minmax"])
def test_the_future_changes_no_forecast(model, scaling, tmp_path):
    panel = made_panel(stations=3, days=300)
    base = "damped_anomaly" if scaling == "anomaly" else "persistence"
    task = task_of(settings(model=model, scaling=scaling, base=base), panel)
    net = task.build()
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    predictor = ForecastPredictor(net, task.windows, load_source("delhi"), "x")
    origins = np.array([240, 260])
    first = predictor.forecast(panel, origins)
    shuffled = Panel(panel.days, panel.stations, panel.quantities, panel.values.copy(), panel.places)
    after = np.random.default_rng(0).permutation(np.arange(261, 300))
    shuffled.values[:, 261:] = panel.values[:, after]
    np.testing.assert_array_equal(predictor.forecast(shuffled, origins).point, first.point)
    cut = panel.until(261)
    np.testing.assert_array_equal(predictor.forecast(cut, origins).quantiles, first.quantiles)
    changed = Panel(panel.days, panel.stations, panel.quantities, panel.values.copy(), panel.places)
    changed.values[:, 260] += 2
    assert not np.allclose(predictor.forecast(changed, origins[1:]).point, first.point[1:])


def test_test_and_validation_days_teach_no_scale():
    panel = made_panel(days=400)
    split = split_of(panel, settings().split)
    first = Windows(settings(), panel, taught=split == TRAIN).scales
    panel.values[:, split != TRAIN] = 1e4
    second = Windows(settings(), panel, taught=split == TRAIN).scales
    for name in ("offset", "spread", "error"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    np.testing.assert_array_equal(first.anomaly.damping, second.anomaly.damping)


def test_missing_values_are_marked_and_no_target(tmp_path):
    panel = made_panel(days=300)
    panel.values[0, 100:110, 1] = np.nan
    panel.values[0, 150, 0] = np.nan
    task = task_of(settings(horizon=1), panel)
    window = task.windows.inputs(np.array([105]), np.array([0]))[0]
    assert window[:, 1].tolist() == [0, 0, 0, 0, 0]  # pressure of days 101 to 105
    assert window[:, 3].tolist() == [0, 0, 0, 0, 0]
    assert window[:, 2].tolist() == [1, 1, 1, 1, 1]
    assert 149 not in task.rows(index_of(task), TRAIN)["origin"].to_pylist()
    assert np.isfinite(trained(task, tmp_path).history[-1]["train/loss"])


def test_a_stopped_training_goes_on_and_ends_the_same(tmp_path):
    panel = made_panel(days=400)
    whole = trained(task_of(settings(epochs=3), panel), tmp_path / "whole")
    cut = FolderHost(tmp_path / "cut" / "host", stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        trained(task_of(settings(epochs=3), panel), tmp_path / "cut", cut)
    resumed = trained(task_of(settings(epochs=3), panel), tmp_path / "cut")
    for one, other in zip(whole.history, resumed.history, strict=True):
        assert one["validation/mse"] == pytest.approx(other["validation/mse"], rel=1e-6)


def test_an_ensemble_is_the_mean_of_its_members_and_refuses_strangers(tmp_path):
    panel = made_panel(days=400)
    members = []
    for seed in (0, 1):
        task = task_of(settings(), panel)
        torch.manual_seed(seed)
        members.append(ForecastPredictor(task.build(), task.windows, load_source("delhi"), str(seed)))
        torch.nn.init.normal_(members[-1].model.answer.out.weight)
    origins = np.array([350, 360])
    found = Ensemble(members).forecast(panel, origins)
    one, other = (member.forecast(panel, origins) for member in members)
    np.testing.assert_allclose(found.point, (one.point + other.point) / 2)
    assert not np.allclose(one.point, other.point)
    stranger = task_of(settings(horizon=3), panel)
    with pytest.raises(UsageError, match="other stations, targets or leads"):
        Ensemble([members[0], ForecastPredictor(stranger.build(), stranger.windows, load_source("delhi"), "x")])


def test_rain_is_never_forecast_below_zero():
    panel = made_panel(days=700)
    rain = Panel(panel.days, panel.stations, ("precipitation", "air_pressure"), panel.values - 12, panel.places)
    rain = Panel(rain.days, rain.stations, rain.quantities, np.maximum(rain.values, 0), rain.places)
    task = task_of(settings(), rain)
    found = ForecastPredictor(task.build(), task.windows, load_source("delhi"), "x").forecast(rain, np.arange(300, 600))
    assert found.point.min() == 0
    assert found.quantiles.min() == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": ("precipitation",)}, "targets precipitation: not measured"),
        ({"stations": ("Paris",)}, "stations Paris: there are S0"),
        ({"inputs": ("wind_speed", "air_temperature"), "targets": ("air_temperature",)}, "inputs wind_speed"),
    ],
)
def test_what_is_not_there_is_named(changes, message):
    with pytest.raises(UsageError, match=message):
        chosen(made_panel(days=100), settings(**changes))


def test_files_without_the_models_stations_are_refused():
    task = task_of(settings(), made_panel(stations=2, days=300))
    predictor = ForecastPredictor(task.build(), task.windows, load_source("delhi"), "x")
    with pytest.raises(UsageError, match="trained with S1"):
        predictor.forecast(made_panel(days=300), np.array([200]))


def test_too_short_a_series_is_refused():
    task = task_of(settings(lookback=60), made_panel(days=70))
    with pytest.raises(UsageError, match="no train window of 60 days"):
        task.rows(index_of(task), TRAIN)


def test_the_model_flag_is_short_for_the_setting():
    assert TrainForecastJob(model="graph").forecast.model == "graph"
    assert TrainForecastJob(forecast={"model": "cnn_lstm"}).forecast.model == "cnn_lstm"
    with pytest.raises(ValueError, match="mixer needs a lookback of two days"):
        TrainForecastJob(model="mixer", forecast={"lookback": 1})
    with pytest.raises(ValueError, match="minmax knows no anomalies"):
        settings(scaling="minmax")


def test_a_target_that_is_not_measured_in_validation_days_is_refused(tmp_path):
    panel = made_panel(days=500)
    panel.values[:, split_of(panel, settings().split) == VALIDATION, 1] = np.nan
    task = task_of(settings(targets=("air_temperature", "air_pressure")), panel)
    with pytest.raises(UsageError, match="air_pressure has no value on any validation day"):
        trained(task, tmp_path)
