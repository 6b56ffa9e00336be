"""Which rows models learn from, which calibrate them, which judge them (R4). Duplicate groups are never torn apart.

random  units are duplicate groups, spread so that every label is divided as the fractions say.
source  units are sources (joined where they share a duplicate), spread the same way.
time    whole days in order: the earliest to training, the latest to the test.
given   what each row's own `split` key says.
"""

import json
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_array

from meteo_ray.errors import UsageError
from meteo_ray.preparation.config import Fractions
from meteo_ray.preparation.duplicates import join_partitions
from meteo_ray.schema import SPLITS, TRAIN

# A label of fewer units than splits cannot reach them all; its units then follow the fractions alone.
_LEAST_UNITS = len(SPLITS)

_LEADING_COLUMNS = 3  # of `label_matrix`: rows, charts, others


def assign_splits(rows: pa.Table, split_by: str, fractions: Fractions, seed: int) -> np.ndarray:
    """The split of every index row, object `(rows,)` of the names in `schema.SPLITS`.

    Raises:
        UsageError: when rows lack what `split_by` needs.
    """
    if split_by == "given":
        return _given(rows)
    shares = np.array([fractions.train, fractions.validation, fractions.test])
    groups = np.asarray(rows["duplicate_group"])
    if split_by == "time":
        chosen = _by_time(rows, groups, shares)
    else:
        units, labels = groups if split_by == "random" else _source_units(rows, groups), label_matrix(rows)
        # A source holds many labels, and thirty small wishes must not outvote the size of the split: there elements
        # and products count as much as one of the leading columns together. Single images can please all of them.
        label_weight = 1.0 if split_by == "random" else 1.0 / max(1, labels.shape[1] - _LEADING_COLUMNS)
        weights = np.where(np.arange(labels.shape[1]) < _LEADING_COLUMNS, 1.0, label_weight)
        chosen = spread_units(units, labels, weights, shares, np.random.default_rng([seed, len(units)]))
    return np.array(SPLITS, dtype=object)[chosen]


def require_units(split_by: str, units: Iterable[object]) -> None:
    """Refuse a split by "source" or "time" when there are fewer sources or days (`units`) than splits.

    Raises:
        UsageError: saying how many there are.
    """
    found = len({unit for unit in units if unit is not None})
    if found < len(SPLITS):
        named, key = {"source": ("sources", "`source`"), "time": ("days", "`time` (ISO 8601)")}[split_by]
        raise UsageError(
            f"--split-by {split_by} needs rows of at least {len(SPLITS)} {named}, labels.jsonl names {found}; "
            f"add {key} to its rows, or use --split-by random"
        )


def label_matrix(rows: pa.Table) -> csr_array:
    """What has to be spread evenly: rows, charts, others, then each element and product; 0/1 `(rows, columns)`."""
    columns: dict[tuple[str, object], list[int]] = {("rows", None): list(range(rows.num_rows))}
    columns |= {("is_meteo", True): [], ("is_meteo", False): []}
    names = zip(*(rows[name].to_pylist() for name in ("is_meteo", "elements", "product")), strict=True)
    for number, (is_meteo, elements, product) in enumerate(names):
        labels = [("is_meteo", is_meteo), *(("element", e) for e in elements or ()), ("product", product)]
        for label in labels:
            if label[1] is not None:
                columns.setdefault(label, []).append(number)
    row = np.concatenate([np.array(numbers, dtype=np.int64) for numbers in columns.values()])
    column = np.repeat(np.arange(len(columns)), [len(numbers) for numbers in columns.values()])
    return csr_array((np.ones(len(row)), (row, column)), shape=(rows.num_rows, len(columns)))


def spread_units(
    units: np.ndarray, labels: csr_array, weights: np.ndarray, shares: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Assign whole units to splits so that each label's rows divide as `shares`; split numbers int64 `(rows,)`.

    Greedy iterative stratification (after Sechidis et al. 2011, here over units that may hold many rows): units
    holding the largest share of any label go first, each to the split where it lowers the chi-square distance between
    wanted and given counts, summed with `weights` `(labels,)`, most. Equal units come in seeded random order.
    """
    _, unit_of_row = np.unique(units, return_inverse=True)
    count = int(unit_of_row.max()) + 1
    gather = csr_array((np.ones(len(units)), (unit_of_row, np.arange(len(units)))), shape=(count, len(units)))
    held = csr_array(gather @ labels)
    totals = np.maximum(held.sum(axis=0), 1.0)  # no row of a kind: nothing to divide, nor to divide by
    wanted = _wanted(totals, (held > 0).sum(axis=0), shares)
    shuffled = rng.permutation(count)
    largest_share = (held / totals[None, :]).max(axis=1)
    largest_share = np.asarray(largest_share.todense()).ravel()
    order = shuffled[np.argsort(-largest_share[shuffled], kind="stable")]
    given = np.zeros_like(wanted)
    chosen = np.empty(count, dtype=np.int64)
    for unit in order:
        span = slice(held.indptr[unit], held.indptr[unit + 1])
        columns, amount = held.indices[span], held.data[span]
        want, have = wanted[:, columns], given[:, columns]
        change = (weights[columns] * amount * (2 * (have - want) + amount) / want / totals[columns]).sum(axis=1)
        chosen[unit] = np.argmin(change)
        given[chosen[unit], columns] += amount
    return chosen[unit_of_row]


def _wanted(totals: np.ndarray, unit_counts: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Rows of each label that each split should get, `(splits, labels)`: its share, but at least one where possible."""
    wanted = shares[:, None] * totals[None, :]
    reachable = unit_counts >= _LEAST_UNITS
    wanted[1:, reachable] = np.maximum(wanted[1:, reachable], 1.0)
    wanted[0, reachable] = np.maximum(totals[reachable] - wanted[1:, reachable].sum(axis=0), 1.0)
    return wanted


def _source_units(rows: pa.Table, groups: np.ndarray) -> np.ndarray:
    """Sources, merged where a duplicate group spans two; a row without a source stands for itself."""
    sources = rows["source"].to_pylist()
    require_units("source", sources)
    return join_partitions(np.array([source or f"\0{row}" for row, source in enumerate(sources)]), groups)


def group_days(rows: pa.Table, groups: np.ndarray) -> np.ndarray:
    """The latest day on which any row of a row's duplicate group was issued, datetime64[D] `(rows,)`; NaT unknown.

    The latest, so that a chart sent again later counts as late: training on its early copy would know the test's.
    """
    days = rows["time"].to_numpy().astype("datetime64[D]")
    latest: dict[int, np.datetime64] = {}
    for group, day in zip(groups.tolist(), days, strict=True):
        if not np.isnat(day) and (group not in latest or day > latest[group]):
            latest[group] = day
    return np.array([latest.get(group, np.datetime64("NaT")) for group in groups.tolist()], dtype="datetime64[D]")


def _by_time(rows: pa.Table, groups: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Days in order, cut where the shares fall; rows without a time, which nobody can place, go to training."""
    days = group_days(rows, groups)
    known = ~np.isnat(days)
    unique_days, counts = np.unique(days[known], return_counts=True)
    require_units("time", unique_days)
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    day_split = np.searchsorted(np.cumsum(shares)[:-1], middle)
    day_split[0], day_split[-1] = 0, len(SPLITS) - 1
    if not (day_split == 1).any():  # few uneven days: validation takes the first test day, or the last training day
        day_split[min(np.searchsorted(day_split, 2), len(day_split) - 2)] = 1
    chosen = np.full(len(days), SPLITS.index(TRAIN))
    chosen[known] = day_split[np.searchsorted(unique_days, days[known])]
    return chosen


def _given(rows: pa.Table) -> np.ndarray:
    splits = [json.loads(extra).get("split") for extra in rows["extra"].to_pylist()]
    paths = rows["path"].to_pylist()
    wrong = [f"{p}: split is {s!r}" for p, s in zip(paths, splits, strict=True) if s not in SPLITS]
    if wrong:
        raise UsageError.of_problems(f"--split-by given needs `split` ({', '.join(SPLITS)}) in every row:", wrong)
    return np.array(splits, dtype=object)
