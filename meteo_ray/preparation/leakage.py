"""What makes a split worthless or weak: images shared between splits, and labels that a split lacks (R4)."""

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from meteo_ray.preparation.splits import group_days
from meteo_ray.schema import SPLITS
from meteo_ray.vocabulary import Vocabulary

SHOWN_NAMES = 3  # on the terminal; the report has them all


@dataclass(frozen=True)
class Gap:
    """What a split lacks, in words; of labels (`kind`: elements or products) also which."""

    split: str
    lacks: str
    kind: str = ""
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.split}: {self.lacks}" + (f" the {self.kind} {', '.join(self.names)}" if self.names else "")

    @property
    def short(self) -> str:
        """With a few of the names, and how many there are."""
        if len(self.names) <= SHOWN_NAMES:
            return str(self)
        few = ", ".join(self.names[:SHOWN_NAMES])
        return f"{self.split}: {self.lacks} {len(self.names)} {self.kind}, such as {few}; the report has them all"


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


def gaps(rows: pa.Table, vocabulary: Vocabulary) -> list[Gap]:
    """What each split lacks: charts, others, and the known elements and products without one positive in it."""
    found = []
    for split in SPLITS:
        members = rows.filter(np.asarray(rows["split"].to_pylist(), dtype=object) == split)
        is_meteo = members["is_meteo"].to_pylist()
        if not members.num_rows:
            found.append(Gap(split, "no rows at all"))
            continue
        classes = ((True, "charts"), (False, "others"))
        found += [Gap(split, f"no {name}") for value, name in classes if value not in is_meteo]
        found += _absent(split, "elements", count_elements(members), count_elements(rows), vocabulary.element_ids)
        found += _absent(split, "products", count_products(members), count_products(rows), vocabulary.product_ids)
    return found


def count_elements(rows: pa.Table) -> Counter[str]:
    return Counter(element for elements in rows["elements"].to_pylist() for element in elements or ())


def count_products(rows: pa.Table) -> Counter[str]:
    return Counter(product for product in rows["product"].to_pylist() if product is not None)


def _absent(split: str, kind: str, here: Counter[str], anywhere: Counter[str], order: tuple[str, ...]) -> list[Gap]:
    names = tuple(name for name in order if anywhere[name] and not here[name])
    return [Gap(split, "no positives of", kind, names)] if names else []


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
