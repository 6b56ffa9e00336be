"""Rows that cannot be read: few are left out and counted, many end the training with names and reasons."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from meteo_ray.batch import UNREADABLE, Batch
from meteo_ray.errors import UsageError
from meteo_ray.streaming.pixels import PreparePixels
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.loop import TrainingRun
from meteo_ray.training.task import Prepare
from meteo_ray.training.unreadable import UnreadableRows, split_readable
from tests.pictures import picture_index, row_batch
from tests.training.line_task import FolderHost, LineTask, points, stream


class LossyTask(LineTask):
    """Cannot read the points of these splits whose y is above a limit."""

    def __init__(self, limit: float, splits: tuple[str, ...] = ("train", "validation")) -> None:
        super().__init__(epochs=(1, 1))
        self.limit, self.splits = limit, splits

    def prepare(self, split: str, epoch: int) -> Prepare:
        limit = self.limit if split in self.splits else np.inf

        def prepared(batch: Batch) -> Batch:
            ok = batch["y"] <= limit
            why = np.where(ok, "", "gone: no such point").astype(object)
            paths = np.array([f"points/{y:.3f}" for y in batch["y"]], dtype=object)
            return {**batch, "ok": ok, UNREADABLE: why, "path": paths}

        return prepared


def make_run(folder: Path, task: LineTask, **settings: float) -> TrainingRun:
    loop = LoopSettings(batch_size=8, precision="fp32", torch_threads=1, **settings)
    return TrainingRun(task, points(), loop, folder, FolderHost(folder / "checkpoints"), stream, torch.device("cpu"))


def largest(split: str, count: int) -> float:
    """The limit above which so many points of the split lie."""
    index = points()
    return float(np.sort(index.filter(pa.compute.equal(index["split"], split))["y"].to_numpy())[-count - 1])


def test_few_unreadable_rows_are_left_out_and_counted(tmp_path: Path) -> None:
    task = LossyTask(largest("train", 2), splits=("train",))
    history = make_run(tmp_path, task, max_unreadable=0.05).fit().history  # 2 of 40
    assert [entry["unreadable_training_rows"] for entry in history] == [2, 2]
    assert [entry["unreadable_validation_rows"] for entry in history] == [0, 0]


@pytest.mark.parametrize("split", ["train", "validation"])
def test_more_than_allowed_end_the_training_by_name(tmp_path: Path, split: str) -> None:
    task = LossyTask(largest(split, 3), splits=(split,))
    with pytest.raises(UsageError, match=r"max-unreadable.*\n.*points/\d\.\d+: gone: no such point") as raised:
        make_run(tmp_path, task, max_unreadable=0.05).fit()
    assert raised.value.exit_status == 2
    words = {"train": "3 of 40 training rows", "validation": "1 of 16 validation rows"}  # one is too many already
    assert words[split] in str(raised.value)


def test_none_may_be_lost_by_default_of_few_rows(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="more than the 1 %"):
        make_run(tmp_path, LossyTask(largest("train", 1))).fit()


def test_what_is_learnt_before_the_first_epoch_counts_too(tmp_path: Path) -> None:
    task = LossyTask(largest("train", 3), splits=("train",))
    task.before_training = lambda collect: collect("first look", task.prepare("train", 0))  # type: ignore[method-assign]
    run = make_run(tmp_path, task, max_unreadable=0.05)
    with pytest.raises(UsageError, match="training rows cannot be read"):
        run.fit()
    assert run.state.steps_done == 0


def test_a_folder_that_is_gone_ends_the_training_by_name(tmp_path: Path) -> None:
    """What the pixels' own reader says of missing, changed and damaged files reaches the message."""
    index = picture_index(tmp_path, 4)
    missing, changed = (tmp_path / path for path in index["path"].to_pylist()[:2])
    missing.unlink()
    changed.write_bytes(b"something else")
    rows, lost = split_readable(PreparePixels(tmp_path, 0, None, None)(row_batch(index)))
    assert len(rows["ok"]) == index.num_rows - 2
    unreadable = UnreadableRows("gate", "training", index.num_rows, 0.01)
    with pytest.raises(UsageError) as raised:
        unreadable.add(lost)
    for path in (missing, changed):
        assert f"images/{path.name}" in str(raised.value) or path.name in str(raised.value)
    assert "No such file" in str(raised.value)
    assert "not the bytes that were indexed" in str(raised.value)
