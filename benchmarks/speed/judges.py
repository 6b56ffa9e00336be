"""Who judges in a contender: the project's predictors, the same for all; or nobody, where reading alone is measured."""

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

Answers = dict[str, dict[str, Any]]
"""File name -> score of the gate (or signature of the pixels), whether it is a chart, ids of its elements."""


def signature(images: np.ndarray) -> np.ndarray:
    """A number in [0, 1] for each image, float32 `(rows,)`, of uint8 `(rows, height, width, 3)`: its brightness,
    weighed by place, so that a shift or another scale shows as well as another colour."""
    rows, height, width, _ = images.shape
    weights = np.linspace(0, 1, height)[:, None] * np.linspace(0.5, 1, width)[None]
    grey = images.mean(axis=3).reshape(rows, -1)
    found: np.ndarray = (grey @ weights.ravel() / weights.sum() / 255).astype(np.float32)
    return found


class Judge:
    """Gate and elements as the cascade runs them, in this process, on the device that there is."""

    def __init__(self, stages: list[str], models: str | None) -> None:
        self._predictors: dict[str, Any] = {}
        for name in stages:
            from meteo_ray.stages import CASCADE

            self._predictors[name] = CASCADE[name].load(Path(str(models)) / name)

    def over(self, batches: Iterable[tuple[list[str], np.ndarray]], answers: bool) -> Answers:
        """Judge batches of names and pixels; what was found, where `answers` are asked for."""
        found: Answers = {}
        for names, images in batches:
            judged = self.answers(images, signed=answers)
            if answers:
                found |= dict(zip(names, judged, strict=True))
        return found

    def answers(self, images: np.ndarray, signed: bool = False) -> list[dict[str, Any]]:
        """One answer an image; without stages its signature, if `signed`."""
        if not self._predictors:
            scores = signature(images) if signed else np.zeros(len(images), dtype=np.float32)
            return [{"score": float(score), "chart": None, "elements": None} for score in scores]
        gate = self._predictors["gate"]({"image": images})
        found = [
            {"score": float(score), "chart": bool(chart), "elements": None}
            for score, chart in zip(gate["gate_score"], gate["is_meteo"], strict=True)
        ]
        charts = np.flatnonzero(gate["is_meteo"])
        if "elements" in self._predictors and len(charts):
            shown = self._predictors["elements"]({"image": images[charts]})["elements"]
            for place, elements in zip(charts, shown, strict=True):
                found[place]["elements"] = sorted(element["id"] for element in elements)
        return found


class StandIn:
    """In the gate's place in the project's job: it turns everything away and costs nothing, or sleeps for each image as
    an accelerator would work on it, without taking a CPU. Its log has a line a call: start, end, rows."""

    version = "0123456789ab"

    def __init__(self, signed: bool, sleep_s: float, log: str | None) -> None:
        self._signed, self._sleep_s, self._log = signed, sleep_s, log

    def __call__(self, batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        images, started = batch["image"], time.monotonic()
        rows = len(images)
        if self._sleep_s:
            time.sleep(self._sleep_s * rows)
        if self._log:
            with open(self._log, "a", encoding="utf-8") as log:
                log.write(json.dumps([started, time.monotonic(), rows]) + "\n")
        scores = signature(images) if self._signed else np.zeros(rows, dtype=np.float32)
        return {"is_meteo": np.zeros(rows, dtype=bool), "gate_score": scores}
