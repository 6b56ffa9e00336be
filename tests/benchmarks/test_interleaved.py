"""Contenders take turns there and back; marginal costs and their ratios come out as they went in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.speed.floors import Floor
from benchmarks.speed.groups import limit_of, waiting_share
from benchmarks.speed.interleaved import SMALL, Contender, Restless, Turns, take_turns
from benchmarks.speed.sessions import Run


class Steady:
    """Stands for a session: `fixed + each * n` seconds, whatever happens."""

    def __init__(self, name: str, fixed: float, each: float, log: list[str], foreign: float = 0.0) -> None:
        self.name, self.fixed, self.each, self.log, self.foreign = name, fixed, each, log, foreign

    def run(self, folder: Path, **asked: Any) -> Run:
        images = int(folder.name)
        self.log.append(f"{self.name} {images}")
        seconds = self.fixed + self.each * images
        return Run(images, seconds, 2 * seconds, self.foreign, None, {})


def turns_of(*sessions: Steady, blocks: int = 2) -> Turns:
    contenders = [Contender(session.name, session) for session in sessions]
    contenders.append(Contender(sessions[0].name, sessions[0], again=True))
    return take_turns(contenders, lambda count: Path(str(count)), blocks, seconds=2.0, most=1024)


def test_a_block_goes_there_and_back_and_gives_marginal_costs():
    log: list[str] = []
    turns = turns_of(Steady("own", 3.0, 0.004, log), Steady("other", 1.0, 0.010, log), blocks=1)
    large, others = turns.images["own"], turns.images["other"]
    assert (large, others) == (3 * SMALL, 2 * SMALL)  # two seconds each, in whole small runs, above the small run
    own, other = [f"own {SMALL}"] * 2 + [f"own {large}"], [f"other {SMALL}"] * 2 + [f"other {others}"]
    assert log[-18:] == own + other + own + own + other + own
    assert turns.each_s["own"] == [pytest.approx(0.004)]
    assert turns.each_cpu_s["own"] == [pytest.approx(0.008)]
    assert turns.fixed_s["other"] == [pytest.approx(1.0)]
    assert turns.ratio("other", "own").low == pytest.approx(2.5)
    assert turns.ratio("own again", "own").median == pytest.approx(1.0)
    assert turns.to_json()["quiet"]


def test_blocks_in_which_others_worked_do_not_count():
    turns = Turns({"own": 128}, {"own": [1.0, 9.0, 3.0]}, {"own": [1.0] * 3}, {"own": [0.0] * 3}, [0.0, 0.5, 0.02])
    assert turns.counted() == [0, 2]
    assert turns.value(turns.each_s, "own") == 2.0
    turns.foreign = [0.5, 0.5, 0.5]
    assert turns.counted() == [0, 1, 2]
    assert not turns.to_json()["quiet"]


def test_a_machine_on_which_more_takes_no_longer_is_refused():
    with pytest.raises(Restless, match="no block"):
        turns_of(Steady("own", 3.0, -0.001, []))


def test_the_limit_adds_what_shares_the_cores(monkeypatch):
    """10 ms of reading, 20 of the gate, and 40 of the elements for a quarter of the images: 40 ms on a CPU."""
    turns = Turns({"own": 128}, {"own": [0.05]}, {"own": [0.0905]}, {"own": [2.0]}, [0.0])
    cpu = {"load": Floor(100, 0.020)}
    networks = {"gate": Floor(50, 0.040), "elements": Floor(25, 0.080)}
    monkeypatch.setattr("benchmarks.speed.groups.gpu_name", lambda: None)
    found = limit_of(cpu, networks, 0.25, turns)
    assert found["limit_ms"] == pytest.approx(40)
    assert found["fraction_of_limit"] == pytest.approx(0.8)
    assert found["engine_cpu_us"] == pytest.approx(90500 - 80000)
    assert found["long_run_images"] == pytest.approx(19 * 2.0 / 0.05)
    monkeypatch.setattr("benchmarks.speed.groups.gpu_name", lambda: "a GPU")
    assert limit_of(cpu, networks, 0.25, turns)["limit_ms"] == pytest.approx(30)


def test_a_consumer_waits_between_its_calls():
    calls = np.array([[10.0, 11.0, 64], [14.0, 15.0, 64], [11.0, 12.0, 64]])
    assert waiting_share(calls) == pytest.approx(2 / 5)
