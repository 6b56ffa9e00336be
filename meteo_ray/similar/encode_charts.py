"""Ray Data operator: pixels in, codes out. Rows are marked, never dropped."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from meteo_ray.archive.cascade.judged_rows import FAULT, MISTAKE, condemned
from meteo_ray.archive.cascade.models import Model
from meteo_ray.archive.cascade.suspects import Suspects, judge_carefully
from meteo_ray.batch import Batch
from meteo_ray.errors import MachineFault, UsageError
from meteo_ray.preparation.duplicates import perceptual_hash
from meteo_ray.schema import OK
from meteo_ray.similar.store import ENCODED

CODED = pa.schema([*ENCODED, MISTAKE, FAULT])
"""Rows of ENCODED, and what stops the job."""

_FILE = ("image_id", "sha256", "status", "reason", "detail")


class EncodeCharts:
    """What `ReadImages` has read, encoded by the retrieval model, with the guards of the archive's other models."""

    def __init__(self, model: Model, threads: int, suspects: Suspects) -> None:
        # Here, because the driver names this class, and need not load torch for that.
        from meteo_ray.archive.cascade.loaded_model import loaded

        (self._model,), self._suspects = loaded([model], threads), suspects

    def __call__(self, batch: Batch) -> pa.Table:
        found: list[dict[str, Any]] = [
            {name: str(batch[name][row]) for name in _FILE} for row in range(len(batch["path"]))
        ]
        mistake, fault = "", str(next((text for text in batch[FAULT.name] if text), ""))
        if not fault:
            try:
                self._encode_all(batch, found)
            except UsageError as error:
                mistake = str(error)
            except MachineFault as error:
                fault = str(error)
        rows = [{**row, MISTAKE.name: mistake or None, FAULT.name: fault or None} for row in found]
        return pa.Table.from_pylist(rows, schema=CODED)

    def _encode_all(self, batch: Batch, found: list[dict[str, Any]]) -> None:
        readable = [int(row) for row in np.flatnonzero(batch["status"] == OK)]
        judge_carefully(
            readable,
            [str(batch["image_id"][row]) for row in readable],
            judge=lambda rows: self._encode(batch["image"], rows, found),
            condemn=lambda row: found[row].update(condemned()),
            suspects=self._suspects,
        )

    def _encode(self, images: np.ndarray, rows: Sequence[int], found: list[dict[str, Any]]) -> None:
        chosen = images if len(rows) == len(images) else images[list(rows)]
        for row, pixels, columns in zip(rows, chosen, self._model({"image": chosen}), strict=True):
            found[row].update(columns)
            if found[row]["status"] == OK:
                found[row]["perceptual_hash"] = perceptual_hash(pixels)
