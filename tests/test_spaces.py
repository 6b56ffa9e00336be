"""Search spaces name settings that exist, and the demo's config files are ones that their jobs accept."""

import importlib

import pytest

from meteo_ray.config import parse_config
from meteo_ray.evaluation.config import EvaluateJob
from meteo_ray.stages import STAGES, stage_named
from tests.conftest import ROOT


def base_job(space: str):
    if space == "cascade":
        return parse_config(EvaluateJob, ["--data", "d", "--models", "m", "--out", "o.json"])
    return parse_config(stage_named(space).job, [])


@pytest.mark.parametrize("space", [path.stem for path in sorted((ROOT / "tune_spaces").glob("[a-z]*.py"))])
def test_a_space_fits_its_job(space):
    module = importlib.import_module(f"tune_spaces.{space}")
    for point in module.points_to_evaluate():
        assert set(point) == set(module.space())
        base_job(space).with_values(**point)
    for name, domain in module.space().items():
        base_job(space).with_values(**{name: domain.sample()})
    if space != "cascade":
        base_job(space).with_values(**stage_named(space).trial_settings)


@pytest.mark.parametrize("stage", [stage.name for stage in STAGES if stage.demo])
@pytest.mark.parametrize("walk", ["", "short"])
def test_the_demos_settings_are_accepted(stage, walk):
    job = parse_config(stage_named(stage).job, ["--config", str(ROOT / "jobs" / "demo" / walk / f"{stage}.yaml")])
    assert stage_named(stage).at_once(job) or job.training.patience == 0
