"""Forecasts and nowcasts on invented data: every job with the command that a user would type, one after the other."""

from pathlib import Path
from typing import Any

from meteo_ray.demo.config import ForecastDataJob, RunForecastDemoJob
from meteo_ray.demo.made_radar import write_events
from meteo_ray.demo.made_series import write_series
from meteo_ray.errors import UsageError
from meteo_ray.files import SIGN, read_json, require_ours
from meteo_ray.walk import Step, run_steps

STATIONS, RADAR = "stations", "radar"


def make_data(job: ForecastDataJob) -> None:
    """Write both kinds of data. Raises UsageError where something stands that this did not make."""
    require_ours(job.out, "invented data")
    if (job.out / SIGN).exists() and not job.overwrite:
        raise UsageError(f"{job.out}: holds invented data; --overwrite replaces it")
    job.out.mkdir(parents=True, exist_ok=True)
    (job.out / SIGN).touch()
    source = write_series(job.out / STATIONS, job.days, job.seed)
    write_events(job.out / RADAR, job.events, job.frames, job.side, job.seed)
    print(f"{job.days} days of stations: {source}   {job.events} radar events: {job.out / RADAR}")


def steps(job: RunForecastDemoJob) -> list[Step]:
    """The commands of the walk, in order; everything lies under `job.out`."""
    out, data = job.out, job.out / "data"
    stations, radar = ("--data", str(data / STATIONS)), ("--data", str(data / RADAR))
    source = ("--forecast.source", str(data / STATIONS / "source.yaml"), "--forecast.horizon", "3")
    fit = ("--forecast.epochs", str(job.epochs), "--training.seed", str(job.seed))
    alone, graph = ("--models", str(out / "models")), ("--models", str(out / "models_graph"))
    short = ("--nowcast.epochs", str(job.nowcast_epochs), "--nowcast.leads", "6", "--nowcast.hidden", "[12]")
    learnt = (*short, "--nowcast.crops", "2", "--training.seed", str(job.seed))
    made = ("--out", str(data), "--days", str(job.days), "--seed", str(job.seed), "--overwrite")
    last = ("--start", str(_last_month(job.days)))
    return [
        Step("make up weather", "make_forecast_data", made),
        Step("train one LSTM for all stations", "train_forecast", (*stations, *alone, *source, *fit)),
        Step("train a graph of the stations", "train_forecast", (*stations, *graph, *source, *fit, "--model", "graph")),
        Step("score the LSTM", "evaluate_forecast", (*stations, *alone, "--out", str(out / "lstm.json"))),
        Step("score the graph", "evaluate_forecast", (*stations, *graph, "--out", str(out / "graph.json"))),
        Step("forecast", "forecast", (*stations, *graph, *last, "--out", str(out / "forecast"), "--overwrite")),
        Step("train the nowcast", "train_nowcast", (*radar, *alone, *learnt)),
        Step("score the nowcast", "evaluate_nowcast", (*radar, *alone, "--out", str(out / "nowcast.json"))),
        Step("nowcast", "nowcast", (*radar, *alone, *_moment(), "--out", str(out / "nowcast"), "--overwrite")),
    ]


def _last_month(days: int) -> Any:
    from meteo_ray.demo.made_series import FIRST_DAY

    return FIRST_DAY + days - 31


def _moment() -> tuple[str, str]:
    """A moment of the last event after which it goes on, so that what happened can be shown beside."""
    return "--time", "2021-06-04T13:00"


def run_forecast_demo(job: RunForecastDemoJob, jobs: Path) -> None:
    """Run what is not done yet, then print how networks and baselines did."""
    seconds = run_steps(steps(job), job.out, jobs)
    print(summary(job.out, seconds))


def summary(out: Path, seconds: dict[str, float]) -> str:
    """The closing table."""
    lines = ["", "one day ahead, squared degC, test days only; invented weather", "-" * 72]
    columns = ("persistence", "damped_anomaly", "ridge", "network")
    lines.append(f"{'':<24}" + "".join(f"{name.replace('_', ' '):>16}" for name in columns))
    for name in ("lstm", "graph"):
        for entry in read_json(out / f"{name}.json")["entries"]:
            if entry["lead"] == 1:
                values = "".join(f"{entry['scores'][column]['mse']:>16.3f}" for column in columns)
                lines.append(f"{name + ' ' + entry['station']:<24}{values}")
    lines.append("-" * 72)
    for event, found in read_json(out / "nowcast.json")["summary"]["at_30_minutes"].items():
        if found is not None:
            lines.append(
                f"{event} at 30 min: MSE {found['mse']:.3f}, extrapolation {found['mse_extrapolation']:.3f}, "
                f"blurred {found['mse_blurred']:.3f} (mm/h)^2"
            )
    lines.append(f"all steps: {sum(seconds.values()) / 60:.1f} minutes")
    pages = ", ".join(str(out / f"{name}.html") for name in ("lstm", "graph", "nowcast"))
    return "\n".join([*lines, f"pages: {pages}", f"files: {out / 'forecast'}, {out / 'nowcast'}"])
