"""Search spaces name settings that exist, and the demo's config files are ones that their jobs accept."""

import importlib

import pytest

from meteo_ray.config import parse_config
from meteo_ray.evaluation.config import EvaluateJob
from meteo_ray.stages import STAGES
from tests.conftest import ROOT


def base_job(space: str):
    if space == "cascade":
        return parse_config(EvaluateJob, ["--data", "d", "--models", "m", "--out", "o.json"])
    return parse_config(STAGES[space].job, [])


@pytest.mark.parametrize("space", ["gate", "elements", "products", "cascade"])
def test_a_space_fits_its_job(space):
    module = importlib.import_module(f"tune_spaces.{space}")
    for point in module.points_to_evaluate():
        assert set(point) == set(module.space())
        base_job(space).with_values(**point)
    for name, domain in module.space().items():
        base_job(space).with_values(**{name: domain.sample()})
    if space in STAGES:
        base_job(space).with_values(**STAGES[space].in_trials)


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_the_demos_settings_are_accepted(stage):
    job = parse_config(STAGES[stage].job, ["--config", str(ROOT / "jobs" / "demo" / f"{stage}.yaml")])
    assert job.training.patience == 0
