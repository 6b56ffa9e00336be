"""A space is checked, key by key and at its ends, before anything starts."""

import sys
import types
from typing import Any

import pytest
from ray import tune

from meteo_ray.errors import UsageError
from meteo_ray.gate.config import TrainGateJob
from meteo_ray.tuning.space import load_space

BASE = TrainGateJob(gate={"init": "none"})


@pytest.fixture
def space_of(monkeypatch):
    """Puts a module into tune_spaces/ for the test."""

    def made(space: dict[str, Any], *points: dict[str, Any]) -> str:
        module = types.ModuleType("tune_spaces.invented")
        module.space, module.points_to_evaluate = lambda: space, lambda: list(points)
        module.__spec__ = types.SimpleNamespace(name="tune_spaces.invented")
        monkeypatch.setitem(sys.modules, "tune_spaces.invented", module)
        return "invented"

    return made


def test_the_settings_that_it_starts_from_are_tried_first(space_of):
    space = load_space(space_of({"gate.bce_share": tune.uniform(0, 1)}, {"gate.bce_share": 0.25}), BASE)
    assert space.points == [{"gate.bce_share": 0.7}, {"gate.bce_share": 0.25}]


def test_an_unknown_key_is_refused_with_the_nearest_one(space_of):
    with pytest.raises(UsageError, match=r"gate.bce_shar: no such setting; did you mean gate.bce_share\?"):
        load_space(space_of({"gate.bce_shar": tune.uniform(0, 1)}), BASE)


def test_an_end_of_a_range_that_the_job_refuses_is_named(space_of):
    with pytest.raises(UsageError, match=r"gate.bce_share 1.5: .*less than or equal to 1"):
        load_space(space_of({"gate.bce_share": tune.uniform(0, 1.5)}), BASE)


def test_a_start_outside_of_the_space_is_refused(space_of):
    with pytest.raises(UsageError, match=r"gate.bce_share: 0.7 lies outside 0 to 0.5"):
        load_space(space_of({"gate.bce_share": tune.uniform(0, 0.5)}), BASE)


def test_a_point_that_leaves_a_setting_out_is_refused(space_of):
    domains = {"gate.bce_share": tune.uniform(0, 1), "gate.focal_gamma": tune.uniform(0, 4)}
    with pytest.raises(UsageError, match=r"gate\.focal_gamma: no value"):
        load_space(space_of(domains, {"gate.bce_share": 0.5}), BASE)


def test_a_missing_file_says_which_to_write():
    with pytest.raises(UsageError, match=r"write tune_spaces/clouds.py"):
        load_space("clouds", BASE)
