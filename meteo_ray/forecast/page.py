"""The page of an evaluation: every contender in every table, skill by lead, reliability, the series themselves."""

from pathlib import Path
from typing import Any

from meteo_ray.forecast import plots
from meteo_ray.forecast.scoring import BASE, NETWORK, Judged
from meteo_ray.metrics.block_bootstrap import shown
from meteo_ray.metrics.score_page import Table, write_score_page

NOTE = (
    "Test days only. Baselines learn from all days before the test. Intervals: 95 %, paired block bootstrap of ten "
    "days; less than twenty days are too few for one. Skill is 1 - MSE / MSE of the rival; the damped anomaly "
    "persistence is the one to beat."
)

# Days of a series that can still be told apart on a plot.
SHOWN_DAYS = 150


def write_page(path: Path, judged: Judged, entries: list[dict[str, Any]], summary: dict[str, Any]) -> None:
    """Write the page of all stations and targets."""
    tables = []
    for station in judged.panel.stations:
        for target in judged.targets:
            own = [entry for entry in entries if entry["station"] == station and entry["target"] == target]
            if own:
                tables += _tables(judged, own)
    members = len(summary["members"])
    note = f"{NOTE} The network is the mean of {members} trainings." if members > 1 else NOTE
    write_score_page(path, "Forecasts of station series on test days", note, tables)


def _tables(judged: Judged, entries: list[dict[str, Any]]) -> list[Table]:
    first = entries[0]
    name = f"{first['station']}: {first['target'].replace('_', ' ')}"
    columns = ["", *(f"day {entry['lead']}" for entry in entries)]
    rows = [
        [contender.replace("_", " "), *(f"{entry['scores'][contender]['mse']:.3f}" for entry in entries)]
        for contender in first["scores"]
    ]
    rows.append(["skill against damped anomaly", *(shown(entry["skill_against"].get(BASE)) for entry in entries)])
    rows.append(["skill against persistence", *(shown(entry["skill_against"].get("persistence")) for entry in entries)])
    crps = [
        [contender.replace("_", " "), *(f"{entry['scores'][contender]['crps']:.3f}" for entry in entries)]
        for contender in first["scores"]
        if "crps" in first["scores"][contender]
    ]
    squared = f"mean squared error, squared {first['unit']}; {first['days']} days one day ahead"
    sure = f"continuous ranked probability score, {first['unit']}; baselines with the spread of their errors"
    return [
        Table(name, columns, rows, squared, _pictures(judged, entries)),
        Table(f"{name}: how sure", columns, crps, sure),
        *_rain(name, entries),
    ]


def _pictures(judged: Judged, entries: list[dict[str, Any]]) -> list[bytes]:
    first = entries[0]
    station, target = judged.panel.stations.index(first["station"]), judged.targets.index(first["target"])
    rows = slice(-SHOWN_DAYS, None)
    days = judged.panel.days[judged.forecasts.origins[rows]] + 1
    title = f"{first['station']}: one day ahead"
    pictures = [
        plots.series(
            title, first["unit"], days, judged.points[NETWORK][rows, station, 0, target],
            judged.quantiles[NETWORK][rows, station, 0, target], judged.measured[rows, station, 0, target],
            judged.points[BASE][rows, station, 0, target],
        )
    ]  # fmt: skip
    rivals = [name for name in (BASE, "persistence", "ridge") if all(name in e["skill_against"] for e in entries)]
    skills = {name.replace("_", " "): [_triple(entry["skill_against"][name]) for entry in entries] for name in rivals}
    pictures.append(plots.skill_by_lead("Skill by lead", skills))
    pictures.append(plots.reliability("Reliability, one day ahead", first["coverage"]))
    return pictures


def _rain(name: str, entries: list[dict[str, Any]]) -> list[Table]:
    rain = [(entry["lead"], entry["rain"]) for entry in entries if "rain" in entry]
    if not rain:
        return []
    columns = ["", *(f"day {lead}" for lead, _ in rain)]
    rows = [
        [label, *(_number(found[key]) for _, found in rain)]
        for label, key in (
            ("Brier score, network", "brier"),
            ("Brier score, climatology", "brier_climatology"),
            ("Brier score, persistence", "brier_persistence"),
            ("mean absolute percentage error, %", "mape_percent"),
            ("share of days on which that is not defined", "mape_not_defined_on"),
        )
    ]
    rows += [
        [
            f"CSI of rain, {contender.replace('_', ' ')}",
            *(_number(found["yes_no"][contender]["csi"]) for _, found in rain),
        ]
        for contender in rain[0][1]["yes_no"]
    ]
    note = (
        "A percentage error of rain divides by what fell: it says nothing near 0 mm and is shown to be compared only."
    )
    return [Table(f"{name}: yes or no from {rain[0][1]['from_mm']:g} mm", columns, rows, note)]


def _triple(found: dict[str, Any]) -> tuple[float, float, float]:
    """Value, low, high; without an interval it has no bars."""
    nothing = float("nan")
    low, high = (nothing if found[end] is None else found[end] for end in ("low", "high"))
    return found["skill"], low, high


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
