"""What makes a split worthless or weak: images shared between splits, and labels that a split lacks (R4)."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa

from meteo_ray.preparation.splits import group_days
from meteo_ray.schema import SPLITS
from meteo_ray.vocabulary import Vocabulary


def leaks(rows: pa.Table, by_time: bool) -> list[str]:
    """Every way in which a split knows another's images, in words; empty when there is none.

    Checked are equal bytes, near-duplicate groups and, with `by_time`, days: no split may reach into the next one's.
    """
    splits = np.asarray(rows["split"].to_pylist(), dtype=object)
    paths = rows["path"].to_pylist()
    found = _shared(rows["sha256"].to_pylist(), splits, paths, "the same image")
    if not found:  # equal bytes are always one group; do not report each of them twice
        found = _shared(rows["duplicate_group"].to_pylist(), splits, paths, "near-duplicates")
    return found + (_overlapping_days(rows, splits) if by_time else [])


def gaps(rows: pa.Table, vocabulary: Vocabulary) -> list[str]:
    """What each split lacks: charts, others, and the known elements and products without one positive in it."""
    found = []
    for split in SPLITS:
        members = rows.filter(np.asarray(rows["split"].to_pylist(), dtype=object) == split)
        is_meteo = members["is_meteo"].to_pylist()
        if not members.num_rows:
            found.append(f"{split}: no rows at all")
            continue
        found += [
            f"{split}: no {name}" for value, name in ((True, "charts"), (False, "others")) if value not in is_meteo
        ]
        found += _absent(split, "elements", count_elements(members), count_elements(rows), vocabulary.element_ids)
        found += _absent(split, "products", count_products(members), count_products(rows), vocabulary.product_ids)
    return found


def count_elements(rows: pa.Table) -> Counter[str]:
    return Counter(element for elements in rows["elements"].to_pylist() for element in elements or ())


def count_products(rows: pa.Table) -> Counter[str]:
    return Counter(product for product in rows["product"].to_pylist() if product is not None)


def _absent(split: str, kind: str, here: Counter[str], anywhere: Counter[str], order: tuple[str, ...]) -> list[str]:
    names = [name for name in order if anywhere[name] and not here[name]]
    return [f"{split}: no positives of the {kind} {', '.join(names)}"] if names else []


def _shared(keys: list[object], splits: np.ndarray, paths: list[str], what: str) -> list[str]:
    first: dict[object, int] = {}
    found = []
    for row, key in enumerate(keys):
        other = first.setdefault(key, row)
        if splits[other] != splits[row]:
            found.append(f"{what}: {paths[other]} ({splits[other]}) and {paths[row]} ({splits[row]})")
    return found


def _overlapping_days(rows: pa.Table, splits: np.ndarray) -> list[str]:
    days = group_days(rows, np.asarray(rows["duplicate_group"]))
    known = ~np.isnat(days)
    found = []
    for earlier, later in pairwise(SPLITS):
        before, after = days[known & (splits == earlier)], days[known & (splits == later)]
        if len(before) and len(after) and before.max() >= after.min():
            found.append(f"days: {earlier} reaches to {before.max()}, {later} begins on {after.min()}")
    return found
