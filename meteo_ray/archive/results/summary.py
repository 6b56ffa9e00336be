"""Adds up the committed parts: what summary.json says and the report shows. Memory does not grow with the archive."""

import heapq
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.archive.cascade.judged_rows import COUNTS, SECONDS, seconds_column
from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.archive.ids import id_numbers
from meteo_ray.archive.results.writer import read_parts
from meteo_ray.calibration.undecided import is_undecided
from meteo_ray.files import without_secrets
from meteo_ray.schema import OK, SCHEMA_VERSION, STATUSES
from meteo_ray.stages import CASCADE

HISTOGRAM_BINS = 20
EXAMPLES_PER_GROUP = 6  # a line of the report
EXAMPLES_PER_REASON = 20  # files that could not be judged

# Column -> its key in summary.json, and column -> its title in the report, of all stages.
TALLIES = {column: key for judging in CASCADE.values() for column, key in judging.tallies.items()}
HISTOGRAMS = {column: title for judging in CASCADE.values() for column, title in judging.histograms.items()}

# Scores by which a stage decides what goes on.
DECIDING = tuple(judging.passes_by for judging in CASCADE.values() if judging.passes_by is not None)

# What the examples of a report need to know of a row.
_FILE = ("image_id", "path", "sha256", "status", "reason", "detail")
_SHOWN = (*_FILE, "is_meteo", "gate_score", "elements", "product", "title")
_COLUMNS = list(dict.fromkeys((*_SHOWN, "product_score", *TALLIES, *HISTOGRAMS, *DECIDING)))


@dataclass(frozen=True)
class Timing:
    """Seconds of one call of the job, start of Ray and of the models included, and the rows that it judged."""

    listing_s: float
    judging_s: float
    rows: int


class Lowest:
    """The `limit` rows with the smallest key, out of any number."""

    def __init__(self, limit: int = EXAMPLES_PER_GROUP) -> None:
        self.limit = limit
        self._heap: list[tuple[float, int, dict[str, Any]]] = []
        self._order = count()

    def add(self, key: float, row: dict[str, Any]) -> None:
        entry = (-key, -next(self._order), row)
        if len(self._heap) < self.limit:
            heapq.heappush(self._heap, entry)
        elif entry > self._heap[0]:
            heapq.heapreplace(self._heap, entry)

    def rows(self) -> list[dict[str, Any]]:
        return [row for _, _, row in sorted(self._heap, key=lambda entry: (-entry[0], -entry[1]))]


@dataclass
class Totals:
    """Counts and examples over all parts. A histogram has HISTOGRAM_BINS equal bins on [0, 1]."""

    rows: int = 0
    distinct: int = 0
    charts: int = 0
    read: int = 0
    """Images of which the text was read."""
    titled: int = 0
    status: Counter[str] = field(default_factory=Counter)
    reason: Counter[str] = field(default_factory=Counter)
    tallies: dict[str, Counter[str]] = field(default_factory=lambda: {column: Counter() for column in TALLIES})
    seconds: Counter[str] = field(default_factory=Counter)
    counted: dict[str, float] = field(default_factory=lambda: dict.fromkeys(COUNTS, 0.0))
    """NaN where a part does not say."""
    histograms: dict[str, np.ndarray] = field(
        default_factory=lambda: {column: np.zeros(HISTOGRAM_BINS, dtype=np.int64) for column in HISTOGRAMS}
    )
    scored: Counter[str] = field(default_factory=Counter)
    """Images with a deciding score, by its column."""
    undecided: Counter[str] = field(default_factory=Counter)
    """Of these, those on which its model is undecided."""
    examples: dict[str, Lowest] = field(default_factory=dict)
    turned_away: Lowest = field(default_factory=Lowest)
    unsure: Lowest = field(default_factory=Lowest)
    bad_files: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """By reason, the first of each."""

    @property
    def bad(self) -> int:
        return self.rows - self.status[OK]

    def add(self, table: pa.Table) -> None:
        """Count one part's rows."""
        self.rows += table.num_rows
        self.charts += pc.sum(table["is_meteo"]).as_py() or 0
        self.read += table.num_rows - table["title"].null_count
        self.titled += pc.sum(pc.not_equal(table["title"], "")).as_py() or 0
        for counter, column in ((self.status, "status"), (self.reason, "reason")):
            counter.update(_value_counts(table[column]))
        for column, counter in self.tallies.items():
            counter.update(_value_counts(_values(table[column])))
        for column, counts in self.histograms.items():
            np.add(counts, _histogram(table[column]), out=counts)
        for column in DECIDING:
            scores = pc.drop_null(table[column]).to_numpy()
            self.scored[column] += len(scores)
            self.undecided[column] += int(is_undecided(scores).sum())
        for row in table.to_pylist():
            self._keep_example(row)

    def add_work(self, work: Mapping[str, float]) -> None:
        """Count what one part took."""
        self.seconds.update({name: work[name] for name in SECONDS if name in work})
        for name in COUNTS:
            self.counted[name] += work.get(name, math.nan)

    def _keep_example(self, row: dict[str, Any]) -> None:
        if row["status"] != OK:
            examples = self.bad_files.setdefault(row["reason"], [])
            if len(examples) < EXAMPLES_PER_REASON:
                examples.append(row)
        elif not row["is_meteo"]:
            self.turned_away.add(-row["gate_score"], row)  # those that came closest to being let in
        else:
            confidence = row["gate_score"] if row["product_score"] is None else row["product_score"]
            self.unsure.add(confidence, row)
            if row["product"] is not None:
                self.examples.setdefault(row["product"], Lowest()).add(-confidence, row)


def add_up(predictions: Path) -> Totals:
    """Totals over every committed part in a folder."""
    totals = Totals()
    ids = []
    for table, work in read_parts(predictions, _COLUMNS):
        totals.add(table)
        totals.add_work(work)
        ids.append(id_numbers(table["image_id"]))
    totals.distinct = len(np.unique(np.concatenate(ids))) if ids else 0
    return totals


def summary_document(
    totals: Totals,
    config: ArchiveConfig,
    versions: dict[str, str],
    models: dict[str, str],
    timing: Timing,
    undecided: Mapping[str, Any] = MappingProxyType({}),
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """What summary.json holds. `seconds` are summed over parallel workers and over all calls that made the run.

    `undecided` and `warnings` are those of results/unlike.py.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "rows": totals.rows,
        "status": {status: totals.status[status] for status in STATUSES},
        "reasons": dict(totals.reason.most_common()),
        "charts": totals.charts,
        "turned_away": totals.status[OK] - totals.charts,
        "text": {"read": totals.read, "titled": totals.titled},
        "undecided": dict(undecided),
        "warnings": list(warnings),
        **{TALLIES[column]: dict(counts.most_common()) for column, counts in reversed(totals.tallies.items())},
        "seconds": {name.removesuffix("_s"): round(value, 3) for name, value in totals.seconds.items()},
        **rates(totals),
        "seconds_total": round(timing.listing_s + timing.judging_s, 3),
        "images_per_second": round(timing.rows / timing.judging_s, 2) if timing.rows else None,
        "this_call": {name: round(value, 3) for name, value in asdict(timing).items()},
        "models": models,
        "versions": versions,
        "arguments": {**config.model_dump(mode="json"), "archive": without_secrets(config.archive)},
    }


def rates(totals: Totals) -> dict[str, float | None]:
    """What stages counted, and the same by the second of their work; None where there was nothing, or not all parts
    say."""
    found: dict[str, float | None] = {}
    for stage, judging in CASCADE.items():
        seconds = totals.seconds[seconds_column(stage)]
        for column, key in judging.counts.items():
            known = totals.counted[column] > 0 and seconds > 0
            found[key] = int(totals.counted[column]) if known else None
            found[f"{key}_per_second"] = round(totals.counted[column] / seconds, 1) if known else None
    return found


def _values(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """What a tally counts: the values, or the ids in lists of scored ids."""
    return pc.struct_field(pc.list_flatten(column), "id") if pa.types.is_list(column.type) else column


def _value_counts(column: pa.ChunkedArray) -> dict[str, int]:
    counted = pc.value_counts(pc.drop_null(column))
    return {entry["values"]: entry["counts"] for entry in counted.to_pylist()}


def _histogram(column: pa.ChunkedArray) -> np.ndarray:
    scores = pc.drop_null(column).to_numpy()
    counts, _ = np.histogram(scores, bins=HISTOGRAM_BINS, range=(0.0, 1.0))
    return counts
