"""A nowcast on test events beside everything that it is compared with: same windows, same mask, counts pooled."""

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.metrics.block_bootstrap import paired_skill
from meteo_ray.metrics.field_scores import FieldScores
from meteo_ray.nowcast.baselines import BLURRED, EXTRAPOLATION, baselines
from meteo_ray.nowcast.config import THRESHOLDS
from meteo_ray.nowcast.predictor import NowcastPredictor
from meteo_ray.nowcast.windows import Window, Windows
from meteo_ray.progress import ProgressLine

NETWORK = "network"

CHANCE_BINS = 10


@dataclass
class EventScores:
    """Sums over the windows of one event; `pooled` forecaster -> one for every lead."""

    name: str
    grid_km: float
    leads: int
    block: int
    """Windows drawn together in the bootstrap: as many as share frames. A few events stay a few events."""
    pooled: dict[str, list[FieldScores]] = field(default_factory=dict)
    losses: dict[str, list[np.ndarray]] = field(default_factory=dict)
    """Forecaster -> mean squared error of every window, `(leads,)` each."""
    chances: np.ndarray = field(default_factory=lambda: np.zeros((len(THRESHOLDS), CHANCE_BINS, 3)))
    """Squares, sum of likelihoods, squares with rain: by threshold and bin of likelihood."""

    def add(self, window: Window, forecasts: dict[str, np.ndarray], chances: np.ndarray) -> None:
        for name, fields in forecasts.items():
            scores = self.pooled.setdefault(name, [FieldScores(self.grid_km) for _ in range(self.leads)])
            for lead in range(self.leads):
                scores[lead].add(fields[lead], window.future[lead], window.seen)
            error = np.square(fields - window.future)[:, window.seen]
            self.losses.setdefault(name, []).append(error.mean(axis=1, dtype=np.float64))
        for number, threshold in enumerate(THRESHOLDS):
            likely = chances[:, number][:, window.seen].ravel().astype(np.float64)
            rained = (window.future[:, window.seen] >= threshold).ravel()
            at = np.minimum((likely * CHANCE_BINS).astype(int), CHANCE_BINS - 1)
            for column, weights in enumerate((None, likely, rained.astype(np.float64))):
                self.chances[number, :, column] += np.bincount(at, weights, minlength=CHANCE_BINS)


def score_event(predictor: NowcastPredictor, windows: Windows, event: str) -> EventScores:
    """All windows of an event through the network and the baselines.

    Raises:
        UsageError: when no square is seen in all frames of any window.
    """
    number, count = windows.fields.events.index(event), len(windows.starts(event))
    block = -(-windows.frames // windows.stride)
    found = EventScores(event, windows.fields.grid_km, windows.settings.leads, block)
    line = ProgressLine(f"scoring {event}", count, unit="windows")
    for position in range(count):
        window = windows.load(number, position)
        if window.seen.any():
            answered = predictor.corrected(window.past, window.sharp, window.soft)
            found.add(window, {NETWORK: answered.rain, **baselines(window)}, answered.chances)
        line.update(1)
    line.close()
    if not found.losses:
        raise UsageError(f"{event}: no square is seen in all frames of any of {count} windows; nothing can be scored")
    return found


def entry(scores: EventScores, rounds: int) -> dict[str, Any]:
    """An event's part of the metrics: every forecaster's scores by lead, the network's skill with intervals."""
    losses = {name: np.stack(values) for name, values in scores.losses.items()}
    return {
        "event": scores.name,
        "windows": len(losses[NETWORK]),
        "grid_km": scores.grid_km,
        "leads_minutes": [5 * (lead + 1) for lead in range(scores.leads)],
        "scores": {name: [one.scores() for one in pooled] for name, pooled in scores.pooled.items()},
        "skill_against": {
            name: [_skill(losses, name, lead, scores.block, rounds) for lead in range(scores.leads)]
            for name in losses
            if name != NETWORK
        },
        "reliability": _reliability(scores.chances),
    }


def verdict(entry: dict[str, Any], minutes: int = 30) -> dict[str, Any] | None:
    """Whether the network beats the extrapolation at a lead in MSE without losing CSI at 2 mm/h.

    `better` is so on these windows; `for_sure` is what the interval of the MSE's skill says: "better", "worse", or None
    where it holds zero or the windows are too few for one.
    """
    if minutes not in entry["leads_minutes"]:
        return None
    lead = entry["leads_minutes"].index(minutes)
    skill = entry["skill_against"][EXTRAPOLATION][lead]
    own, rival, soft = (entry["scores"][name][lead] for name in (NETWORK, EXTRAPOLATION, BLURRED))
    not_lower = None if own["csi_2"] is None or rival["csi_2"] is None else own["csi_2"] >= rival["csi_2"]
    return {
        "minutes": minutes,
        "mse": own["mse"],
        "mse_extrapolation": rival["mse"],
        "mse_blurred": soft["mse"],
        "csi_2": own["csi_2"],
        "csi_2_extrapolation": rival["csi_2"],
        "power": own["power"],
        "power_extrapolation": rival["power"],
        "better": own["mse"] < rival["mse"] and not_lower is not False,
        "skill": skill,
        "for_sure": _for_sure(skill),
    }


def _for_sure(skill: dict[str, Any] | None) -> str | None:
    if skill is None or skill["low"] is None or skill["high"] is None:
        return None
    return "better" if skill["low"] > 0 else "worse" if skill["high"] < 0 else None


def _skill(losses: dict[str, np.ndarray], name: str, lead: int, block: int, rounds: int) -> dict[str, Any] | None:
    found = paired_skill(losses[NETWORK][:, lead], losses[name][:, lead], block=block, rounds=rounds)
    return None if found is None else asdict(found)


def _reliability(chances: np.ndarray) -> dict[str, list[dict[str, float]]]:
    """For every threshold the filled bins: mean likelihood, share with rain, squares."""
    found = {}
    for number, threshold in enumerate(THRESHOLDS):
        bins = chances[number][chances[number, :, 0] > 0]
        found[f"{threshold:g}"] = [
            {"level": float(likely / count), "observed": float(rained / count), "squares": int(count)}
            for count, likely, rained in bins
        ]
    return found
