"""Which days train, which validate, which test: by time, so that the future never teaches the past.

Test days are the last ones. Of the days before, one block validates: the last by default; another block gives another
member of an ensemble something else to stop by, and lets it learn from the last days before the test. A window belongs
to a split only with all that it needs of it (`origins`). What a training's days were is kept (`TaughtDays`): worked out
anew from files that have grown or shrunk, the split would test on days that taught.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

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


@dataclass(frozen=True)
class TaughtDays:
    """What a training's split was, as dates; datetime64[D].

    Args:
        first: the first day that trained or validated.
        last: the last one; the days between are all of either kind.
        validation: first and last day that validated.
        test_from: the first test day.
        test_until: the last one, where the settings end the test; None: as far as files go.
    """

    first: np.datetime64
    last: np.datetime64
    validation: tuple[np.datetime64, np.datetime64]
    test_from: np.datetime64
    test_until: np.datetime64 | None

    @classmethod
    def of(cls, days: np.ndarray, split: np.ndarray, test_until: np.datetime64 | None = None) -> Self:
        """From the days and their splits as `split_days` answers them."""
        known = days[(split == TRAIN) | (split == VALIDATION)]
        validation = days[split == VALIDATION]
        return cls(known[0], known[-1], (validation[0], validation[-1]), days[split == TEST][0], test_until)

    def to_json(self) -> dict[str, str | None]:
        """The dates as text, for a bundle's config."""
        first, last = self.validation
        return {
            "first": str(self.first),
            "last": str(self.last),
            "validation_first": str(first),
            "validation_last": str(last),
            "test_from": str(self.test_from),
            "test_until": None if self.test_until is None else str(self.test_until),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, str | None]) -> Self | None:
        """None where a bundle does not tell all of it."""
        names = ("first", "last", "validation_first", "validation_last", "test_from")
        if any(document.get(name) is None for name in names):
            return None
        first, last, begin, end, test_from = (np.datetime64(document[name], "D") for name in names)
        until = document.get("test_until")
        return cls(first, last, (begin, end), test_from, None if until is None else np.datetime64(until, "D"))

    def split(self, days: np.ndarray) -> np.ndarray:
        """The split of the days of any files, text `(days,)`. Raises UsageError when none of them is a test day."""
        begin, end = self.validation
        split = np.full(len(days), OUTSIDE, dtype=object)
        split[(days >= self.first) & (days <= self.last)] = TRAIN
        split[(days >= begin) & (days <= end)] = VALIDATION
        until = days[-1] if self.test_until is None else self.test_until
        split[(days >= self.test_from) & (days <= until)] = TEST
        if not (split == TEST).any():
            raise UsageError(
                f"no test day: the model was trained for a test from {self.test_from} on, and the files hold "
                f"{days[0]} to {days[-1]}"
            )
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
