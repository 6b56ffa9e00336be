"""Scores in a folder are of the flags that are asked for, or are refused; what is sure is told apart."""

import contextlib
import json
import sys

import pytest

from benchmarks import nowcast_events
from benchmarks.nowcast_events import verdict_lines
from meteo_ray import cluster
from meteo_ray.demo.made_radar import write_events

pytest.importorskip("pysteps", reason="the extra `radar` is not installed")


def run(monkeypatch, data, out, *flags):
    monkeypatch.setattr(
        sys, "argv", ["x", "--data", str(data), "--out", str(out), "--events", "event_20210601", *flags]
    )
    nowcast_events.main()


def test_scores_of_other_flags_are_refused_before_anything_is_trained(tmp_path, monkeypatch):
    write_events(tmp_path / "data", events=3, frames=2, side=16, seed=0)
    asked = []

    def job(joined, name, *arguments):
        asked.append((name, [str(one) for one in arguments]))
        if name == "evaluate_nowcast":
            document = {"entries": [], "summary": {"at_30_minutes": {}}}
            arguments[-1].write_text(json.dumps(document), "utf-8")
        else:
            (tmp_path / "out" / "event_20210601").mkdir(exist_ok=True)

    monkeypatch.setattr(cluster, "shared", contextlib.nullcontext)
    monkeypatch.setattr(nowcast_events, "_job", job)
    leads = ("--", "--nowcast.leads", "6")
    run(monkeypatch, tmp_path / "data", tmp_path / "out", *leads)
    assert [name for name, _ in asked] == ["train_nowcast", "evaluate_nowcast"]
    assert asked[0][1][-2:] == ["--nowcast.leads", "6"]
    run(monkeypatch, tmp_path / "data", tmp_path / "out", *leads)
    assert len(asked) == 2  # done already
    with pytest.raises(SystemExit, match="other settings"):
        run(monkeypatch, tmp_path / "data", tmp_path / "out", "--", "--nowcast.leads", "3")
    assert len(asked) == 2


def test_too_few_windows_are_neither_better_nor_worse_for_sure():
    few = {"better": True, "skill": {"skill": 0.2, "low": None, "high": None}, "for_sure": None}
    sure = {"better": True, "skill": {"skill": 0.2, "low": 0.1, "high": 0.3}, "for_sure": "better"}
    lines = verdict_lines({"a": few, "b": sure, "c": None})
    assert lines[0].endswith(": a, b.")
    assert "a +20 % [too few]; b +20 % [+10, +30]" in lines[1]
    assert lines[2:] == ["For sure better: b.", "For sure worse: none."]
