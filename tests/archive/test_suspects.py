"""Batches that kill their process are halved until the guilty image stands alone, in a bounded number of deaths."""

import contextlib
import itertools
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.archive.cascade.suspects import DEATHS_ALLOWED, SuspectList, judge_carefully
from meteo_ray.errors import MachineFault


class Death(BaseException):
    """Stands for the end of the process: nothing in it handles this."""


def dies_of(poison: set[int], good: list[int]) -> Callable[[Sequence[int]], None]:
    def judge(part: Sequence[int]) -> None:
        if poison & set(part):
            raise Death
        good.extend(part)

    return judge


def until_it_lives(rows: list[int], suspects: SuspectList, poison: set[int]) -> tuple[list[int], list[int], int]:
    """What Ray does: the same batch comes again to a new process; (judged, condemned, deaths)."""
    for deaths in itertools.count():
        good: list[int] = []
        bad: list[int] = []
        with contextlib.suppress(Death):
            judge_carefully(rows, [str(row) for row in rows], dies_of(poison, good), bad.append, suspects)
            return good, bad, deaths
    raise AssertionError("unreachable")


@given(st.integers(1, 64), st.integers(0, 63))
def test_one_poisonous_image_is_found_and_the_others_are_judged(rows: int, position: int) -> None:
    position %= rows
    good, bad, deaths = until_it_lives(list(range(rows)), SuspectList(), {position})
    assert bad == [position]
    assert good == [row for row in range(rows) if row != position]
    assert deaths <= 9


@given(st.sets(st.integers(0, 15), max_size=4))
def test_several_are_found_too(poison: set[int]) -> None:
    good, bad, _ = until_it_lives(list(range(16)), SuspectList(), poison)
    assert set(bad) == poison
    assert sorted(good + bad) == list(range(16))


def test_a_death_that_does_not_return_condemns_nobody() -> None:
    suspects, good = SuspectList(), []
    with pytest.raises(Death):
        judge_carefully([1, 2], ["1", "2"], dies_of({1, 2}, good), None, suspects)
    judge_carefully([1, 2], ["1", "2"], dies_of(set(), good), None, suspects)
    assert good == [1, 2]


def test_processes_that_die_of_everything_stop_the_job() -> None:
    def run() -> None:
        suspects = SuspectList()
        for batch in range(DEATHS_ALLOWED):
            rows = list(range(64 * batch, 64 * batch + 64))
            until_it_lives(rows, suspects, set(rows))

    with pytest.raises(MachineFault, match=f"died {DEATHS_ALLOWED + 1} times"):
        run()
