"""The study is a sweep's only memory: what a kill leaves in it is enough to go on."""

from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution
from optuna.trial import TrialState
from pydantic import ValidationError

from meteo_ray import files
from meteo_ray.errors import UsageError
from meteo_ray.tuning import search as search_module
from meteo_ray.tuning import study as memory
from meteo_ray.tuning import training_sweep
from meteo_ray.tuning.config import TuneJob
from meteo_ray.tuning.folder import SweepFolder
from meteo_ray.tuning.resources import trial_resources
from meteo_ray.tuning.results import table_of
from meteo_ray.tuning.search import StudySearch, pruner_of
from meteo_ray.tuning.trial_host import ENDED, ERROR, FAULT, PLACE, VALUES

SPACE = {"rate": FloatDistribution(0.0, 1.0)}
OBJECTIVES = (memory.Objective("map", "map on validation"),)
MADE_OF = {"index": "one", "settings": "these"}


def begun(folder: Path, *points: float) -> optuna.Study:
    return memory.begin(folder, "elements", OBJECTIVES, MADE_OF, SPACE, [{"rate": point} for point in points])


def gone_on(folder: Path, **changed: str) -> optuna.Study:
    return memory.go_on(folder, "elements", OBJECTIVES, {**MADE_OF, **changed}, SPACE)


def epoch(number: int, value: float, acts_from: int = 1) -> dict[str, object]:
    return {VALUES: [value], "epochs": number, "acts_from": acts_from}


def states(study: optuna.Study) -> list[TrialState]:
    return [trial.state for trial in study.trials]


@pytest.fixture(autouse=True)
def _one_to_compare_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_module, "COMPARED_WITH", 1)


def test_a_trial_ended_early_is_told_as_pruned_and_not_as_complete(tmp_path: Path) -> None:
    study = begun(tmp_path, 0.1, 0.2)
    study.pruner = pruner_of(2, 10, several=False)
    search = StudySearch(study, SPACE, tmp_path)
    for name in ("good", "weak"):
        search.suggest(name)
    assert not search.weak("good", epoch(2, 0.9))
    search.on_trial_complete("good", {**epoch(10, 0.95), ENDED: True})
    assert not search.weak("weak", epoch(1, 0.1))
    assert search.weak("weak", epoch(2, 0.1))
    search.on_trial_complete("weak", epoch(2, 0.1))
    assert states(study) == [TrialState.COMPLETE, TrialState.PRUNED]
    assert study.best_value == 0.95
    assert len(memory.tried(study)) == 2


def test_no_trial_is_ended_before_its_own_settings_act(tmp_path: Path) -> None:
    study = begun(tmp_path, 0.1, 0.2)
    study.pruner = pruner_of(1, 10, several=False)
    search = StudySearch(study, SPACE, tmp_path)
    search.suggest("good")
    search.weak("good", epoch(1, 0.9))
    search.on_trial_complete("good", {**epoch(10, 0.95), ENDED: True})
    search.suggest("late")
    assert [search.weak("late", epoch(number, 0.1, acts_from=4)) for number in range(1, 5)] == [False] * 3 + [True]


def test_a_killed_sweep_keeps_what_ended_and_goes_on_with_what_did_not(tmp_path: Path) -> None:
    search = StudySearch(begun(tmp_path, 0.1, 0.2, 0.3), SPACE, tmp_path)
    for name in ("ended", "running"):
        search.suggest(name)
    search.on_trial_complete("ended", {**epoch(3, 0.5), ENDED: True})
    again = gone_on(tmp_path)  # another process reads the journal
    assert [trial.value for trial in memory.tried(again)] == [0.5]
    config = StudySearch(again, SPACE, tmp_path).suggest("next")
    assert config["rate"] == 0.3 or config["rate"] == 0.2
    rest = StudySearch(again, SPACE, tmp_path).suggest("after")
    places = {Path(found[PLACE]).name: found["rate"] for found in (config, rest)}
    assert places == {"0001": 0.2, "0002": 0.3}


def test_a_trial_waits_again_once_however_often_the_sweep_is_interrupted(tmp_path: Path) -> None:
    StudySearch(begun(tmp_path, 0.1), SPACE, tmp_path).suggest("running")
    for _ in range(3):
        study = gone_on(tmp_path)
    waiting = [trial for trial in study.trials if trial.state == TrialState.WAITING]
    assert [memory.folder_of(trial) for trial in waiting] == ["0000"]


def test_a_trial_that_goes_on_stands_in_the_table_once(tmp_path: Path) -> None:
    StudySearch(begun(tmp_path, 0.1, 0.2), SPACE, tmp_path).suggest("cut off")
    again = gone_on(tmp_path)
    assert table_of(again)["end"].tolist() == ["cut off"]  # it waits: what is known is the first try
    search = StudySearch(again, SPACE, tmp_path)
    for name in ("one", "two"):
        search.suggest(name)
        search.on_trial_complete(name, {**epoch(3, 0.5), ENDED: True})
    table = table_of(again)
    assert sorted(table["rate"]) == [0.1, 0.2]
    assert table["end"].tolist() == ["done", "done"]


def test_a_failure_with_a_reason_is_not_repeated_and_a_death_is_once(tmp_path: Path) -> None:
    search = StudySearch(begun(tmp_path, 0.1, 0.2), SPACE, tmp_path)
    (tmp_path / "0000").mkdir()
    (tmp_path / "0000" / ERROR).write_text("Traceback\nValueError: no such head\n")
    for name in ("wrong", "dead"):
        search.suggest(name)
        search.on_trial_complete(name, error=True)
    study = gone_on(tmp_path)
    assert study.trials[0].user_attrs[memory.WHY] == "ValueError: no such head"
    assert [memory.folder_of(trial) for trial in study.trials if trial.state == TrialState.WAITING] == ["0001"]
    search = StudySearch(study, SPACE, tmp_path)
    search.suggest("dead again")
    search.on_trial_complete("dead again", error=True)
    assert not [trial for trial in gone_on(tmp_path).trials if trial.state == TrialState.WAITING]
    assert len(memory.tried(study)) == 2
    told = training_sweep._nothing_to_choose(TuneJob(space="elements"), study, SweepFolder(tmp_path))
    assert "no trial ended with a score" in told  # and not that --resume would go on with one


def test_a_trial_that_the_machine_ended_goes_on_and_says_why(tmp_path: Path) -> None:
    search = StudySearch(begun(tmp_path, 0.1, 0.2), SPACE, tmp_path)
    for name, left in (("lost mount", FAULT), ("wrong", ERROR)):
        place = Path(search.suggest(name)[PLACE])
        place.mkdir()
        (place / left).write_text("Traceback\n  File x\nerror: 3 of 3 rows cannot be read:\n  a.png: missing\n")
        search.on_trial_complete(name, error=True)
    study = gone_on(tmp_path)
    assert [trial.user_attrs[memory.WHY] for trial in study.trials[:2]] == ["error: 3 of 3 rows cannot be read:"] * 2
    assert [memory.folder_of(trial) for trial in study.trials if trial.state == TrialState.WAITING] == ["0000"]


def test_a_trial_without_a_score_that_is_a_number_failed_and_says_so(tmp_path: Path) -> None:
    search = StudySearch(begun(tmp_path, 0.1), SPACE, tmp_path)
    search.suggest("one")
    search.weak("one", epoch(1, float("nan")))
    search.on_trial_complete("one", {**epoch(3, float("nan")), ENDED: True})
    table = table_of(gone_on(tmp_path))
    assert (table["end"].item(), table["why"].item()) == ("failed", "its best epoch's score is no number")


def test_a_trial_that_was_cut_off_is_worth_what_its_best_epoch_was(tmp_path: Path) -> None:
    """The best by the watched metric: the objective may be another, and may have been higher before."""
    search = StudySearch(begun(tmp_path, 0.1, 0.2, 0.3), SPACE, tmp_path)
    for name, scores in (("fell", (0.9, 0.3)), ("rose", (0.2, 0.4)), ("began", ())):
        search.suggest(name)
        for number, score in enumerate(scores, start=1):
            search.weak(name, epoch(number, score))
    search.close()
    assert [memory.score_of(trial) for trial in search.study.trials] == [0.3, 0.4, None]
    best = training_sweep._best(search.study)
    assert best is not None
    assert best.number == 1


def test_what_cannot_be_removed_whole_stays_out_of_the_next_sweep(tmp_path: Path, monkeypatch) -> None:
    folder, job = SweepFolder(tmp_path / "gate"), TuneJob(space="gate", overwrite=True)
    with folder.taken(job):
        (folder.trials / "0000").mkdir()
    monkeypatch.setattr(files.shutil, "rmtree", lambda *given, **named: None)  # a file that is held, or a kill
    with folder.taken(job):
        assert not (folder.trials / "0000").exists()
    monkeypatch.undo()
    with folder.taken(job):
        assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["gate"]


def test_weights_are_kept_of_the_trial_that_is_saved(tmp_path: Path) -> None:
    both = (*OBJECTIVES, memory.Objective("speed", "speed"))
    study = memory.begin(tmp_path, "elements", both, MADE_OF, SPACE, [{"rate": 0.1}, {"rate": 0.2}])
    search = StudySearch(study, SPACE, tmp_path)
    for name, speed in (("slow", 10.0), ("as good and faster", 20.0)):
        (Path(search.suggest(name)[PLACE]) / "best").mkdir(parents=True)
        search.on_trial_complete(name, {VALUES: [0.9, speed], "epochs": 3, ENDED: True})
    saved = memory.complete(study)[0]
    assert saved.values == [0.9, 20.0]
    assert (tmp_path / memory.folder_of(saved) / "best").is_dir()


@pytest.mark.parametrize("at", ["create_study", "enqueue_trial", "set_user_attr"])
def test_a_sweep_that_was_killed_while_it_began_says_what_to_do(tmp_path: Path, monkeypatch, at: str) -> None:
    def killed(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        memory.storage_of(tmp_path)  # the file is there before anything else
        patch.setattr(optuna if at == "create_study" else optuna.Study, at, killed)
        with pytest.raises(KeyboardInterrupt):
            begun(tmp_path, 0.1)
    with pytest.raises(UsageError, match="--overwrite begins it anew"):
        gone_on(tmp_path)


def test_half_a_line_at_the_journals_end_costs_no_more_than_that_line(tmp_path: Path) -> None:
    search = StudySearch(begun(tmp_path, 0.1, 0.2), SPACE, tmp_path)
    search.suggest("ended")
    search.on_trial_complete("ended", {**epoch(3, 0.5), ENDED: True})
    search.suggest("running")
    journal = tmp_path / memory.JOURNAL
    journal.write_bytes(journal.read_bytes()[:-9])
    StudySearch(gone_on(tmp_path), SPACE, tmp_path).suggest("next")
    assert [trial.value for trial in memory.tried(gone_on(tmp_path))] == [0.5]


def test_other_settings_and_another_index_are_refused_by_name(tmp_path: Path) -> None:
    begun(tmp_path, 0.1)
    with pytest.raises(UsageError, match="begun with another index"):
        gone_on(tmp_path, index="two")
    with pytest.raises(UsageError, match="begun with another settings"):
        gone_on(tmp_path, settings="those")


@pytest.mark.parametrize("concurrent", [1, 2, 3])
@pytest.mark.parametrize("cluster", [{"CPU": 2.0}, {"CPU": 4.0, "GPU": 1.0}, {"CPU": 16.0, "GPU": 2.0}], ids=str)
def test_trials_side_by_side_leave_a_cpu_to_their_data(cluster: dict[str, float], concurrent: int) -> None:
    share = trial_resources(cluster, concurrent)
    assert cluster["CPU"] - concurrent * share["cpu"] >= 1
    if "GPU" in cluster:
        fitting = cluster["GPU"] * (1 // share["gpu"])
        assert fitting >= concurrent


def test_trials_take_a_gpu_where_the_base_lets_them() -> None:
    assert "gpu" in trial_resources({"CPU": 4.0, "GPU": 1.0}, 1)
    assert "gpu" not in trial_resources({"CPU": 4.0, "GPU": 1.0}, 1, use_gpu=False)
    with pytest.raises(UsageError, match="the cluster has none"):
        trial_resources({"CPU": 4.0}, 1, use_gpu=True)


def test_what_a_cascade_does_not_follow_is_refused() -> None:
    for given in ({"concurrent": 2}, {"grace_epochs": 3}):
        with pytest.raises(ValidationError, match="are for trainings"):
            TuneJob(space="cascade", **given)


def test_too_many_trials_for_the_cluster_are_refused() -> None:
    with pytest.raises(UsageError, match="--concurrent 40: too many for 2 CPUs"):
        trial_resources({"CPU": 2.0}, 40)
