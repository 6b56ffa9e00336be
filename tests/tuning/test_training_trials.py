"""When a trial may be ended, what it keeps in its folder, and a whole sweep of the smallest task on Ray."""

import json
import math
import os
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from ray import tune
from ray.tune.search.optuna import OptunaSearch

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.gate.config import TrainGateJob
from meteo_ray.stage import Stage
from meteo_ray.stages import stage_named
from meteo_ray.training.checkpoint import RUN, RunState, save_validated
from meteo_ray.training.config import LoopSettings, TrainingJob
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.training.learning_rate import total_epochs
from meteo_ray.training.unreadable import TooManyUnreadable
from meteo_ray.tuning import study as memory
from meteo_ray.tuning import training_sweep, training_trials
from meteo_ray.tuning.config import TuneJob
from meteo_ray.tuning.folder import SweepFolder
from meteo_ray.tuning.search import StudySearch
from meteo_ray.tuning.space import Space
from meteo_ray.tuning.study import Objective
from meteo_ray.tuning.sweep import sweep
from meteo_ray.tuning.training_trials import TrainingTrials
from meteo_ray.tuning.trial_host import CHECKPOINT, ERROR, FAULT, PLACE, VALUES, TrialHost
from meteo_ray.vocabulary import load_vocabulary
from tests.training import line_task
from tests.training.line_task import LineTask, points

# Points that are tried first.
FIRST, SECOND = 1e-4, 1e-2

LOOP = LoopSettings(batch_size=8, precision="fp32", data_workers=1, torch_threads=1)


def inputs_in(folder: Path) -> TaskInputs:
    return TaskInputs(folder, folder / "models", folder / "cache", points(), load_vocabulary())


class FailingTask(LineTask):
    """Cannot be trained with the weight decay of the second point."""

    def __init__(self, weight_decay: float) -> None:
        super().__init__(epochs=(1, 3))
        self.weight_decay = weight_decay

    def build(self) -> Any:
        if self.weight_decay == SECOND:
            raise ValueError("nothing to be learnt with that")
        return super().build()


def line_stage() -> Stage:
    """The plane through points as a stage; what is varied is the loop's weight decay."""
    return Stage(
        name="line",
        job=TrainingJob,
        make_task=lambda job, inputs: FailingTask(job.training.weight_decay),
        training_headline=("negative_error",),
    )


def trials_of(stage: Stage, job: TrainingJob, folder: Path) -> TrainingTrials:
    return TrainingTrials(stage, job, inputs_in(folder), (Objective("m", "m"),))


def test_two_epochs_more_than_frozen_and_warm_up_are_the_least(tmp_path: Path) -> None:
    job = stage_named("elements").job(elements={"init": "none", "warmup_epochs": 3.5})
    assert trials_of(stage_named("elements"), job, tmp_path).acts_from()[0] == 4 + 2
    assert trials_of(line_stage(), TrainingJob(), tmp_path).acts_from()[0] == 1 + 2


def test_hard_examples_are_waited_for_where_they_are_varied(tmp_path: Path) -> None:
    trials = trials_of(stage_named("gate"), TrainGateJob(gate={"init": "none", "hard_from_epoch": 4}), tmp_path)
    assert trials.acts_from()[0] == 2
    least, reason = trials.with_space(Space({"gate.hard_weight": None}, [])).acts_from()  # type: ignore[dict-item]
    assert least == 4 + 2
    assert "gate.hard_weight" in reason


def test_early_stopping_ends_no_trial_before_its_settings_act(tmp_path: Path) -> None:
    job = stage_named("elements").job(elements={"init": "none", "warmup_epochs": 5.0})
    trials = trials_of(stage_named("elements"), job, tmp_path)
    grace, _ = trials.acts_from()
    assert trials.with_patience(grace).base.training.patience == 7
    never = job.with_values(**{"training.patience": 0})
    assert trials_of(stage_named("elements"), never, tmp_path).with_patience(grace).base.training.patience == 0


def test_a_trial_that_goes_on_tells_its_earlier_epochs_again(tmp_path: Path) -> None:
    told: list[dict[str, Any]] = []
    host = TrialHost(tmp_path, "map", ["f1"], 2, told.append)
    history = [{"epoch": number, "validation/map": score, "validation/f1": score / 2, "map": score}
               for number, score in enumerate((0.2, 0.6, 0.4))]  # fmt: skip
    for number, entry in enumerate(history, start=1):
        unvalidated = RunState(epochs_done=number, history=history[: number - 1], unvalidated=entry)
        host.report(entry, partial(_write_run, state=unvalidated))
        save_validated(tmp_path, replace(unvalidated, history=history[:number], unvalidated=None))
        host.validated(entry)
    again: list[dict[str, Any]] = []
    resumed = TrialHost(tmp_path, "map", ["f1"], 2, again.append)
    assert again == told
    assert [entry[VALUES] for entry in again] == [[0.1], [0.3], [0.3]]  # f1 of the best epoch by map so far
    assert resumed.latest_checkpoint() == tmp_path / CHECKPOINT


def _write_run(folder: Path, state: RunState) -> None:
    (folder / RUN).write_text(json.dumps(asdict(state)), "utf-8")


def without_ray(task: Any, workers: int | None = None, **_: Any) -> Any:
    return line_task.stream


def run_upto(epochs: int, trials: TrainingTrials, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial that is killed after so many epochs."""

    def report(told: dict[str, Any]) -> None:
        if told["epochs"] == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(training_trials.tune, "report", report)
    with pytest.raises(KeyboardInterrupt):
        trials.run({"training.weight_decay": FIRST, PLACE: str(folder)})


def test_of_a_trial_that_time_cut_off_the_weights_so_far_are_saved(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setattr(training_trials, "row_source", without_ray)
    trials = replace(
        trials_of(line_stage(), TrainingJob(training=LOOP), tmp_path),
        objectives=(Objective("negative_error", "error"),),
    )
    folder, target = tmp_path / "trials" / "0000", tmp_path / "models" / "line"
    run_upto(2, trials, folder, monkeypatch)
    told = json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["validation/negative_error"]
    metrics = trials.save({"training.weight_decay": FIRST}, folder, target, "tune-line-0000")
    assert metrics["epochs"] == 2  # of four: no more was trained
    assert metrics["negative_error"] == pytest.approx(told)
    assert bundle.check(target, "line")
    run_upto(4, trials, folder, monkeypatch)  # and it still goes on from where it was
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 4
    assert os.environ["TUNE_FUNCTION_THREAD_TIMEOUT_S"] == "60"


def trial_told(trials: TrainingTrials, weight_decay: float, folder: Path, monkeypatch) -> list[dict[str, Any]]:
    """What a trial that runs to its end tells."""
    told: list[dict[str, Any]] = []
    monkeypatch.setattr(training_trials, "row_source", without_ray)
    monkeypatch.setattr(training_trials.tune, "report", told.append)
    trials = replace(trials, objectives=(Objective("negative_error", "error"),))
    trials.run({"training.weight_decay": weight_decay, PLACE: str(folder)})
    return told


def test_a_trial_never_goes_on_from_epochs_of_other_settings(monkeypatch, tmp_path: Path) -> None:
    """A journal that lost its last lines gives a trial's number, and its folder, to other settings."""
    trials, folder = trials_of(line_stage(), TrainingJob(training=LOOP), tmp_path), tmp_path / "trials" / "0000"
    monkeypatch.setattr(training_trials, "row_source", without_ray)
    objective = (Objective("negative_error", "error"),)
    run_upto(2, replace(trials, objectives=objective), folder, monkeypatch)
    mixed = trial_told(trials, 0.05, folder, monkeypatch)
    alone = trial_told(trials, 0.05, tmp_path / "trials" / "0001", monkeypatch)
    assert [told[VALUES] for told in mixed] == [told[VALUES] for told in alone]


class OnceNoNumber(LineTask):
    """Its second epoch's watched metric is no number."""

    epoch = 0

    def metrics(self, outputs: Any) -> dict[str, float]:
        self.epoch += 1
        return {self.watch: float("nan")} if self.epoch == 2 else super().metrics(outputs)


def test_an_epoch_without_a_number_ends_no_trial(monkeypatch, tmp_path: Path) -> None:
    stage = replace(line_stage(), make_task=lambda job, inputs: OnceNoNumber(epochs=(1, 3)))
    trials = trials_of(stage, TrainingJob(training=LOOP), tmp_path)
    told = trial_told(trials, FIRST, tmp_path / "trials" / "0000", monkeypatch)
    assert [entry["epochs"] for entry in told] == [1, 2, 3, 4, 4]
    assert told[1][VALUES] == told[0][VALUES]
    assert all(math.isfinite(entry[VALUES][0]) for entry in told)


class LostMount(LineTask):
    def build(self) -> Any:
        raise self.failure


@pytest.mark.parametrize(
    ("failure", "left"),
    [(OSError("no space left"), FAULT), (TooManyUnreadable("line: 9 of 9"), FAULT), (ValueError("no head"), ERROR)],
    ids=["disk", "rows", "setting"],
)
def test_what_the_machine_does_is_no_settings_fault(monkeypatch, tmp_path: Path, failure: Exception, left: str) -> None:
    task = LostMount()
    task.failure = failure
    trials = trials_of(replace(line_stage(), make_task=lambda job, inputs: task), TrainingJob(training=LOOP), tmp_path)
    with pytest.raises(type(failure)):
        trial_told(trials, FIRST, tmp_path / "0000", monkeypatch)
    assert {name for name in (ERROR, FAULT) if (tmp_path / "0000" / name).is_file()} == {left}


def test_trials_side_by_side_take_their_part_of_the_machine(tmp_path: Path) -> None:
    job = TrainingJob(training=LOOP.model_copy(update={"data_workers": 6, "torch_threads": None}))
    trials = replace(trials_of(line_stage(), job, tmp_path), beside=3)
    assert trials._job({"training.weight_decay": FIRST}).training.data_workers == 2


def test_a_patience_that_is_varied_is_the_trials_own(tmp_path: Path) -> None:
    trials = trials_of(line_stage(), TrainingJob(training=LOOP), tmp_path)
    assert trials.best_values({"training.patience": 7}) == {"training.patience": 7}
    assert trials.best_values({"a": 1}) == {"training.patience": LOOP.patience, "a": 1}


@pytest.fixture
def line_sweep(monkeypatch, tmp_path: Path) -> TuneJob:
    """A job whose space and stage are the line's."""
    space = {"training.weight_decay": tune.loguniform(1e-6, 1e-1)}
    monkeypatch.setattr(training_trials, "stage_named", lambda name: line_stage())
    monkeypatch.setattr(training_trials, "stage_inputs", lambda stage, job: inputs_in(tmp_path))
    points_first = [{"training.weight_decay": FIRST}, {"training.weight_decay": SECOND}]
    found = Space(OptunaSearch.convert_search_space(space), points_first)
    monkeypatch.setattr(training_sweep, "load_space", lambda name, base: found)
    (tmp_path / "base.yaml").write_text(yaml.safe_dump({"training": json.loads(LOOP.model_dump_json())}))
    return TuneJob(space="gate", base=tmp_path / "base.yaml", trials=3)


def test_fewer_epochs_than_the_settings_need_are_refused_with_the_reason(line_sweep: TuneJob, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--grace-epochs 2: .* 3 is the least here: 1 epochs with a part frozen"):
        sweep(line_sweep.model_copy(update={"grace_epochs": 2}))
    assert not (tmp_path / "models").exists()


def test_a_sweep_does_not_go_on_with_another_grace(line_sweep: TuneJob, tmp_path: Path, monkeypatch) -> None:
    def connect() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(training_sweep.cluster, "connect", connect)
    with pytest.raises(KeyboardInterrupt):
        sweep(line_sweep)
    with pytest.raises(UsageError, match="begun with another --grace-epochs"):
        sweep(line_sweep.model_copy(update={"grace_epochs": 4, "resume": True}))
    with pytest.raises(KeyboardInterrupt):
        sweep(line_sweep.model_copy(update={"concurrent": 2, "resume": True}))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_that_trials_do_not_have_are_told(
    line_sweep: TuneJob, workers: int, caplog: pytest.LogCaptureFixture
) -> None:
    assert line_sweep.base is not None
    line_sweep.base.write_text(yaml.safe_dump({"training": {"workers": workers, "batch_size": 8}}))
    trials = TrainingTrials.of(line_sweep)
    told = f"training.workers is {workers}, and a trial trains with one: --concurrent {workers} "
    assert (told in caplog.text) == (workers > 1)
    assert trials.base.training.workers == workers  # for best.yaml


def test_a_sweep_that_cannot_run_forgets_none(line_sweep: TuneJob, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(training_sweep.cluster, "connect", lambda: None)
    monkeypatch.setattr(training_sweep.ray, "cluster_resources", lambda: {"CPU": 2.0})
    with SweepFolder(tmp_path / "models" / "tune" / "gate").taken(line_sweep):
        journal = tmp_path / "models" / "tune" / "gate" / memory.JOURNAL
        journal.write_text("a night's work")
    with pytest.raises(UsageError, match="--concurrent 40: too many"):
        sweep(line_sweep.model_copy(update={"concurrent": 40, "overwrite": True}))
    assert journal.read_text() == "a night's work"


@pytest.mark.parametrize("objectives", [("negative_error",), ("negative_error", "images_per_second")])
def test_a_sweep_of_which_no_trial_ended_says_so(
    line_sweep: TuneJob, tmp_path: Path, monkeypatch, objectives: tuple[str, ...]
) -> None:
    """Time is up in the first epoch of the only trial that was begun."""

    def search(job: Any, trials: Any, space: Space, folder: Any, study: Any, started: float) -> dict[str, Any]:
        asking = StudySearch(study, space.distributions, folder.trials)
        asking.suggest("begun")
        asking.close()
        return {}

    monkeypatch.setattr(training_sweep.cluster, "connect", lambda: None)
    monkeypatch.setattr(TrainingTrials, "require_on_every_node", lambda trials, sign: None)
    monkeypatch.setattr(training_sweep, "_search", search)
    with pytest.raises(UsageError, match=r"no trial ended: 1 were cut off.*--resume goes on") as raised:
        sweep(line_sweep.model_copy(update={"objectives": objectives}))
    assert ("of several objectives only trials that ended" in str(raised.value)) == (len(objectives) > 1)
    table = (tmp_path / "models" / "tune" / "gate" / "trials.csv").read_text()
    assert "time was up" in table


@pytest.mark.slow
def test_a_sweep_saves_its_best_model_and_goes_on_with_more_trials(
    ray_session: None, line_sweep: TuneJob, tmp_path: Path
) -> None:
    sweep(line_sweep.model_copy(update={"concurrent": 2}))
    folder = tmp_path / "models" / "tune" / "gate"
    study = memory.go_on(folder, "gate", *_begun_with(folder))
    assert len(memory.tried(study)) == 3
    failed = study.trials[1]
    assert failed.user_attrs[memory.WHY] == "ValueError: nothing to be learnt with that"
    assert "nothing to be learnt with that" in (folder / "report.html").read_text()
    best, default = memory.complete(study)[0], memory.default_trial(study)
    assert default is not None
    assert best.values[0] >= default.values[0]
    assert bundle.check(folder / "models" / "line", "line")
    metrics = json.loads((folder / "models" / "line" / bundle.METRICS).read_text())
    assert metrics["negative_error"] == pytest.approx(best.values[0])
    assert metrics["epochs"] == total_epochs(LineTask(epochs=(1, 3)).phases())
    assert yaml.safe_load((folder / "best.yaml").read_text())["training"]["weight_decay"] == best.params.popitem()[1]
    assert "What to try next" in (folder / "report.html").read_text()
    with pytest.raises(UsageError, match="--resume goes on"):
        sweep(line_sweep)
    sweep(line_sweep.model_copy(update={"trials": 4, "resume": True}))
    tried = memory.tried(memory.go_on(folder, "gate", *_begun_with(folder)))
    assert len(tried) == 4
    assert [trial.params["training.weight_decay"] for trial in tried].count(SECOND) == 1


@pytest.mark.slow
def test_quality_and_speed_are_improved_together_and_time_ends_a_sweep(
    ray_session: None, line_sweep: TuneJob, tmp_path: Path
) -> None:
    job = line_sweep.model_copy(update={"objectives": ("negative_error", "images_per_second")})
    sweep(job)
    folder = tmp_path / "models" / "tune" / "gate"
    study = memory.go_on(folder, "gate", *_begun_with(folder))
    assert [len(trial.values) for trial in memory.complete(study)] == [2, 2]
    assert all(trial.values[1] > 0 for trial in study.best_trials)
    assert "Where the objectives conflict" in (folder / "report.html").read_text()
    sweep(job.model_copy(update={"trials": 30, "hours": 1e-6, "resume": True}))  # no time for more; the model is there
    assert len(memory.tried(memory.go_on(folder, "gate", *_begun_with(folder)))) == 3


def test_an_objective_that_the_stage_lacks_is_named(line_sweep: TuneJob) -> None:
    with pytest.raises(UsageError, match="map: line can improve negative_error, images_per_second"):
        sweep(line_sweep.model_copy(update={"objectives": ("map",)}))


def _begun_with(folder: Path) -> tuple[Any, Any, Any]:
    """What the sweep in the folder was begun with, read back from it."""
    from optuna import load_study
    from optuna.distributions import json_to_distribution

    study = load_study(study_name="gate", storage=memory.storage_of(folder))
    made_of = dict(study.user_attrs[memory.MADE_OF])
    space = {name: json_to_distribution(text) for name, text in made_of.pop("space").items()}
    words = study.user_attrs[memory.WATCHED]
    return [memory.Objective(*pair) for pair in zip(study.metric_names, words, strict=True)], made_of, space
