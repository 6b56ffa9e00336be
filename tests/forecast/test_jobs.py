"""The jobs that use a trained forecast: files with units, scores beside all baselines, nothing overwritten unasked."""

import csv
import json
from datetime import date

import numpy as np
import pytest

from meteo_ray.demo.made_series import PLACES, write_series
from meteo_ray.errors import UsageError
from meteo_ray.forecast.config import EvaluateForecastJob, ForecastJob
from meteo_ray.forecast.rain import rain_scores
from meteo_ray.forecast.run import evaluate, forecast
from meteo_ray.forecast.series.reading import read_panel
from meteo_ray.forecast.series.source import load_source
from tests.forecast.conftest import write_models

SETTINGS = {"horizon": 2, "targets": ("air_temperature", "precipitation")}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Invented stations, and a bundle of an untrained network that was given them."""
    folder = tmp_path_factory.mktemp("made")
    source = write_series(folder / "stations", days=600, seed=0)
    described = load_source(str(source))
    panel, found = read_panel(described, folder / "stations")
    assert [defect.date for defect in found if "7679" in defect.message] == ["2015-07-20"]
    write_models(folder / "models", source, panel, **SETTINGS)
    return folder


def test_forecasts_are_written_with_units_days_and_quantiles(made, tmp_path):
    import xarray as xr

    job = ForecastJob(data=made / "stations", models=made / "models", out=tmp_path / "out")
    forecast(job)
    with (job.out / "forecast.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 5 * 2 * 2
    assert {row["station"] for row in rows} == set(PLACES)
    assert {(row["quantity"], row["unit"]) for row in rows} == {("air_temperature", "degC"), ("precipitation", "mm")}
    assert {(row["known_until"], row["day"], row["lead_days"]) for row in rows} == {
        ("2016-08-22", "2016-08-23", "1"),
        ("2016-08-22", "2016-08-24", "2"),
    }
    assert all(float(row["q0.05"]) <= float(row["forecast"]) <= float(row["q0.95"]) for row in rows)
    with xr.open_dataset(job.out / "forecast.nc", engine="h5netcdf") as data:
        assert data["air_temperature"].attrs["units"] == "degC"
        assert data["air_temperature_quantile"].shape == (1, 5, 2, 10)
        assert list(data["station"].values) == list(PLACES)
        value = float(data["air_temperature"].sel(station="Midfield", lead=2)[0])
    (row,) = (r for r in rows if (r["station"], r["quantity"], r["lead_days"]) == ("Midfield", "air_temperature", "2"))
    assert float(row["forecast"]) == pytest.approx(value, rel=1e-3)
    assert (job.out / "Midfield_air_temperature.png").read_bytes().startswith(b"\x89PNG")


def test_what_stands_there_is_kept_unless_told(made, tmp_path):
    job = ForecastJob(data=made / "stations", models=made / "models", out=tmp_path / "out")
    forecast(job)
    with pytest.raises(UsageError, match="--overwrite"):
        forecast(job)
    forecast(job.model_copy(update={"overwrite": True}))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("not yours")
    with pytest.raises(UsageError, match="no forecast made here"):
        forecast(job.model_copy(update={"out": tmp_path / "mine", "overwrite": True}))
    late = job.model_copy(update={"out": tmp_path / "x", "start": date(2030, 1, 1)})
    with pytest.raises(UsageError, match="no day from 2030"):
        forecast(late)
    assert not (tmp_path / "x").exists()


def test_the_evaluation_has_every_baseline_in_every_table(made, tmp_path):
    evaluate(EvaluateForecastJob(data=made / "stations", models=made / "models", out=tmp_path / "m.json", rounds=100))
    document = json.loads((tmp_path / "m.json").read_text())
    assert len(document["entries"]) == 5 * 2 * 2
    names = {"network", "persistence", "climatology", "seasonal_naive", "damped_anomaly", "ridge", "gradient_boosting"}
    for entry in document["entries"]:
        assert set(entry["scores"]) == names
        assert set(entry["skill_against"]) == names - {"network"}
        assert ("rain" in entry) == (entry["target"] == "precipitation")
        assert entry["coverage"][0]["level"] == 0.05
    first = document["entries"][0]
    # The network is untrained: it answers its base, which is fitted on fewer days than the baseline of that name.
    assert first["scores"]["network"]["mse"] == pytest.approx(first["scores"]["damped_anomaly"]["mse"], rel=0.05)
    assert first["scores"]["damped_anomaly"]["mse"] < first["scores"]["persistence"]["mse"]
    page = (tmp_path / "m.html").read_text("utf-8")
    assert page.count("data:image/png") == 5 * 2 * 3
    assert "says nothing near 0 mm" in page


def test_rain_scores_by_hand():
    measured = np.array([0.0, 2.0, 0.0, 10.0, np.nan])
    points = {"network": np.array([0, 1.0, 3.0, 5.0, 1.0]), "persistence": np.array([0, 0, 2.0, 0, 10.0])}
    sure = np.repeat(np.array([[0.0], [9.0], [9.0], [9.0], [9.0]]), 10, axis=1) + np.linspace(0, 0.01, 10)
    found = rain_scores(measured, points, sure, wet_share=0.25, rain_from=1.0)
    assert found["wet_days"] == 2
    assert found["brier"] == pytest.approx(0.25)  # one false alarm of four days
    assert found["brier_climatology"] == pytest.approx((2 * 0.75**2 + 2 * 0.25**2) / 4)
    assert found["yes_no"]["network"] == {"accuracy": 0.75, "csi": pytest.approx(2 / 3)}
    assert found["yes_no"]["persistence"]["csi"] == 0
    assert found["mape_percent"] == pytest.approx(50)
    assert found["mape_not_defined_on"] == 0.5
