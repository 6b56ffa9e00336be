"""Scores in a folder are of the flags that are asked for, or are refused; what is sure is told apart."""

import argparse
import json
import sys

import pytest

pytest.importorskip("pysteps", reason="the extra `radar` is not installed")

from benchmarks import nowcast_events
from benchmarks.nowcast_events import ASKED, SCORES, asked, others, verdict_lines

EVENTS = ["mch/a", "mch/b", "mch/c"]


def options(out, *flags):
    return argparse.Namespace(out=out, flags=["--", *flags])


def write_fold(given, event):
    folder = given.out / event.replace("/", "_")
    folder.mkdir()
    (folder / SCORES).write_text("{}", "utf-8")
    (folder / ASKED).write_text(json.dumps(asked(given, EVENTS, event)), "utf-8")
    return folder


def test_scores_of_other_flags_are_refused(tmp_path):
    first = options(tmp_path, "--nowcast.leads", "6")
    folder = write_fold(first, "mch/b")
    assert others(first, EVENTS) == []
    (problem,) = others(options(tmp_path, "--nowcast.leads", "3"), EVENTS)
    assert problem.startswith(f"{folder}: made with --nowcast.test-events")
    assert "--nowcast.leads 6; asked for" in problem
    (problem,) = others(first, ["mch/a", "mch/b"])  # another event would validate
    assert "asked for" in problem
    (folder / ASKED).unlink()
    (problem,) = others(first, EVENTS)
    assert "asked.json is missing" in problem


def test_it_stops_before_anything_is_trained(tmp_path, monkeypatch):
    from meteo_ray.demo.made_radar import write_events

    write_events(tmp_path / "data", events=3, frames=2, side=16, seed=0)
    (tmp_path / "out" / "event_20210601").mkdir(parents=True)
    (tmp_path / "out" / "event_20210601" / SCORES).write_text("{}", "utf-8")
    arguments = ["x", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setattr("meteo_ray.cluster.shared", None)
    with pytest.raises(SystemExit, match=r"asked\.json is missing"):
        nowcast_events.main()


def test_too_few_windows_are_neither_better_nor_worse_for_sure():
    few = {"better": True, "skill": {"skill": 0.2, "low": None, "high": None}, "for_sure": None}
    sure = {"better": True, "skill": {"skill": 0.2, "low": 0.1, "high": 0.3}, "for_sure": "better"}
    lines = verdict_lines({"a": few, "b": sure, "c": None})
    assert lines[0].endswith(": a, b.")
    assert "a +20 % [too few]; b +20 % [+10, +30]" in lines[1]
    assert lines[2:] == ["For sure better: b.", "For sure worse: none."]
