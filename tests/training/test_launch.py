"""The loop on real Ray Train: run folder, bundle, and what happens when the same command comes again."""

import json

import pytest

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.gate.config import TrainGateJob
from meteo_ray.training import launch
from meteo_ray.training.config import LoopSettings, TrainingJob
from meteo_ray.training.inputs import TaskInputs, check_inputs
from meteo_ray.training.launch import train
from meteo_ray.training.run_identity import run_digest
from meteo_ray.vocabulary import load_vocabulary
from tests.training.line_task import LineTask, points

SETTINGS = LoopSettings(batch_size=8, precision="fp32", data_workers=1, torch_threads=1)


def inputs_in(folder) -> TaskInputs:
    return TaskInputs(folder, folder / "models", folder / "cache", points(), load_vocabulary())


def test_a_run_leaves_its_folder_and_a_bundle_and_is_not_repeated(ray_session, tmp_path):
    job = TrainingJob(data=tmp_path, models=tmp_path / "models", training=SETTINGS)
    metrics = train(job, LineTask(), inputs_in(tmp_path))
    (run,) = (tmp_path / "models/runs").iterdir()
    names = {path.name for path in run.iterdir()}
    assert {"config.yaml", "versions.json", "metrics.jsonl", "tensorboard", "best", "finished.json"} <= names
    assert len((run / "metrics.jsonl").read_text().splitlines()) == 4
    assert metrics["run"] == run.name
    assert len(bundle.check(tmp_path / "models/line", "line")) == 12
    before = (tmp_path / "models/line" / bundle.SUMS).stat().st_mtime_ns
    assert train(job, LineTask(), inputs_in(tmp_path)) == metrics
    assert (tmp_path / "models/line" / bundle.SUMS).stat().st_mtime_ns == before


class NanTask(LineTask):
    """Diverges at once."""

    def loss(self, model, batch, progress):
        loss = super().loss(model, batch, progress)
        return type(loss)(loss.total * float("nan"))


def test_a_mistake_found_in_a_worker_reaches_the_user_as_one_message(ray_session, tmp_path):
    job = TrainingJob(data=tmp_path, models=tmp_path / "models", training=SETTINGS)
    with pytest.raises(UsageError, match="no longer a number"):
        train(job, NanTask(), inputs_in(tmp_path))
    assert not (tmp_path / "models/line").exists()


def test_more_workers_than_the_cluster_holds_fail_at_once(ray_session, tmp_path):
    job = TrainingJob(
        data=tmp_path,
        models=tmp_path / "models",
        training=SETTINGS.model_copy(update={"workers": 64, "batch_size": 64}),
    )
    with pytest.raises(UsageError, match="64 training workers"):
        train(job, LineTask(), inputs_in(tmp_path))


def test_more_gpus_than_the_cluster_holds_fail_at_once(monkeypatch):
    monkeypatch.setattr(launch.ray, "cluster_resources", lambda: {"CPU": 16.0, "GPU": 1.0})
    with pytest.raises(UsageError, match="2 GPUs asked for, the cluster has 1"):
        launch._check_resources(SETTINGS.model_copy(update={"workers": 2}), use_gpu=True)


def test_a_fresh_run_that_cannot_begin_leaves_the_one_before(monkeypatch, tmp_path):
    monkeypatch.setattr(launch.cluster, "connect", lambda: None)
    monkeypatch.setattr(launch.ray, "cluster_resources", lambda: {"CPU": 16.0})
    settings, inputs = SETTINGS.model_copy(update={"use_gpu": True}), inputs_in(tmp_path)
    job = TrainingJob(data=tmp_path, models=tmp_path / "models", fresh=True, training=settings)
    before = tmp_path / "models" / "runs" / f"line-{run_digest(job, inputs)}" / launch.RUN_CONFIG
    before.parent.mkdir(parents=True)
    before.write_text("the one before")
    with pytest.raises(UsageError, match="1 GPUs asked for"):
        train(job, LineTask(), inputs)
    assert before.read_text() == "the one before"


@pytest.mark.slow
def test_two_workers_share_every_batch(ray_session, tmp_path):
    settings = SETTINGS.model_copy(update={"workers": 2})
    job = TrainingJob(data=tmp_path, models=tmp_path / "models", training=settings)
    train(job, LineTask(epochs=(1, 4)), inputs_in(tmp_path))
    (run,) = (tmp_path / "models/runs").iterdir()
    entries = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert entries[-1]["steps"] == 5 * 5
    assert entries[-1]["validation/negative_error"] > entries[0]["validation/negative_error"]


@pytest.mark.slow
def test_a_mistake_found_by_one_of_two_workers_reaches_the_user_too(ray_session, tmp_path):
    settings = SETTINGS.model_copy(update={"workers": 2})
    job = TrainingJob(data=tmp_path, models=tmp_path / "models", training=settings)
    with pytest.raises(UsageError, match="no longer a number"):
        train(job, NanTask(), inputs_in(tmp_path))
    assert not (tmp_path / "models/line").exists()


def test_the_run_name_follows_config_and_data_but_not_folders(tmp_path):
    job = TrainingJob(data=tmp_path, models=tmp_path / "a", training=SETTINGS)
    moved = TrainingJob(data=tmp_path / "x", models=tmp_path / "b", fresh=True, training=SETTINGS)
    inputs = inputs_in(tmp_path)
    assert run_digest(job, inputs) == run_digest(moved, inputs)
    first, second = (TrainGateJob(gate={"init": "none", "auxiliary": {"data": tmp_path / name}}) for name in "ab")
    assert run_digest(first, inputs) == run_digest(second, inputs)
    assert run_digest(first, inputs, "one weight file") != run_digest(second, inputs, "another")
    other = job.model_copy(update={"training": SETTINGS.model_copy(update={"seed": 1})})
    assert run_digest(job, inputs) != run_digest(other, inputs)
    more = TaskInputs(tmp_path, tmp_path, tmp_path, points(seed=1), load_vocabulary())
    assert run_digest(job, inputs) != run_digest(job, more)


def test_a_models_folder_that_cannot_be_made_is_a_usage_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="models: cannot be written to: Not a directory"):
        train(TrainingJob(), LineTask(), inputs_in(tmp_path / "file"))


def test_missing_folders_are_named_before_ray_starts(tmp_path):
    with pytest.raises(UsageError, match="--models is required"):
        check_inputs(TrainingJob(data=tmp_path))
    with pytest.raises(UsageError, match="prepare_data"):
        check_inputs(TrainingJob(data=tmp_path, models=tmp_path))
