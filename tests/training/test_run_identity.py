"""What makes a training another run, what does not, and that two of the same do not meet in one folder."""

import errno
import fcntl
import multiprocessing
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from PIL import Image

from meteo_ray.elements.config import TrainElementsJob
from meteo_ray.errors import UsageError
from meteo_ray.files import held
from meteo_ray.streaming import pixels
from meteo_ray.training.config import TrainingJob
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.training.launch import train
from meteo_ray.training.run_identity import run_digest
from meteo_ray.vocabulary import load_vocabulary
from meteo_ray.vocabulary.labels_yaml import DEFAULT_PATH
from tests.training.line_task import LineTask, points

ALTERED = TrainElementsJob(elements={"init": "none"})
AS_THEY_ARE = TrainElementsJob(elements={"init": "none", "augmentation": {"enabled": False}})


def inputs_in(folder: Path, labels: Path = DEFAULT_PATH) -> TaskInputs:
    return TaskInputs(folder, folder / "models", folder / "cache", points(), load_vocabulary(labels))


def grown_vocabulary(folder: Path) -> Path:
    document = yaml.safe_load(DEFAULT_PATH.read_text("utf-8"))
    document["elements"].append({"id": "moon_phase", "zh": "月相", "en": "moon phase"})
    (folder / "labels.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
    return folder / "labels.yaml"


@pytest.mark.parametrize(
    "setting",
    [{"data_workers": 7}, {"torch_threads": 3}, {"use_gpu": False}, {"memory_share": 0.5}, {"compile": True}],
    ids=str,
)
def test_what_only_costs_time_goes_on_with_the_same_run(tmp_path: Path, setting: dict[str, Any]) -> None:
    faster = ALTERED.with_values(**{f"training.{name}": value for name, value in setting.items()})
    assert run_digest(faster, inputs_in(tmp_path)) == run_digest(ALTERED, inputs_in(tmp_path))


def test_an_element_appended_to_the_vocabulary_starts_a_new_run(tmp_path: Path) -> None:
    grown = inputs_in(tmp_path, grown_vocabulary(tmp_path))
    assert run_digest(ALTERED, grown) != run_digest(ALTERED, inputs_in(tmp_path))


def with_test_row(inputs: TaskInputs, sha256: str) -> TaskInputs:
    """With other contents of one test row."""
    index = inputs.index.append_column("sha256", pa.array(["own"] * inputs.index.num_rows))
    row = {"x": [0.0, 0.0, 0.0], "y": 0.0, "split": "test", "sha256": sha256}
    return replace(inputs, index=pa.concat_tables([index, pa.Table.from_pylist([row], schema=index.schema)]))


def test_a_changed_test_row_is_no_other_training(tmp_path: Path) -> None:
    """Only where auxiliary images must stay out of the test split it matters which images that holds."""
    one, two = (with_test_row(inputs_in(tmp_path), name) for name in ("one", "two"))
    assert run_digest(ALTERED, one) == run_digest(ALTERED, two)
    beside = ALTERED.with_values(**{"elements.auxiliary.data": str(tmp_path)})
    assert run_digest(beside, one) != run_digest(beside, two)
    fewer = replace(one, index=one.index.slice(1))
    assert run_digest(ALTERED, fewer) != run_digest(ALTERED, one)


def test_another_logo_starts_a_new_run_only_where_images_are_altered(tmp_path: Path) -> None:
    first, second = (replace(inputs_in(tmp_path), data=tmp_path / name) for name in ("one", "two"))
    for number, inputs in enumerate((first, second)):
        (inputs.data / "logos").mkdir(parents=True)
        Image.new("RGBA", (8, 8), (number, 0, 0, 255)).save(inputs.data / "logos" / "a.png")
    assert run_digest(ALTERED, first) != run_digest(ALTERED, second)
    assert run_digest(AS_THEY_ARE, first) == run_digest(AS_THEY_ARE, second)


@pytest.mark.parametrize("version", ["PREPROCESSING_VERSION", "AUGMENTATION_VERSION"])
def test_code_that_makes_other_pixels_starts_a_new_run(tmp_path: Path, monkeypatch, version: str) -> None:
    before = run_digest(ALTERED, inputs_in(tmp_path))
    monkeypatch.setattr(pixels, version, getattr(pixels, version) + 1)
    assert run_digest(ALTERED, inputs_in(tmp_path)) != before


def test_a_second_training_of_the_stage_ends_at_once(tmp_path: Path) -> None:
    job = TrainingJob(data=tmp_path, models=tmp_path / "models")
    with held(tmp_path / "models" / "line", "busy"), pytest.raises(UsageError, match="another job is training"):
        train(job, LineTask(), inputs_in(tmp_path))
    assert not (tmp_path / "models" / "runs").exists()


def _hold(folder: Path, taken: Any) -> None:
    with held(folder, "busy"):
        taken.set()
        signal.pause()


def test_a_lock_goes_with_the_process_that_held_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    taken = context.Event()
    other = context.Process(target=_hold, args=(tmp_path / "models" / "gate", taken))
    other.start()
    assert taken.wait(60)
    with pytest.raises(UsageError, match="busy"), held(tmp_path / "models" / "gate", "busy"):
        pass
    assert other.pid is not None
    os.kill(other.pid, signal.SIGKILL)
    other.join()
    with held(tmp_path / "models" / "gate", "busy"):
        pass


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_on_a_mount_without_locks_a_warning_takes_their_place(tmp_path: Path, monkeypatch, caplog, number: int) -> None:
    def no_locks(*given: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with held(tmp_path / "gate", "busy"):
        pass
    assert "knows no locks" in caplog.text
