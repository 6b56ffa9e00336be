"""Which days train, which validate, which test: by time, so that the future never teaches the past.

Test days are the last ones. Of the days before, one block validates: the last by default; another block gives another
member of an ensemble something else to stop by, and lets it learn from the last days before the test. A window belongs
to a split only with all that it needs of it (`origins`).
"""

import numpy as np

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.panel import OUTSIDE
from meteo_ray.schema import TEST, TRAIN, VALIDATION


def split_days(
    days: np.ndarray,
    test_from: np.datetime64 | None = None,
    test_share: float = 0.25,
    validation_share: float = 0.15,
    validation_block: int = 0,
    train_from: np.datetime64 | None = None,
    test_until: np.datetime64 | None = None,
) -> np.ndarray:
    """The split of every day, text `(days,)`.

    Args:
        days: datetime64[D] `(days,)`.
        test_from: the first test day; default: the last `test_share` of all days.
        test_share: see `test_from`.
        validation_share: of the days before the test, in one block.
        validation_block: which block, counted back from the test: 0 is the last.
        train_from: days before are in no split.
        test_until: days after are in no split.

    Raises:
        UsageError: when a split would be empty.
    """
    test_at = len(days) - round(test_share * len(days)) if test_from is None else int((days < test_from).sum())
    start = 0 if train_from is None else int((days < train_from).sum())
    end = len(days) if test_until is None else int((days <= test_until).sum())
    size = round(validation_share * (test_at - start))
    high = test_at - validation_block * size
    low = high - size
    if low < start and test_at > start:
        raise UsageError(f"validation block {validation_block} lies before the first training day")
    split = np.full(len(days), OUTSIDE, dtype=object)
    split[start:test_at] = TRAIN
    split[max(low, start) : max(high, start)] = VALIDATION
    split[test_at:end] = TEST
    for name in (TRAIN, VALIDATION, TEST):
        if not (split == name).any():
            raise UsageError(f"no {name} days: {days[0]} to {days[-1]}, test from {days[min(test_at, len(days) - 1)]}")
    return split


def origins(split: np.ndarray, name: str, lookback: int, horizon: int) -> np.ndarray:
    """Last known days of the windows of a split, int64 positions in the days.

    A window at t reads days t - lookback + 1 to t and is asked about t + 1 to t + horizon. Training windows lie in
    training days with all of that; validation windows with all that is asked, and read what was before; test windows
    too, and their last ones ask beyond the data's end, so that every test day is asked about at every lead it can be.
    """
    inside = split == name
    before = np.concatenate([[0], np.cumsum(inside)])
    first = np.arange(lookback - 1, len(split) - 1)
    asked_to = np.minimum(first + horizon, len(split) - 1) if name == TEST else first + horizon
    first, asked_to = first[asked_to < len(split)], asked_to[asked_to < len(split)]
    begin = first - lookback + 1 if name == TRAIN else first + 1
    whole = before[asked_to + 1] - before[begin] == asked_to + 1 - begin
    if name == TEST:
        # Days after the last test day may be there without being in the test: windows end with them.
        whole = inside[first + 1]
    found: np.ndarray = first[whole]
    return found
