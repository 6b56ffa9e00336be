"""What a benchmark of forecasts has measured is kept with its settings, and shown whatever its intervals are."""

import json
from contextlib import nullcontext

import pytest

from benchmarks import forecast_stations
from benchmarks.kept_results import Results

NAMES = ("persistence", "climatology", "damped_anomaly", "ridge", "gradient_boosting", "network")


def scores(out):
    """Stands in for the evaluation's file: seven days, a dry place."""
    few = {"skill": 0.1, "low": None, "high": None, "days": 7}
    entry = {"station": "A", "target": "precipitation", "lead": 1, "days": 7, "skill_against": {"ridge": few}}
    entry["scores"] = {name: {"mse": 1.0} for name in NAMES}
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps({"entries": [entry]}), "utf-8")


@pytest.fixture
def measured(monkeypatch):
    """The jobs that were run."""
    jobs = []

    def job(joined, name, *arguments):
        jobs.append(name)
        if name == "evaluate_forecast":
            scores(arguments[arguments.index("--out") + 1])

    monkeypatch.setattr(forecast_stations, "_job", job)
    monkeypatch.setattr(forecast_stations.cluster, "shared", lambda: nullcontext({}))
    return jobs


def run(monkeypatch, tmp_path, *flags):
    places = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--questions", "ecad_together"]
    monkeypatch.setattr("sys.argv", ["forecast_stations", *places, *flags])
    forecast_stations.main()


def test_what_is_measured_is_not_repeated_and_not_mixed_with_other_settings(measured, monkeypatch, tmp_path, capsys):
    run(monkeypatch, tmp_path, "--seeds", "2")
    assert measured == ["train_forecast", "train_forecast", "evaluate_forecast"] * 2
    assert "| +10.0 % [too few] |" in (tmp_path / "out" / "table.md").read_text("utf-8")
    run(monkeypatch, tmp_path, "--seeds", "2")
    assert len(measured) == 6
    for flags, told in (
        (("--seeds", "3"), "seeds 2 then, 3 now"),
        (("--seeds", "2", "--horizon", "1"), "horizon 3 then"),
    ):
        with pytest.raises(SystemExit, match=told):
            run(monkeypatch, tmp_path, *flags)
    assert set(Results(tmp_path / "out" / "results.json", {"data": tmp_path, "seeds": 2, "horizon": 3}).measures) == {
        "ecad_together_graph",
        "ecad_together_lstm",
    }
