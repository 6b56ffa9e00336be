"""A whole sweep of a cascade, with untrained models of every stage."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from optuna import load_study

from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.config import parse_config
from meteo_ray.errors import UsageError
from meteo_ray.evaluation.config import EvaluateJob
from meteo_ray.stages import CASCADE
from meteo_ray.text.table import texts_path, write_texts
from meteo_ray.tuning import cascade_sweep
from meteo_ray.tuning import study as memory
from meteo_ray.tuning.config import TuneJob
from meteo_ray.tuning.sweep import sweep
from meteo_ray.vocabulary import load_vocabulary
from tests.archive.untrained import write_models
from tests.pictures import picture_index, write_index


@pytest.mark.slow
def test_settings_are_found_on_stored_scores_and_told_on_both_splits(ray_session: None, tmp_path: Path, capsys) -> None:
    data = tmp_path / "data"
    write_index(data, picture_index(data, per_split=8))
    job = TuneJob(space="cascade", data=data, models=write_models(tmp_path / "models"), trials=40)
    sweep(job)
    folder = tmp_path / "models" / "tune" / "cascade"
    told = json.loads((folder / "checks.json").read_text())
    assert [check["split"] for check in told["real"]] == ["validation", "test"]
    printed = capsys.readouterr().out
    assert all(f"{check['split']}: quality {check['default']:.4f} before" in printed for check in told["real"])
    assert told["stored"]["chosen"] > told["stored"]["default"]  # an untrained gate lets nothing through by itself
    flags = ["--archive", "a", "--models", "m", "--out", "o", "--config", str(folder / "best.yaml")]
    assert parse_config(ArchiveConfig, flags).cascade.gate_threshold is not None
    stored = [path.stat().st_mtime_ns for path in folder.glob("scores-*.npz")]
    sweep(job.model_copy(update={"trials": 60, "resume": True}))
    assert [path.stat().st_mtime_ns for path in folder.glob("scores-*.npz")] == stored  # judged once
    assert len(_scores_in(folder)) == 60


def _scores_in(folder: Path) -> list[float]:
    study = load_study(study_name="cascade", storage=memory.storage_of(folder))
    return [trial.values[0] for trial in memory.tried(study)]


def test_a_cascade_without_models_is_refused_before_ray_starts(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write_index(data, picture_index(data, per_split=4))
    with pytest.raises(UsageError, match="no gate and no elements and no products model"):
        sweep(TuneJob(space="cascade", data=data, models=tmp_path / "models"))
    assert not (tmp_path / "models").exists()


def test_texts_that_were_read_again_are_not_judged_with_what_was_stored(tmp_path: Path, monkeypatch) -> None:
    index = picture_index(tmp_path, per_split=2)
    write_index(tmp_path, index)
    said = SimpleNamespace(
        context=SimpleNamespace(index=index, vocabulary=load_vocabulary()),
        predictors=dict.fromkeys(CASCADE, SimpleNamespace(version="1")),
    )
    monkeypatch.setattr(cascade_sweep, "Evaluation", lambda job: said)
    base = EvaluateJob(data=tmp_path, models=tmp_path, out=tmp_path / "o.json")
    deaf = base.model_copy(update={"text": False})
    made_of = []
    for title in ("wind", "rain"):
        rows = [{"sha256": row["sha256"], "title": title, "text": title} for row in index.to_pylist()]
        write_texts(texts_path(tmp_path), rows)
        made_of.append((cascade_sweep._made_of(base), cascade_sweep._made_of(deaf)))
    (wind, deaf_then), (rain, deaf_now) = made_of
    assert [part for part in wind if wind[part] != rain[part]] == ["set of texts"]
    assert deaf_then == deaf_now
