"""Splits that share nothing and lack as little as possible (R4)."""

import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meteo_ray.errors import UsageError
from meteo_ray.preparation.config import Fractions
from meteo_ray.preparation.leakage import gaps, leaks
from meteo_ray.preparation.splits import assign_splits
from meteo_ray.schema import INDEX, SPLITS, TEST, TRAIN, VALIDATION
from meteo_ray.vocabulary import load_vocabulary

VOCABULARY = load_vocabulary()
FRACTIONS = Fractions()
DAY_ONE = datetime(2024, 1, 1)


def index(rows: list[dict[str, Any]]) -> pa.Table:
    """An index of rows that only say what matters; each is its own image and duplicate group unless it says so."""
    full = []
    for number, row in enumerate(rows):
        group = row.get("duplicate_group", 10_000 + number)
        plain = {"path": f"{number}.png", "sha256": f"{number}", "is_meteo": True, "extra": "{}"}
        full.append({**plain, **row, "duplicate_group": group})
    return pa.Table.from_pylist(full, schema=INDEX)


def with_splits(table: pa.Table, splits: np.ndarray) -> pa.Table:
    return table.set_column(INDEX.get_field_index("split"), "split", pa.array(splits, pa.string()))


def parts_of(splits: np.ndarray, units: list[Any]) -> dict[Any, set[str]]:
    """unit -> the splits that it stands in."""
    found: dict[Any, set[str]] = {}
    for split, unit in zip(splits, units, strict=True):
        found.setdefault(unit, set()).add(split)
    return found


ROW = st.fixed_dictionaries(
    {
        "is_meteo": st.booleans(),
        "elements": st.none() | st.lists(st.sampled_from(VOCABULARY.element_ids[:6]), max_size=3, unique=True),
        "product": st.none() | st.sampled_from(VOCABULARY.product_ids[:4]),
        "source": st.none() | st.sampled_from("abcdef"),
        "time": st.none() | st.integers(0, 20).map(lambda day: DAY_ONE + timedelta(days=day, hours=day % 24)),
        "duplicate_group": st.integers(0, 15),
    }
)


@settings(max_examples=80)
@given(st.lists(ROW, min_size=1, max_size=60), st.sampled_from(["random", "time", "source"]), st.integers(0, 99))
def test_every_row_has_one_split_and_no_duplicate_group_two(rows: list[dict], split_by: str, seed: int) -> None:
    table = index(rows)
    try:
        splits = assign_splits(table, split_by, FRACTIONS, seed)
    except UsageError:
        assert split_by != "random"
        return
    assert len(splits) == len(rows)
    assert set(splits) <= set(SPLITS)
    assert all(len(parts) == 1 for parts in parts_of(splits, [row["duplicate_group"] for row in rows]).values())
    if split_by == "source":
        named = [(s, row["source"]) for s, row in zip(splits, rows, strict=True) if row["source"]]
        assert all(len(parts) == 1 for parts in parts_of(*zip(*named, strict=True)).values())
    assert leaks(with_splits(table, splits), by_time=split_by == "time") == []
    np.testing.assert_array_equal(splits, assign_splits(table, split_by, FRACTIONS, seed))


def test_random_splits_have_the_asked_sizes_and_depend_on_the_seed() -> None:
    table = index([{"is_meteo": number % 3 == 0} for number in range(400)])
    splits = assign_splits(table, "random", FRACTIONS, seed=1)
    assert Counter(splits) == {TRAIN: 280, VALIDATION: 60, TEST: 60}
    charts = Counter(splits[::3])
    assert abs(charts[TRAIN] - 0.7 * 134) <= 1
    assert abs(charts[TEST] - 0.15 * 134) <= 1
    assert (splits != assign_splits(table, "random", FRACTIONS, seed=2)).any()


@pytest.mark.parametrize("count", [3, 4, 5, 8])
def test_a_rare_label_of_three_images_or_more_reaches_every_split(count: int) -> None:
    rows = [{"elements": ["lightning"], "product": "lightning_density"} for _ in range(count)]
    rows += [{"elements": ["wind"], "product": "wind_rose"} for _ in range(200)]
    rows += [{"is_meteo": False, "elements": []} for _ in range(200)]
    for seed in range(5):
        splits = assign_splits(index(rows), "random", FRACTIONS, seed)
        assert set(splits[:count]) == set(SPLITS)


def test_many_small_products_all_reach_every_split() -> None:
    rows = [{"product": product} for product in VOCABULARY.product_ids for _ in range(5)]
    rows += [{"is_meteo": False} for _ in range(50)]
    splits = assign_splits(index(rows), "random", FRACTIONS, seed=0)
    for start in range(0, 5 * len(VOCABULARY.product_ids), 5):
        assert set(splits[start : start + 5]) == set(SPLITS)


def test_sources_balance_size_and_charts() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for number, size in enumerate(rng.integers(5, 60, 30).tolist()):
        share = rng.random()
        rows += [{"source": f"office {number}", "is_meteo": bool(rng.random() < share)} for _ in range(size)]
    splits = assign_splits(index(rows), "source", FRACTIONS, seed=0)
    charts = np.array([row["is_meteo"] for row in rows])
    for split, share in zip(SPLITS, (0.7, 0.15, 0.15), strict=True):
        assert abs((splits == split).mean() - share) < 0.04
        assert abs(charts[splits == split].mean() - charts.mean()) < 0.08


def test_a_duplicate_joins_two_sources() -> None:
    rows = [{"source": source} for source in "aabbccddeeff"]
    rows[1]["duplicate_group"] = rows[2]["duplicate_group"] = 1
    splits = assign_splits(index(rows), "source", FRACTIONS, seed=0)
    assert len(set(splits[:4])) == 1


def test_days_stay_whole_and_the_latest_are_the_test() -> None:
    rows = [{"time": DAY_ONE + timedelta(days=number // 10, hours=number % 10)} for number in range(200)]
    order = np.random.default_rng(0).permutation(200)
    splits = assign_splits(index([rows[n] for n in order]), "time", FRACTIONS, seed=0)
    in_time = splits[np.argsort(order)]
    assert in_time.tolist() == [TRAIN] * 140 + [VALIDATION] * 30 + [TEST] * 30


@pytest.mark.parametrize("counts", [[1, 1, 1], [100, 1, 1], [1, 1, 100], [1, 100, 1], [1, 50, 50, 50], [50, 1, 1, 90]])
def test_three_days_are_enough_however_uneven(counts: list[int]) -> None:
    rows = [{"time": DAY_ONE + timedelta(days=day)} for day, count in enumerate(counts) for _ in range(count)]
    splits = assign_splits(index(rows), "time", FRACTIONS, seed=0).tolist()
    assert set(splits) == set(SPLITS)
    assert splits == sorted(splits, key=SPLITS.index)


def test_a_chart_sent_again_counts_as_late_and_an_undated_one_trains() -> None:
    rows: list[dict[str, Any]] = [{"time": DAY_ONE + timedelta(days=number)} for number in range(20)]
    rows[0]["duplicate_group"] = rows[19]["duplicate_group"] = 1
    rows += [{"time": None}, {"time": None, "duplicate_group": 1}]
    splits = assign_splits(index(rows), "time", FRACTIONS, seed=0)
    assert splits[0] == splits[19] == splits[21] == TEST
    assert splits[1] == splits[20] == TRAIN


def test_given_splits_are_taken_from_the_rows() -> None:
    rows = [{"extra": json.dumps({"split": split})} for split in (*SPLITS, TEST)]
    assert assign_splits(index(rows), "given", FRACTIONS, seed=0).tolist() == [*SPLITS, TEST]
    rows[1]["extra"] = json.dumps({"split": "dev"})
    rows[2]["extra"] = "{}"
    with pytest.raises(UsageError, match="'dev'") as caught:
        assign_splits(index(rows), "given", FRACTIONS, seed=0)
    assert "2.png: split is None" in str(caught.value)


@pytest.mark.parametrize(("split_by", "column"), [("time", "days"), ("source", "sources")])
def test_splitting_by_what_rows_do_not_say_is_refused(split_by: str, column: str) -> None:
    with pytest.raises(UsageError, match=f"--split-by {split_by} needs rows of at least 3 {column}"):
        assign_splits(index([{}] * 5), split_by, FRACTIONS, seed=0)


def test_leaks_by_bytes_near_duplicates_and_days_are_named() -> None:
    rows: list[dict[str, Any]] = [
        {"split": split, "time": DAY_ONE + timedelta(days=n)} for n, split in enumerate(SPLITS)
    ]
    assert leaks(index(rows), by_time=True) == []
    near = [{**row, "duplicate_group": 1} for row in rows[:2]]
    assert leaks(index(near), by_time=False) == ["near-duplicates: 0.png (train) and 1.png (validation)"]
    equal = [{**row, "sha256": "same"} for row in near]
    assert leaks(index(equal), by_time=False) == ["the same image: 0.png (train) and 1.png (validation)"]
    rows[0]["time"] = rows[1]["time"]
    assert leaks(index(rows), by_time=True) == ["days: train reaches to 2024-01-02, validation begins on 2024-01-02"]
    assert leaks(index(rows), by_time=False) == []


def test_gaps_name_what_each_split_lacks() -> None:
    rows = [
        {"split": TRAIN, "elements": ["wind", "snow"], "product": "snow_depth"},
        {"split": TRAIN, "is_meteo": False},
        {"split": VALIDATION, "elements": ["wind"]},
    ]
    assert [str(gap) for gap in gaps(index(rows), VOCABULARY)] == [
        "validation: no others",
        "validation: no positives of the elements snow",
        "validation: no positives of the products snow_depth",
        "test: no rows at all",
    ]


def test_many_missing_labels_are_counted_and_a_few_are_named() -> None:
    names = VOCABULARY.product_ids[:42]
    rows = [{"split": TRAIN, "product": name} for name in names] + [{"split": VALIDATION, "product": names[0]}]
    (gap,) = (gap for gap in gaps(index(rows), VOCABULARY) if gap.kind == "products")
    few = ", ".join(names[1:4])
    assert gap.short == f"validation: no positives of 41 products, such as {few}; the report has them all"
    assert str(gap) == f"validation: no positives of the products {', '.join(names[1:])}"


@pytest.mark.parametrize("shares", [(0.5, 0.2, 0.2), (0.9, 0.2, -0.1), (1.0, 0.0, 0.0)])
def test_fractions_must_be_shares_of_one(shares: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match=r"add up to 1|greater than 0|less than 1"):
        Fractions(train=shares[0], validation=shares[1], test=shares[2])
