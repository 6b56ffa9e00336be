"""Two processes on one batch learn what one process learns, also when one of them is killed; over gloo."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from meteo_ray.errors import UsageError
from meteo_ray.training.distributed import Workers, added, require_even_shares
from meteo_ray.training.launch import share_of_machine
from meteo_ray.training.loop import TrainingRun
from tests.conftest import ROOT
from tests.training.line_task import FolderHost, points, stream
from tests.training.one_of_two_workers import ROWS, VALIDATION_ROWS, WORKERS, PlainLine, settings

EPOCHS, STEPS = 4, 6

# Nothing here takes longer than seconds; a worker that waits for a dead one must not hold up the tests.
DEADLINE_S = 300


def in_two_processes(folder: Path, dies_at_step: int = -1) -> list[int]:
    """Exit statuses by rank; where one dies, the other is ended."""
    folder.mkdir(exist_ok=True)
    store = f"store{len(list(folder.glob('store*')))}"
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.one_of_two_workers", folder, str(rank), str(dies_at_step), store],
            cwd=ROOT,
        )
        for rank in range(WORKERS)
    ]
    try:
        statuses = [started[1].wait(DEADLINE_S)]
        if statuses[0] != 0:
            started[0].kill()
        return [started[0].wait(DEADLINE_S), *statuses]
    finally:
        for process in started:
            process.kill()


def history(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingRun, Any]:
    folder = tmp_path_factory.mktemp("alone")
    index = points(0, ROWS, VALIDATION_ROWS)
    run = TrainingRun(
        PlainLine(), index, settings(), folder, FolderHost(folder / "checkpoints"), stream, torch.device("cpu")
    )
    return run, run.fit()


def assert_ended_alike(folder: Path, alone: tuple[TrainingRun, Any]) -> None:
    run, finished = alone
    shared = history(folder)
    assert [entry["steps"] for entry in shared] == [STEPS * epoch for epoch in range(1, EPOCHS + 1)]
    for name in ("train/loss", "train/squared", "train/gradient_norm", "validation/negative_error"):
        expected = [entry[name] for entry in finished.history]
        assert [entry[name] for entry in shared] == pytest.approx(expected, abs=1e-4), name
    end = torch.load(folder / "end.pt", weights_only=False)
    np.testing.assert_allclose(end["outputs"]["prediction"], finished.outputs["prediction"], atol=1e-4)
    np.testing.assert_array_equal(end["outputs"]["target"], finished.outputs["target"])  # in the rows' order
    np.testing.assert_allclose(end["row_loss"], run.row_loss, atol=1e-4)  # of every row, whoever learnt it


def test_two_processes_learn_what_one_learns(tmp_path: Path, alone: tuple[TrainingRun, Any]) -> None:
    assert in_two_processes(tmp_path / "shared") == [0, 0]
    assert_ended_alike(tmp_path / "shared", alone)


@pytest.mark.slow
@pytest.mark.parametrize("step", [2 * STEPS + 3, 0])
def test_killed_and_started_again_two_processes_end_alike(
    tmp_path: Path, alone: tuple[TrainingRun, Any], step: int
) -> None:
    folder = tmp_path / "killed"
    assert in_two_processes(folder, dies_at_step=step)[1] == -signal.SIGKILL
    assert len(history(folder)) == step // STEPS
    assert in_two_processes(folder) == [0, 0]
    assert_ended_alike(folder, alone)


@pytest.mark.parametrize(("draws", "batch", "count"), [(41, 8, 2), (7, 8, 4), (0, 8, 2), (64, 6, 3)])
def test_every_batch_is_shared_by_all(draws: int, batch: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.distributed.new_group", lambda **options: None)
    workers = [Workers(rank, count) for rank in range(count)]
    order, own = np.random.default_rng(0).permutation(draws), batch // count
    shares = [worker.share_of(order, batch) for worker in workers]
    assert sorted(np.concatenate(shares)) == sorted(order)
    for number in range(-(-draws // batch)):
        parts = [share[number * own : (number + 1) * own] for share in shares]
        np.testing.assert_array_equal(np.concatenate(parts), order[number * batch : (number + 1) * batch])
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
    table = points(0, 10, 3)
    assert [row for worker in workers for row in worker.part_of(table)["y"].to_pylist()] == table["y"].to_pylist()
    assert list(workers[0].in_step(["a", "b"], 4, "")) == ["a", "b", "", ""]


def test_sums_of_several_workers_hold_what_only_one_has_seen() -> None:
    assert added([{"loss": 1.0, "kind": 2.0}, {"loss": 3.0}]) == {"loss": 4.0, "kind": 2.0}


def test_a_batch_that_cannot_be_shared_evenly_is_refused_with_those_that_can() -> None:
    with pytest.raises(UsageError, match="32 cannot be shared by 3 workers; 30 or 33 can"):
        require_even_shares(32, 3)
    with pytest.raises(UsageError, match="4 cannot be shared by 8 workers; 8 can"):
        require_even_shares(4, 8)


def test_workers_of_one_machine_share_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meteo_ray.cores.cores", lambda: 16)
    assert share_of_machine(settings(torch_threads=None), 1).data_workers is None
    shared = share_of_machine(settings(torch_threads=None), 2)
    assert (shared.data_workers, shared.torch_threads) == (5, 8)  # of 11 and 16
    assert share_of_machine(settings(data_workers=6, torch_threads=4), 2).data_workers == 3
