"""Invented weather of five stations: a year's wave, anomalies that die away, and fronts that travel from west to east.

A front reaches a station a day after the one to its west: whoever reads the neighbours knows more than whoever reads
one station alone. Some values are missing and one pressure is corrupt, as in every real file.
"""

import csv
from pathlib import Path

import numpy as np
import yaml

FIRST_DAY = np.datetime64("2015-01-01")

PLACES = {"Westhaven": (50.0, 0.0), "Midfield": (50.5, 5.0), "Eastbrook": (50.2, 10.0), "Northdale": (55.0, 5.0),
          "Southport": (45.5, 5.5)}  # fmt: skip

# How many days after Westhaven a front is there.
DELAY = {"Westhaven": 0, "Midfield": 1, "Eastbrook": 2, "Northdale": 1, "Southport": 1}

# Of an anomaly that is left a day later; Delhi's is 0.74.
KEPT = 0.7

MISSING_SHARE = 0.01


def write_series(folder: Path, days: int, seed: int) -> Path:
    """Write stations.csv and its description source.yaml; the description's path comes back."""
    rng = np.random.default_rng([seed, 1])
    fronts = rng.normal(size=days + 2)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [row for name in PLACES for row in _station(name, days, fronts, rng)]
    with (folder / "stations.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["station", "date", "temperature_degC", "pressure_hPa", "rain_mm"])
        writer.writerows(rows)
    path = folder / "source.yaml"
    path.write_text(yaml.safe_dump(_description(), sort_keys=False), "utf-8")
    return path


def _station(name: str, days: int, fronts: np.ndarray, rng: np.random.Generator) -> list[list[str]]:
    """The rows of one station, a day each."""
    time = FIRST_DAY + np.arange(days)
    front = fronts[2 - DELAY[name] : 2 - DELAY[name] + days]
    anomaly = np.zeros(days)
    for day in range(1, days):
        anomaly[day] = KEPT * anomaly[day - 1] + 1.5 * front[day] + rng.normal()
    latitude = PLACES[name][0]
    season = -9 * np.cos(2 * np.pi * (np.arange(days) - 20) / 365.2425)
    temperature = 30 - 0.4 * latitude + season + anomaly
    pressure = 1013 - 5 * front + rng.normal(size=days)
    rain = np.where(front > 0.5, rng.gamma(1.2, 4, size=days) * front, 0)
    columns = np.stack([temperature, pressure, rain], axis=1).round(1)
    columns[rng.random(columns.shape) < MISSING_SHARE] = np.nan
    if name == "Westhaven":
        columns[days // 3, 1] = 7679.3
    return [
        [name, str(day), *("" if np.isnan(v) else f"{v:.1f}" for v in row)]
        for day, row in zip(time, columns, strict=True)
    ]


def _description() -> dict[str, object]:
    return {
        "name": "invented",
        "tables": [
            {
                "files": ["stations.csv"],
                "time": {"columns": ["date"], "format": "%Y-%m-%d"},
                "station": {"column": "station"},
                "quantities": {
                    "air_temperature": {"column": "temperature_degC", "unit": "degC"},
                    "air_pressure": {"column": "pressure_hPa", "unit": "hPa"},
                    "precipitation": {"column": "rain_mm", "unit": "mm"},
                },
            }
        ],
        "stations": {name: {"latitude": place[0], "longitude": place[1]} for name, place in PLACES.items()},
        "credit": "invented",
    }
