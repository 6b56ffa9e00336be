"""No day that taught is scored as test, whatever files and members are given; what cannot be scored says so."""

import csv
import json
import shutil
from datetime import date
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from meteo_ray.demo.made_series import write_series
from meteo_ray.errors import UsageError
from meteo_ray.files import require_file_place
from meteo_ray.forecast.config import EvaluateForecastJob, ForecastJob, PaperProtocolJob
from meteo_ray.forecast.protocol import compare
from meteo_ray.forecast.run import evaluate, forecast
from meteo_ray.forecast.series.splits import TaughtDays
from tests.forecast.conftest import write_models

TARGET = {"targets": ("air_temperature",)}


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """One invented station of 600 days from 2015-01-01: the test begins on 2016-03-26."""
    folder = tmp_path_factory.mktemp("honest")
    source = write_series(folder / "stations", days=600, seed=0)
    rows = lines_of(folder / "stations")
    write(folder / "stations", [row for row in rows if row[0] in ("station", "Midfield")])
    write_models(folder / "models", source, **TARGET)
    return folder


def lines_of(stations: Path) -> list[list[str]]:
    with (stations / "stations.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def write(stations: Path, rows: list[list[str]]) -> None:
    with (stations / "stations.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)


def altered(made: Path, folder: Path, change) -> Path:
    """A copy of the station files with their rows (without the header) changed."""
    shutil.copytree(made / "stations", folder)
    header, *rows = lines_of(folder)
    write(folder, [header, *change(rows)])
    return folder


def job(made: Path, out: Path, **changes) -> EvaluateForecastJob:
    return EvaluateForecastJob(
        **{"data": made / "stations", "models": made / "models", "out": out, "rounds": 20, **changes}
    )


def scored(made: Path, out: Path, **changes) -> dict:
    evaluate(job(made, out, **changes))
    return json.loads(out.read_text("utf-8"))


def moved(rows, days: int):
    return [[row[0], str(np.datetime64(row[1]) + days), *row[2:]] for row in rows]


def test_files_that_grow_or_shrink_leave_the_first_test_day_where_it_was(made, tmp_path):
    first = scored(made, tmp_path / "m.json")["entries"][0]
    assert first["days"] >= 140
    older = altered(made, tmp_path / "older", lambda rows: [*moved(rows, -600), *rows])
    assert scored(made, tmp_path / "older.json", data=older)["entries"][0] == first
    more = altered(made, tmp_path / "more", lambda rows: [*rows, *moved(rows, 600)[:50]])
    grown = scored(made, tmp_path / "more.json", data=more)["entries"][0]
    assert first["days"] + 45 <= grown["days"] <= first["days"] + 50
    cut = altered(made, tmp_path / "cut", lambda rows: [row for row in rows if row[1] < "2016-03-01"])
    with pytest.raises(UsageError, match=r"from 2016-03-26 on, and the files hold 2015-01-01 to 2016-02-29"):
        evaluate(job(made, tmp_path / "cut.json", data=cut))
    with pytest.raises(UsageError, match="no test day"):
        compare(PaperProtocolJob(data=cut, models=made / "models", out=tmp_path / "p.json"))


def test_a_member_that_learnt_from_test_days_is_refused(made, tmp_path):
    source = made / "stations" / "source.yaml"
    late = write_models(tmp_path / "late", source, **TARGET, split={"test_from": date(2016, 6, 1)})
    with pytest.raises(UsageError, match=r"number 1 .* days up to 2016-05-31, .* begins on 2016-03-26"):
        evaluate(job(made, tmp_path / "m.json", members=(late,)))
    other = write_models(tmp_path / "other", source, **TARGET, split={"validation_block": 2})
    assert len(scored(made, tmp_path / "m.json", members=(other,))["summary"]["members"]) == 2


def test_a_model_that_does_not_say_what_taught_it_forecasts_and_is_not_scored(made, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(TaughtDays, "to_json", lambda self: {})
        models = write_models(tmp_path / "models", made / "stations" / "source.yaml", **TARGET)
    forecast(ForecastJob(data=made / "stations", models=models, out=tmp_path / "out"))
    with pytest.raises(UsageError, match=r"does not say which days taught it.*train it again"):
        evaluate(job(made, tmp_path / "m.json", models=models))


def test_test_days_without_a_value_are_told(made, tmp_path):
    def emptied(rows):
        return [[*row[:2], row[2] if row[1] < "2016-03" else "", *row[3:]] for row in rows]

    empty = altered(made, tmp_path / "empty", emptied)
    with pytest.raises(UsageError, match="air_temperature was not measured on any test day, 2016-03-26 to"):
        evaluate(job(made, tmp_path / "m.json", data=empty))


def test_a_dry_place_has_no_error_to_be_better_than(made, tmp_path, capsys):
    dry = altered(made, tmp_path / "dry", lambda rows: [[*row[:4], "0.0"] for row in rows])
    models = write_models(tmp_path / "models", dry / "source.yaml", targets=("precipitation",))
    document = scored(made, tmp_path / "m.json", data=dry, models=models)
    assert document["entries"][0]["skill_against"].get("damped_anomaly") is None
    assert "no error to be better than" in capsys.readouterr().out


def test_few_test_days_are_neither_better_nor_worse(made, tmp_path, capsys):
    short = altered(made, tmp_path / "short", lambda rows: [row for row in rows if row[1] < "2016-04-10"])
    document = scored(made, tmp_path / "m.json", data=short)
    assert document["entries"][0]["days"] < 20
    assert document["entries"][0]["skill_against"]["persistence"]["low"] is None
    assert document["summary"]["better_day_1"] == document["summary"]["worse_day_1"] == []
    assert "[too few]" in capsys.readouterr().out
    assert "too few]" in (tmp_path / "m.html").read_text("utf-8")


def test_rain_of_every_rival_is_cut_at_zero(made, tmp_path):
    from meteo_ray.forecast.predictor import Ensemble
    from meteo_ray.forecast.scoring import judge
    from meteo_ray.forecast.series.reading import read_panel

    source = made / "stations" / "source.yaml"
    models = write_models(tmp_path / "models", source, targets=("air_temperature", "precipitation"))
    ensemble = Ensemble.load([models / "forecast"])
    panel, _ = read_panel(ensemble.first.source, made / "stations")
    panel.values[:, :, 0] -= 15
    judged = judge(ensemble, panel, ensemble.split(panel.days), rain_from=1.0)
    for name, points in judged.points.items():
        assert points[..., 1].min() >= 0, name
        assert points[..., 0].min() < 0, name
    for name, quantiles in judged.quantiles.items():
        assert quantiles[..., 1, :].min() >= 0, name


def test_pressures_are_written_with_all_their_digits(made, tmp_path):
    models = write_models(tmp_path / "models", made / "stations" / "source.yaml", targets=("air_pressure",))
    forecast(ForecastJob(data=made / "stations", models=models, out=tmp_path / "out"))
    with (tmp_path / "out" / "forecast.csv").open() as file:
        text = next(csv.DictReader(file))["forecast"]
    assert len(text.split(".")[1]) >= 2


@pytest.mark.parametrize(
    ("name", "message"),
    [("folder", "is a folder"), ("x.html", "is where the page goes.*x.json"), ("file/below/m.json", "file is a file")],
)
def test_a_place_that_cannot_hold_scores_is_refused_before_any_work(tmp_path, name, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=message):
        evaluate(EvaluateForecastJob(data=tmp_path / "none", models=tmp_path / "none", out=tmp_path / name))
    require_file_place(tmp_path / "new" / "m.json")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("name", ["evaluate_forecast", "evaluate_nowcast", "paper_protocol"])
def test_every_job_that_scores_looks_at_its_place_first(tmp_path, name, capsys):
    """Before data and models, which are not there."""
    folders = ["--data", str(tmp_path / "none"), "--models", str(tmp_path / "none")]
    assert import_module(f"jobs.{name}").main([*folders, "--out", str(tmp_path)]) == 2
    assert f"--out {tmp_path}: is a folder" in capsys.readouterr().err
