"""Exit statuses and messages of jobs, and progress lines."""

import logging

import pytest

from meteo_ray.cli import run_job
from meteo_ray.config import JobConfig
from meteo_ray.errors import TooManyBadRows, UsageError
from meteo_ray.progress import ProgressLine


class Job(JobConfig):
    count: int = 1
    """A number."""


def fail_with(error: BaseException):
    def body(job: Job) -> None:
        raise error

    return body


@pytest.mark.parametrize(
    ("error", "status"),
    [(UsageError("no such folder: x"), 2), (TooManyBadRows("half is bad"), 3), (KeyboardInterrupt(), 130)],
)
def test_what_a_user_can_mend_ends_in_one_message(capsys, error, status):
    assert run_job(Job, fail_with(error), "A job.", []) == status
    assert "Traceback" not in capsys.readouterr().err


def test_a_wrong_setting_never_reaches_the_body(capsys):
    assert run_job(Job, fail_with(AssertionError()), "A job.", ["--count", "x"]) == 2
    assert "count" in capsys.readouterr().err


def test_a_clean_job_and_a_defect():
    assert run_job(Job, lambda job: None, "A job.", ["--count", "3"]) == 0
    with pytest.raises(ZeroDivisionError):
        run_job(Job, fail_with(ZeroDivisionError()), "A job.", [])


def test_progress_lines_carry_share_rate_and_values(caplog, monkeypatch):
    """Twenty of a hundred were there before; the rate counts from the first new one, the mean from the start."""
    now = iter([0.0, 100.0, 112.0, 112.0, 120.0])
    monkeypatch.setattr("meteo_ray.progress.time.monotonic", lambda: next(now))
    with caplog.at_level(logging.INFO, "meteo_ray"):
        line = ProgressLine("gate", 100, interval_s=10, done=20)
        line.update(10)
        line.update(60, loss=0.25)
        line.close()
    assert caplog.messages[0] == "gate: 90/100 (90 %)  5.0 images/s  left 0:00:02  loss 0.25"
    assert caplog.messages[1] == "gate: 70 images in 0:02:00  0.6 images/s"
