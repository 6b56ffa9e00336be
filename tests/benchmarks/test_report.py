"""The page says what was met and what was missed, and takes back what may not be claimed."""

import re
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from benchmarks.speed.arithmetic import interval
from benchmarks.speed.report import NAMES, write_report

MACHINE = {
    "when": "2026-01-02 03:04 UTC",
    "cpu": "A processor",
    "cores": 2,
    "memory_gb": 8,
    "gpu": None,
    "load": [0.1, 2.0],
    "pressure": [None, 12.0],
    "versions": {"python": "3.11", "torch": "2", "ray": "2", "pillow": "13"},
}


def ratio(value: float) -> dict[str, float]:
    return {"median": value, "low": value - 0.02, "high": value + 0.02, "blocks": 3}


def compared() -> dict[str, Any]:
    one = {"each_ms": 4.0, "each_cpu_ms": 7.0, "fixed_s": 3.0, "images_per_second": 250.0, "blocks_ms": [4.0]}
    others = {"pillow": 4.0, "loader": 3.5, "loader_own": 1.2, "ray_docs": 7.0, "own again": 1.0}
    return {
        "images": {},
        "foreign_share": [0.01, 0.02, 0.01],
        "dropped_blocks": 0,
        "quiet": True,
        "contenders": dict.fromkeys(NAMES, one),
        "ratios": {label: ratio(value) for label, value in others.items()},
        "agreement": {
            "problems": [],
            "files": 64,
            "score_difference": 0.001,
            "charts_alike": 1.0,
            "elements_alike": 1.0,
            "charts": 0.5,
        },
        "floors": {"load": {"images_per_second": 300.0, "cpu_us": 6000.0}},
        "fraction_of_limit": 0.83,
    }


@pytest.fixture
def results() -> dict[str, Any]:
    limit = {"limit_ms": 3.3, "long_run_images": 9e9, "fraction_in_a_long_run": 0.8, "engine_cpu_us": 150.0}
    images = {"counts": [1, 2], "seconds": [3.0, 4.0], "peak_mb": [90.0, 91.0], "fixed_s": 2.0, "each_ms": 1000.0}
    growth = {
        "images": {**images, "exponent": 1.01, "memory_exponent": 0.2, "foreign_share": 0.01},
        "pixels": {"sizes": [[320, 240]], "jpeg": {"cpu_ms": [2.0], "exponent": 0.7}},
        "workers": {"images_per_second": {"1": 100.0, "2": 180.0}},
        "duplicates": {"share": 0.9, "images": 512, "cost": 0.2, "foreign_share": 0.02},
    }
    sleeping = {"readers_deliver": 200.0, "asked_for": 160.0, "delivered": 158.0, "waiting_share": 0.02, "images": 512}
    sleeping["foreign_share"] = 0.0
    found = {
        "decode": {"jpeg": compared()},
        "archive": {"gate+elements": {**compared(), **limit}},
        "growth": growth,
        "accelerator": sleeping,
    }
    about = {"machine": MACHINE, "quick": False, "workers": 2, "models": "untrained", "minutes": 4.0}
    return {name: {**about, "found": one} for name, one in found.items()}


def page(results: dict[str, Any], tmp_path) -> str:
    write_report(tmp_path / "benchmarks.md", results)
    return (tmp_path / "benchmarks.md").read_text("utf-8")


def test_every_figure_has_its_machine_and_every_goal_its_outcome(results, tmp_path):
    text = page(results, tmp_path)
    assert text.count("2026-01-02 03:04 UTC") == 4
    assert "| 3: met |" in text  # three times as fast as the DataLoader, 3.48 at the lower end
    assert "| 8: missed |" in text
    assert "(0.90 wanted: missed)" in text
    assert "(at most 0.03 wanted: missed)" in text
    assert "(at most 5% wanted: met)" in text
    plots = {path.name for path in tmp_path.glob("*.svg")}
    assert plots == {f"benchmarks_{name}.svg" for name in ("decode", "archive", "growth")}
    assert all(name in text for name in plots)


def test_what_is_not_comparable_meets_no_goal(results, tmp_path):
    results["decode"]["found"]["jpeg"]["agreement"]["problems"] = ["loader: 3 answers for 64 files"]
    text = page({"decode": results["decode"]}, tmp_path)
    assert "| 3: cannot be told |" in text
    assert "outputs differ:** loader: 3 answers" in text


def test_a_restless_machine_and_an_odd_pair_are_told(results, tmp_path):
    restless = deepcopy(results["archive"])
    one = restless["found"]["gate+elements"]
    one["quiet"], one["ratios"]["own again"], one["fraction_of_limit"] = False, ratio(1.2), 1.3
    text = page({"archive": restless}, tmp_path)
    assert "nothing here may be claimed" in text
    assert "does not hold 1" in text
    assert "a floor was disturbed" in text
    assert text.count("wanted: cannot be told") == 2


def test_an_odd_pair_or_a_single_block_meets_no_goal(results, tmp_path):
    one = results["decode"]["found"]["jpeg"]
    one["ratios"]["own again"] = {"median": 1.01, "low": 1.01, "high": 1.01, "blocks": 1}
    text = page({"decode": results["decode"]}, tmp_path)
    assert text.count("cannot be told |") == 2  # neither what was reached nor what was not
    assert "holds the true median 0% of the time" in text


def test_growth_and_waiting_are_told_of_a_machine_left_alone_only(results, tmp_path):
    growth, sleeping = results["growth"]["found"], results["accelerator"]["found"]
    for found in (growth["images"], growth["duplicates"], sleeping):
        found["foreign_share"] = 0.4
    text = page({name: results[name] for name in ("growth", "accelerator")}, tmp_path)
    assert text.count("wanted: cannot be told") == 4
    assert "others used 40% of the machine" in text


@pytest.mark.parametrize("blocks", [1, 3, 5])
def test_the_page_says_how_little_few_blocks_hold(results, tmp_path, blocks):
    """As often as the interval of so few values, whose true median is 1, does hold 1."""
    one = results["decode"]["found"]["jpeg"]
    one["ratios"]["own again"]["blocks"] = blocks
    values = np.random.default_rng(0).normal(1.0, 0.05, (400, blocks))
    held = np.mean([found.low <= 1 <= found.high for found in map(interval, values)])
    told = re.search(r"true median (\d+)% of the time", page({"decode": results["decode"]}, tmp_path))
    assert told
    assert float(told[1]) / 100 == pytest.approx(held, abs=0.06)  # 400 draws: 0.02 standard error
