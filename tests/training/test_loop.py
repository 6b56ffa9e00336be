"""The loop on a task without images: it learns, freezes, resumes exactly, stops early and survives short memory."""

import copy
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from meteo_ray.errors import UsageError
from meteo_ray.training import checkpoint
from meteo_ray.training.config import LoopSettings
from meteo_ray.training.loop import TrainingRun
from meteo_ray.training.task import Loss
from meteo_ray.training.weight_averaging import WeightAverage
from tests.training.line_task import FolderHost, LineTask, points, stream

CPU = torch.device("cpu")


def make_run(folder: Path, task: LineTask | None = None, host: FolderHost | None = None, **settings) -> TrainingRun:
    settings = {"batch_size": 8, "precision": "fp32", "patience": 0, "torch_threads": 1, **settings}
    host = host or FolderHost(folder / "checkpoints")
    return TrainingRun(task or LineTask(), points(), LoopSettings(**settings), folder, host, stream, CPU)


def test_it_learns(tmp_path):
    finished = make_run(tmp_path, LineTask(epochs=(2, 30))).fit()
    first, last = finished.history[0], finished.history[-1]
    assert last["validation/negative_error"] > 0.2 * first["validation/negative_error"]
    assert first["phase"] == "head"
    assert last["steps"] == 32 * 5


def test_a_frozen_group_keeps_weights_and_statistics(tmp_path):
    run = make_run(tmp_path, LineTask(epochs=(2, 0)))
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    run.fit()
    after = run.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if not name.startswith("head"))
    assert not torch.equal(before["head.weight"], after["head.weight"])


def test_a_resumed_run_ends_like_an_uninterrupted_one(tmp_path):
    whole = make_run(tmp_path / "whole").fit()
    with pytest.raises(KeyboardInterrupt):
        make_run(tmp_path / "cut", host=FolderHost(tmp_path / "cut/checkpoints", stop_after=2)).fit()
    resumed = make_run(tmp_path / "cut").fit()
    assert [e["steps"] for e in resumed.history] == [e["steps"] for e in whole.history]
    for ours, theirs in zip(resumed.history, whole.history, strict=True):
        assert ours["train/loss"] == pytest.approx(theirs["train/loss"], abs=1e-6)
    lines = [json.loads(line) for line in (tmp_path / "cut/metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3]


@pytest.mark.parametrize("decay", [0.5, 0.99])
def test_averaged_weights_are_those_of_the_plain_formula(decay):
    torch.manual_seed(0)
    model = torch.nn.BatchNorm1d(3)
    average, expected = WeightAverage(model, decay), model.weight.detach().double().clone()
    for step in range(30):
        with torch.no_grad():
            model.weight.copy_(torch.randn(3))
            model.running_mean.fill_(step)
        average.update(model)
        share = min(decay, (1 + step) / (10 + step)) if step else 0.0  # the first step's weights are the start
        expected = share * expected + (1 - share) * model.weight.double()
    torch.testing.assert_close(average.model.weight.double(), expected, rtol=1e-5, atol=1e-6)
    assert 0 < average.model.running_mean[0] < 29
    assert average.steps == 30


def test_integers_are_copied_and_not_averaged():
    model = torch.nn.Module()
    model.register_buffer("codes", torch.arange(256, dtype=torch.uint8))
    average = WeightAverage(model, 0.999)
    for _ in range(50):
        average.update(model)
    assert torch.equal(average.model.codes, model.codes)


def test_averaged_weights_are_judged_kept_and_resumed(tmp_path):
    whole = make_run(tmp_path / "whole", average_decay=0.9).fit()
    plain = make_run(tmp_path / "plain").fit()
    assert whole.history[-1]["train/loss"] == plain.history[-1]["train/loss"]  # training itself is the same
    assert whole.history[-1]["validation/negative_error"] != plain.history[-1]["validation/negative_error"]
    host = FolderHost(tmp_path / "cut/checkpoints", stop_after=2)
    with pytest.raises(KeyboardInterrupt):
        make_run(tmp_path / "cut", host=host, average_decay=0.9).fit()
    resumed = make_run(tmp_path / "cut", average_decay=0.9).fit()
    for name, tensor in whole.model.state_dict().items():
        torch.testing.assert_close(resumed.model.state_dict()[name], tensor)
    kept = checkpoint.load_model(tmp_path / "whole" / "best")
    torch.testing.assert_close(kept["head.weight"], whole.model["head"].weight)


class LookingTask(LineTask):
    """Looks at all training rows first; `keeps` whether a run that goes on finds what it has learnt."""

    def __init__(self, keeps: bool) -> None:
        super().__init__(epochs=(1, 1))
        self.keeps, self.looks, self.learnt = keeps, 0, None

    def before_training(self, collect):
        self.looks += 1
        self.learnt = collect("all", self.prepare("train", 0))["y"]

    def keep(self, folder):
        if self.keeps:
            np.save(folder / "learnt.npy", self.learnt)

    def recall(self, folder):
        if self.keeps:
            try:
                self.learnt = np.load(folder / "learnt.npy")
            except ValueError as error:
                raise UsageError(str(error)) from None
        return self.keeps


@pytest.mark.parametrize("keeps", [False, True])
def test_a_task_may_look_at_all_training_rows_first_and_need_not_look_again(tmp_path, keeps):
    first, second = LookingTask(keeps), LookingTask(keeps)
    make_run(tmp_path, first).fit()
    make_run(tmp_path, second).fit()
    assert (first.looks, second.looks) == (1, 0 if keeps else 1)
    for task in (first, second):
        np.testing.assert_array_equal(task.learnt, points()["y"].to_numpy()[:40])


def test_what_was_learnt_first_and_is_damaged_is_learnt_again(tmp_path, caplog):
    make_run(tmp_path, LookingTask(True)).fit()
    (tmp_path / "before_training" / "learnt.npy").write_bytes(b"cut")
    task = LookingTask(True)
    make_run(tmp_path, task).fit()
    assert task.looks == 1
    assert "learnt again" in caplog.text


class Broken(Exception):
    pass


class CountingTask(LineTask):
    """Counts optimiser steps and validations; breaks in the validation or step of that number, counted from 1."""

    def __init__(self, breaks: dict[str, int] | None = None) -> None:
        super().__init__()
        self.done, self.breaks = {"step": 0, "validation": 0}, breaks or {}

    def _count(self, what):
        self.done[what] += 1
        if self.done[what] == self.breaks.get(what):
            raise Broken

    def loss(self, model, batch, progress):
        self._count("step")
        return super().loss(model, batch, progress)

    def metrics(self, outputs):
        self._count("validation")
        return super().metrics(outputs)


@pytest.mark.parametrize("breaks", [{"validation": 2}, {"step": 13}, {"validation": 4}, {"step": 1}], ids=str)
def test_what_breaks_costs_neither_the_epoch_before_nor_its_validation(tmp_path, breaks):
    """Four epochs of five steps; `breaks` ends the first run, and the second one does only what is missing."""
    whole = make_run(tmp_path / "whole").fit()
    first, second = CountingTask(breaks), CountingTask()
    with pytest.raises(Broken):
        make_run(tmp_path / "cut", first).fit()
    resumed = make_run(tmp_path / "cut", second).fit()
    lost = {"step": (breaks.get("step", 1) - 1) % 5 + ("step" in breaks), "validation": int("validation" in breaks)}
    assert first.done["step"] + second.done["step"] == 20 + lost["step"]
    assert first.done["validation"] + second.done["validation"] == 4 + lost["validation"]
    for name in ("epoch", "steps", "train/loss", "validation/negative_error"):
        assert [e[name] for e in resumed.history] == pytest.approx([e[name] for e in whole.history], abs=1e-6), name
    assert resumed.best_epoch == whole.best_epoch


def test_a_validation_that_runs_out_of_memory_goes_on_in_smaller_pieces(tmp_path, monkeypatch):
    task, outputs = LineTask(), LineTask.outputs

    def short_of_memory(model, batch):
        if len(batch["y"]) > 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return outputs(task, model, batch)

    whole = make_run(tmp_path / "whole").fit()
    monkeypatch.setattr(task, "outputs", short_of_memory)
    run = make_run(tmp_path / "short", task)
    short = run.fit()
    assert run.guard.micro_batch == 8  # training has room enough
    np.testing.assert_allclose(short.outputs["prediction"], whole.outputs["prediction"], rtol=1e-5, atol=1e-6)
    assert [e["validation/negative_error"] for e in short.history] == pytest.approx(
        [e["validation/negative_error"] for e in whole.history], rel=1e-5
    )


def test_the_optimisers_memory_is_taken_before_the_first_batch_and_changes_nothing(tmp_path):
    task = LineTask(epochs=(0, 1))
    learner = make_run(tmp_path, task).learner
    plain = copy.deepcopy(learner.model)
    learner.begin(task.phases()[1])
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), learner.model.parameters(), strict=True))
    places = {found: state["exp_avg"].data_ptr() for found, state in learner.optimizer.state.items()}
    assert set(places) == set(learner.model.parameters())
    for group in learner.optimizer.param_groups:
        group["lr"] = 0.1
    adam = torch.optim.AdamW(plain.parameters(), lr=0.1, weight_decay=1e-4, fused=True)
    batch = task.collate(next(stream(points(), task.prepare("train", 0), 8)))
    for model, optimizer in ((plain, adam), (learner.model, learner.optimizer)):
        for _ in range(3):
            optimizer.zero_grad()
            task.loss(model, batch, None).total.backward()
            optimizer.step()
    for a, b in zip(plain.parameters(), learner.model.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    assert {found: state["exp_avg"].data_ptr() for found, state in learner.optimizer.state.items()} == places


def test_a_model_that_does_not_fit_with_its_optimiser_is_the_users_problem(tmp_path, monkeypatch):
    run = make_run(tmp_path)

    def short_of_memory():
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(run.learner.optimizer, "step", short_of_memory)
    with pytest.raises(UsageError, match="optimiser's state do not fit"):
        run.fit()


def test_only_the_parts_that_a_task_names_are_compiled(tmp_path, monkeypatch):
    task, compiled = LineTask(epochs=(1, 0)), []
    monkeypatch.setattr(task, "compiled_parts", lambda model: [model["body"]], raising=True)
    monkeypatch.setattr(torch.nn.Module, "compile", lambda module, **options: compiled.append(module))
    run = make_run(tmp_path, task, compile=True)
    assert compiled == [run.model["body"]]


def test_a_line_of_an_epoch_that_left_no_checkpoint_does_not_stay(tmp_path):
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 0}\n')
    make_run(tmp_path).fit()
    lines = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3]


def test_the_outputs_are_those_of_the_best_epoch(tmp_path):
    run = make_run(tmp_path, LineTask(epochs=(1, 6)))
    finished = run.fit()
    best = max(finished.history, key=lambda entry: entry["validation/negative_error"])
    assert finished.best_epoch == best["epoch"]
    assert run.task.metrics(finished.outputs)["negative_error"] == pytest.approx(best["validation/negative_error"])


def test_patience_stops_the_last_phase(tmp_path, monkeypatch):
    task = LineTask(epochs=(2, 20))
    monkeypatch.setattr(task, "metrics", lambda outputs: {"negative_error": -1.0})
    assert len(make_run(tmp_path, task, patience=3).fit().history) == 2 + 3


def test_smaller_micro_batches_give_the_same_gradients_when_nothing_depends_on_the_batch(tmp_path):
    """Batch statistics aside (the frozen phase does not use them), accumulation is exact."""
    whole = make_run(tmp_path / "a", LineTask(epochs=(3, 0))).fit()
    pieces = make_run(tmp_path / "b", LineTask(epochs=(3, 0)), micro_batch=3).fit()
    for name, tensor in whole.model.state_dict().items():
        torch.testing.assert_close(pieces.model.state_dict()[name], tensor, rtol=1e-5, atol=1e-6)


def test_running_out_of_memory_halves_the_micro_batch_and_loses_no_row(tmp_path, monkeypatch):
    task, largest, seen = LineTask(epochs=(1, 0)), 3, []
    collate = task.collate

    def short_of_memory(batch):
        if len(batch["row"] if "row" in batch else batch["y"]) > largest and "row" in batch:
            raise torch.OutOfMemoryError("CUDA out of memory")
        seen.extend(batch.get("row", []))
        return collate(batch)

    monkeypatch.setattr(task, "collate", short_of_memory)
    run = make_run(tmp_path, task)
    run.fit()
    assert run.guard.micro_batch == 2
    assert set(seen) == set(range(40))
    assert run.state.steps_done == 5


def test_one_row_that_does_not_fit_is_the_users_problem(tmp_path, monkeypatch):
    task = LineTask()
    monkeypatch.setattr(task, "collate", lambda batch: (_ for _ in ()).throw(torch.OutOfMemoryError()))
    with pytest.raises(UsageError, match="one row alone"):
        make_run(tmp_path, task).fit()


@pytest.mark.parametrize("step", [0, 7, 14])
def test_a_loss_that_is_no_number_ends_the_run_and_spoils_no_checkpoint(tmp_path, monkeypatch, step):
    """Of four epochs of five steps; the numbers are read some steps later."""
    task = LineTask()
    loss = task.loss

    def spoilt(model, batch, progress):
        found = loss(model, batch, progress)
        return Loss(found.total * (float("nan") if progress.step >= step else 1.0), found.parts, found.rows)

    monkeypatch.setattr(task, "loss", spoilt)
    with pytest.raises(UsageError, match=rf"no longer a number \(epoch {step // 5 + 1}, step {step}\)"):
        make_run(tmp_path, task).fit()
    kept = sorted((tmp_path / "checkpoints").glob("*"))
    assert len(kept) == step // 5
    for folder in [*kept, *tmp_path.glob("best")]:
        assert all(tensor.isfinite().all() for tensor in checkpoint.load_model(folder).values())


@pytest.mark.parametrize("follows_losses", [False, True])
@pytest.mark.parametrize("micro_batch", [None, 3])
def test_what_is_learnt_is_what_was_asked_for_bit_by_bit(tmp_path, monkeypatch, follows_losses, micro_batch):
    task, learnt, loss = LineTask(epochs=(1, 2)), [], LineTask.loss
    monkeypatch.setattr(task, "follows_losses", lambda epoch: follows_losses)
    monkeypatch.setattr(task, "loss", lambda *a: learnt.append(a[1]) or loss(task, *a))
    make_run(tmp_path, task, micro_batch=micro_batch).fit()
    rows = task.rows(points(), "train")
    expected = [
        task.collate({name: column[start : start + (micro_batch or 8)] for name, column in batch.items()})
        for epoch in range(3)
        for batch in stream(rows.take(task.order(rows, epoch, None)), task.prepare("train", epoch), 8)
        for start in range(0, 8, micro_batch or 8)
    ]
    assert len(learnt) == len(expected)
    for found, wanted in zip(learnt, expected, strict=True):
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_an_epochs_record_tells_what_it_waited_for_and_how_busy_the_machine_was(tmp_path):
    def slow(*arguments):
        for batch in stream(*arguments):
            time.sleep(0.02)
            yield batch

    run = make_run(tmp_path)
    run.stream = slow
    for entry in run.fit().history:
        assert 0.01 < entry["data_wait_s"] <= entry["train_seconds"] + 0.01
        assert 0 <= entry["cpu_utilisation"] <= 1


def test_nothing_goes_on_running_after_a_run(tmp_path, monkeypatch):
    """However it ends: all epochs, patience, a host that stops it."""
    task = LineTask(epochs=(1, 30))
    monkeypatch.setattr(task, "metrics", lambda outputs: {"negative_error": -1.0})
    make_run(tmp_path / "patience", task, patience=1).fit()
    with pytest.raises(KeyboardInterrupt):
        make_run(tmp_path / "host", host=FolderHost(tmp_path / "checkpoints", stop_after=1)).fit()
    names = {thread.name for thread in threading.enumerate()}
    assert not names & {"read-ahead", "utilisation"}


def test_row_losses_reach_the_next_order(tmp_path, monkeypatch):
    task, given = LineTask(epochs=(1, 1)), []
    order = task.order
    monkeypatch.setattr(task, "order", lambda rows, epoch, feedback: given.append(feedback) or order(rows, epoch, None))
    make_run(tmp_path, task).fit()
    assert given[0] is None
    assert np.isfinite(given[1].row_loss).all()


def test_an_optimizer_comes_back_from_its_checkpoint(tmp_path):
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    state = checkpoint.RunState(epochs_done=2, best_metric=0.5)
    checkpoint.save(tmp_path, model.state_dict(), optimizer, state, np.array([1.0, np.nan], dtype=np.float32))
    other = torch.optim.AdamW(model.parameters(), lr=0.1)
    row_loss = checkpoint.load_optimizer(tmp_path, other)
    assert checkpoint.load_state(tmp_path, tmp_path) == state
    np.testing.assert_array_equal(row_loss, [1.0, np.nan])
    for parameter in model.parameters():
        for name, value in optimizer.state[parameter].items():
            torch.testing.assert_close(other.state[parameter][name], value)


def test_an_epoch_without_a_number_is_never_the_best_over_one_with(tmp_path, monkeypatch):
    """Nothing is greater than NaN: were it the best once, it would stay so."""
    watched = iter([float("nan"), -3.0, float("inf"), -2.0, float("nan")])
    monkeypatch.setattr(LineTask, "metrics", lambda self, outputs: {self.watch: next(watched)})
    finished = make_run(tmp_path, LineTask(epochs=(1, 4))).fit()
    assert finished.best_epoch == 3
