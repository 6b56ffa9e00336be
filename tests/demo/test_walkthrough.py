"""The walk through all jobs: one Ray for every step, what is done is not repeated, nothing is left running."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from meteo_ray import cluster
from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.config import parse_config
from meteo_ray.demo import data_set, short_walk
from meteo_ray.demo.config import RunDemoJob
from meteo_ray.demo.walkthrough import run_demo, steps
from meteo_ray.errors import UsageError
from meteo_ray.files import SIGN
from meteo_ray.starter.config import BuildStarterJob
from meteo_ray.walk import Step, run_steps
from tests.conftest import ROOT
from tests.test_jobs import load

# Stands for a job: notes which Ray it was told of, and fails where it is asked to.
JOB = """
import os, pathlib, sys
name = pathlib.Path(__file__).stem
with open(pathlib.Path(__file__).with_name("seen.txt"), "a") as seen:
    seen.write(f"{name} {os.environ.get('RAY_ADDRESS')}\\n")
sys.exit(4 if pathlib.Path(__file__).with_name(f"{name}.fails").exists() else 0)
"""


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What became of the cluster, which is not really started."""
    events: list[str] = []

    @contextmanager
    def shared() -> Iterator[dict[str, str]]:
        events.append("started")
        try:
            yield {"RAY_ADDRESS": "127.0.0.1:1"}
        finally:
            events.append("ended")

    monkeypatch.setattr(cluster, "shared", shared)
    return events


@pytest.mark.parametrize("models_come_along", [False, True])
def test_the_archive_is_classified_at_once_where_models_come_with_the_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, models_come_along: bool
) -> None:
    if models_come_along:
        (tmp_path / "starter").mkdir()
    monkeypatch.setattr(short_walk, "STARTER", tmp_path / "starter")
    walk = steps(RunDemoJob(out=tmp_path / "out"), ROOT / "jobs")
    place = 1 if models_come_along else len(walk) - 1
    assert [step.job for step in walk].index("classify_archive") == place
    assert ("--models" in walk[place].arguments) is not models_come_along


@pytest.mark.parametrize("full", [False, True])
def test_every_command_of_the_walk_is_one_that_its_job_takes(
    tmp_path: Path, full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[Any] = []
    for step in steps(RunDemoJob(out=tmp_path / "out", full=full), ROOT / "jobs"):
        module = load(step.job)
        monkeypatch.setattr(module, "run_job", lambda job, body, text, argv: taken.append(parse_config(job, argv)))
        module.main(step.arguments)
    assert [config.overwrite for config in taken if isinstance(config, ArchiveConfig)] == [True]


def test_the_images_are_none_that_the_packages_models_have_learnt(tmp_path: Path) -> None:
    learnt = str(BuildStarterJob(work=tmp_path).seed)
    for job in (RunDemoJob(out=tmp_path), RunDemoJob(out=tmp_path, seed=3)):
        drawing = steps(job, ROOT / "jobs")[0].arguments
        assert drawing[drawing.index("--seed") + 1] == ("1" if job.seed is None else "3") != learnt


def test_a_step_tells_what_it_found_and_hears_nothing_of_the_users_own_folders(
    tmp_path: Path, told: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("METEO_RAY_MODELS", "/data/models")
    (tmp_path / "look.py").write_text("import os; print('METEO_RAY_MODELS' in os.environ, flush=True)", "utf-8")
    (tmp_path / "fail.py").write_text("raise SystemExit(4)", "utf-8")
    looking, failing = Step("look", "look", (), lambda: "seen"), Step("fail", "fail", (), lambda: "never")
    with pytest.raises(UsageError, match="fail ended"):
        run_steps([looking, failing], tmp_path / "out", tmp_path)
    assert capfd.readouterr().out == "False\nseen\n"
    run_steps([looking], tmp_path / "out", tmp_path)
    assert capfd.readouterr().out == ""


def test_a_folder_of_other_settings_is_told_before_anything_is_drawn(tmp_path: Path, told: list[str]) -> None:
    begun = steps(RunDemoJob(out=tmp_path), ROOT / "jobs")[0].shown
    (tmp_path / "steps.json").write_text(json.dumps({begun: 20.0}), "utf-8")
    with pytest.raises(UsageError, match=r"begun with other settings(?s:.)*--charts 220(?s:.)*--charts 7"):
        run_demo(RunDemoJob(out=tmp_path, charts=7), ROOT / "jobs")
    assert not told


def test_a_drawing_that_was_interrupted_is_begun_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In whichever part: what says that it is complete is written last."""
    job, drawn = load("make_demo_data"), list[str]()
    arguments = ["--out", str(tmp_path / "data"), "--archive", str(tmp_path / "archive")]

    def archive(folder: Path, config: Any) -> int:
        (folder / "broken").mkdir(parents=True, exist_ok=True)
        drawn.append("archive")
        if len(drawn) == 1:
            raise KeyboardInterrupt
        return 1

    def data(config: Any) -> int:
        drawn.append("data")
        config.out.mkdir()
        (config.out / SIGN).touch()
        (config.out / "labels.jsonl").touch()
        return 1

    monkeypatch.setattr(data_set, "build_archive", archive)
    monkeypatch.setattr(data_set, "build_data", data)
    assert [job.main(arguments) for _ in range(3)] == [130, 0, 2]
    assert drawn == ["archive", "archive", "data"]


@pytest.mark.parametrize("full", [False, True])
def test_the_steps_share_one_ray_and_those_done_are_not_repeated(
    tmp_path: Path, told: list[str], full: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(short_walk, "STARTER", tmp_path)  # as with models, wherever it runs
    monkeypatch.setattr(short_walk, "answered", lambda out, whose: whose)  # these jobs answer nothing
    job, jobs = RunDemoJob(out=tmp_path / "out", full=full), tmp_path / "jobs"
    jobs.mkdir()
    names = [step.job for step in steps(job, jobs)]
    for name in names:
        (jobs / f"{name}.py").write_text(JOB, "utf-8")
    (jobs / "evaluate.fails").touch()
    with pytest.raises(UsageError, match="evaluate on the test split ended with status 4"):
        run_demo(job, jobs)
    until = names.index("evaluate")
    seen = (jobs / "seen.txt").read_text("utf-8").split("\n")
    assert seen[:-1] == [f"{name} 127.0.0.1:1" for name in names[: until + 1]]
    assert told == ["started", "ended"]

    with pytest.raises(UsageError, match="evaluate"):
        run_demo(job, jobs)
    assert (jobs / "seen.txt").read_text("utf-8").split("\n")[until + 1 : -1] == ["evaluate 127.0.0.1:1"]
    assert len(json.loads((job.out / "steps.json").read_text("utf-8"))) == until
    assert told == ["started", "ended"] * 2


ADDRESS = """
from meteo_ray import cluster
cluster.connect()
import ray
print(ray.get_runtime_context().gcs_address, ray.get(ray.remote(lambda: 41).options(num_cpus=0).remote()) + 1)
"""


def test_a_child_joins_the_cluster_of_its_parent(ray_session: None) -> None:
    with cluster.shared() as joined:
        done = subprocess.run(
            [sys.executable, "-c", ADDRESS],
            env={**os.environ, **joined, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.split() == [joined["RAY_ADDRESS"], "42"]
    assert cluster.ray.is_initialized()  # it was there before


def test_a_process_of_a_cluster_starts_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setattr(cluster, "connect", lambda: pytest.fail("started"))
    with cluster.shared() as joined:
        assert joined == {}


# A process that a script starts in the background inherits that Ctrl-C is ignored; one in a terminal does not.
PARENT = """
import os, signal, subprocess, sys
from meteo_ray import cluster
signal.signal(signal.SIGINT, signal.default_int_handler)
with cluster.shared() as joined:
    print("ready", flush=True)
    subprocess.run([sys.executable, "-c", "import time; time.sleep(600)"], env={**os.environ, **joined}, check=False)
"""


@pytest.mark.slow
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_the_shared_cluster_ends_with_the_process_that_started_it(signal_number: signal.Signals) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], env={**environment, "PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "ready\n"
    of_ray = [child for child in psutil.Process(parent.pid).children() if child.name() in ("gcs_server", "raylet")]
    assert len(of_ray) == 2
    sleeper = psutil.Process(parent.pid).children()
    parent.send_signal(signal_number)
    parent.wait(60)
    _, alive = psutil.wait_procs(of_ray, timeout=60)
    for process in sleeper:  # SIGKILL leaves the child of the parent to itself
        if process.is_running():
            process.kill()
    assert not alive
