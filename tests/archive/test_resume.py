"""Going on with an archive run: only with the same one, and only with what has no committed row."""

from pathlib import Path

import pytest

from meteo_ray.archive import resume
from meteo_ray.errors import UsageError

RUN = {"archive": "a", "models": {"gate": "1"}, "preprocessing_version": 1, "schema_version": 1, "min_recall": 0.7}


def test_standing_run_needs_resume_or_overwrite(tmp_path: Path) -> None:
    resume.begin(tmp_path, RUN, resume=False, overwrite=False)
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "part-00000.parquet").write_bytes(b"x")
    (tmp_path / "mine.txt").write_text("not the job's")
    with pytest.raises(UsageError, match="--resume or --overwrite"):
        resume.begin(tmp_path, RUN, resume=False, overwrite=False)
    resume.begin(tmp_path, RUN, resume=True, overwrite=False)
    assert (tmp_path / "predictions" / "part-00000.parquet").exists()
    resume.begin(tmp_path, {**RUN, "archive": "b"}, resume=False, overwrite=True)
    assert not (tmp_path / "predictions").exists()
    assert (tmp_path / "mine.txt").exists()


def test_resume_of_another_run_is_refused_with_the_difference(tmp_path: Path) -> None:
    resume.begin(tmp_path, RUN, resume=False, overwrite=False)
    (tmp_path / "predictions").mkdir()
    (tmp_path / "predictions" / "part-00000.parquet").write_bytes(b"x")
    with pytest.raises(UsageError, match=r"models\.gate: '1' then, '2' now"):
        resume.begin(tmp_path, {**RUN, "models": {"gate": "2"}}, resume=True, overwrite=False)


def test_run_that_committed_nothing_is_started_anew(tmp_path: Path) -> None:
    resume.begin(tmp_path, RUN, resume=False, overwrite=False)
    (tmp_path / "manifest").mkdir()
    resume.begin(tmp_path, {**RUN, "min_recall": 0.9}, resume=False, overwrite=False)
    assert not (tmp_path / "manifest").exists()


def test_overwriting_removes_no_file_that_no_run_made(tmp_path: Path) -> None:
    resume.begin(tmp_path, RUN, resume=False, overwrite=False)
    predictions = tmp_path / "predictions"
    predictions.mkdir()
    for name in ("part-00000.parquet", ".part-00001.parquet", "mine.txt"):
        (predictions / name).touch()
    with pytest.raises(UsageError, match=r"mine\.txt there was not made by this job"):
        resume.begin(tmp_path, RUN, resume=False, overwrite=True)
    assert len(list(predictions.iterdir())) == 3
    (predictions / "mine.txt").rename(tmp_path / "mine.txt")
    resume.begin(tmp_path, RUN, resume=False, overwrite=True)
    assert not predictions.exists()
    assert (tmp_path / "mine.txt").exists()
