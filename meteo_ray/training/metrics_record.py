"""A run's memory for people: metrics.jsonl, TensorBoard files and progress lines."""

import json
import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

logger = logging.getLogger("meteo_ray")


class RunRecord:
    """Appends one JSON line an epoch and mirrors its numbers to TensorBoard, all inside the run's folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lines = folder / "metrics.jsonl"
        self._tensorboard = SummaryWriter(str(folder / "tensorboard"))

    def restore(self, history: list[dict[str, Any]]) -> None:
        """Rewrite metrics.jsonl from a checkpoint's history: an epoch cut short must not stand in it twice."""
        self._lines.write_text("".join(_line(entry) for entry in history), "utf-8")

    def epoch(self, entry: Mapping[str, Any]) -> None:
        with self._lines.open("a", encoding="utf-8") as file:
            file.write(_line(entry))
        for name, value in entry.items():
            if isinstance(value, (int, float)):
                self._tensorboard.add_scalar(name, value, int(entry["epoch"]))
        self._tensorboard.flush()

    def close(self) -> None:
        self._tensorboard.close()


def scalars(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The finite single numbers among possibly nested metrics; lists and per-class tables stay in the bundle."""
    return {
        prefix + name: float(value)
        for name, value in metrics.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    }


def _line(entry: Mapping[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"
