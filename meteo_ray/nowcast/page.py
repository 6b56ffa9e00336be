"""The page of an evaluation: every forecaster by lead, maps of one window, reliability of the likelihoods."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from meteo_ray.metrics.block_bootstrap import shown
from meteo_ray.metrics.score_page import Table, write_score_page
from meteo_ray.nowcast import plots
from meteo_ray.nowcast.baselines import BLURRED, EXTRAPOLATION
from meteo_ray.nowcast.predictor import NowcastPredictor
from meteo_ray.nowcast.scoring import NETWORK
from meteo_ray.nowcast.windows import Window, Windows

NOTE = (
    "Events that were neither trained nor validated on. One mask for all: what was seen in every frame of a window and "
    "in the extrapolation. Counts are pooled over windows before they are divided. Windows of an event share frames: "
    "these are few events, not many windows."
)

SHOWN = (
    ("mse", "mean squared error, (mm/h)^2"),
    ("mae", "mean absolute error, mm/h"),
    ("bias", "bias, mm/h"),
    ("csi_0.5", "CSI from 0.5 mm/h"),
    ("csi_2", "CSI from 2 mm/h"),
    ("csi_5", "CSI from 5 mm/h"),
    ("fss_2_18km", "FSS from 2 mm/h in windows of 18 km"),
    ("power", "power at wavelengths of 2 to 16 km (what the grid holds of it), share of the observed"),
)

MINUTES = (5, 15, 30, 45, 60)


def write_page(path: Path, entries: Sequence[dict[str, Any]], predictor: NowcastPredictor, windows: Windows) -> None:
    """Write the page of all scored events."""
    tables = []
    for entry in entries:
        tables += _tables(entry)
        tables.append(_maps(entry["event"], predictor, windows))
    write_score_page(path, "Radar nowcasts on events that were held out", NOTE, tables)


def _tables(entry: dict[str, Any]) -> list[Table]:
    minutes = [minute for minute in MINUTES if minute in entry["leads_minutes"]] or entry["leads_minutes"][:1]
    at = [entry["leads_minutes"].index(minute) for minute in minutes]
    tables = []
    for key, label in SHOWN:
        rows = [[name, *(_number(scores[lead][key]) for lead in at)] for name, scores in entry["scores"].items()]
        if key == "mse":
            rows += [
                [f"skill against {name}", *(shown(entry["skill_against"][name][lead], digits=0) for lead in at)]
                for name in (EXTRAPOLATION, BLURRED)
            ]
        columns = ["", *(f"{minute} min" for minute in minutes)]
        tables.append(Table(f"{entry['event']}: {label}", columns, rows, f"{entry['windows']} windows"))
    tables.append(Table(f"{entry['event']}: by lead", [], [], "", _pictures(entry)))
    return tables


def _pictures(entry: dict[str, Any]) -> list[bytes]:
    minutes, found = entry["leads_minutes"], []
    for key, label in (("mse", "(mm/h)^2"), ("csi_2", "CSI"), ("power", "share of the observed power")):
        values = {name: [score[key] for score in scores] for name, scores in entry["scores"].items()}
        if key != "mse":
            values = {name: values[name] for name in (NETWORK, EXTRAPOLATION, BLURRED, "persistence")}
        found.append(plots.by_lead(dict(SHOWN)[key].split(",")[0], label, minutes, values))
    found.append(plots.reliability("Reliability, all leads", entry["reliability"]))
    return found


def _maps(event: str, predictor: NowcastPredictor, windows: Windows) -> Table:
    """The middle window of the event, as a strip."""
    number = windows.fields.events.index(event)
    window = windows.load(number, len(windows.starts(event)) // 2)
    found = predictor.corrected(window.past, window.sharp, window.soft)
    return Table(f"{event}: one window", [], [], "", [strip_of(window, found.rain)])


def strip_of(window: Window, rain: np.ndarray) -> bytes:
    """Observed, network, extrapolation, and the network's error, at leads from 5 minutes to the last."""
    leads = np.unique(np.linspace(0, len(rain) - 1, 5).round().astype(int))
    titles = [f"{5 * (lead + 1)} min" for lead in leads]
    rows = {
        "observed": [window.future[lead] for lead in leads],
        "network": [rain[lead] for lead in leads],
        "extrapolation": [window.sharp[lead] for lead in leads],
    }
    error = {"network's error": [rain[lead] - window.future[lead] for lead in leads]}
    return plots.strip(titles, rows, error)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
