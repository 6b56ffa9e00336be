"""Archive runs whose element stage computes in 8 bits: every file its row, hardly other scores, one run one setting."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from jobs import classify_archive
from meteo_ray.archive import run
from meteo_ray.archive.config import Batches
from meteo_ray.elements.int8_encoder import RANGES
from meteo_ray.errors import UsageError
from tests.archive.fakes import BLUE, paint, paint_archive
from tests.archive.in_process import replace_ray, without_ray  # noqa: F401 (a fixture)
from tests.archive.test_run import config, rows
from tests.archive.untrained import VOCABULARY, observe_ranges, write_models

STAGES = ("gate", "elements")
FILES = 7

# Shows the score of every element, not only of those above their thresholds.
ALL_SHOWN = 1e-6


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive, a broken file in it, untrained models, and the same before there were ranges."""
    place = tmp_path_factory.mktemp("8bit")
    paint_archive(place / "archive", FILES - 3, 2)
    (place / "archive" / "broken.png").write_bytes(b"no image")
    models = write_models(place / "models")
    shutil.copytree(models, place / "old")
    observe_ranges(models)
    return place


def classify(place: Path, name: str, eight: bool, **values: Any) -> Path:
    out: Path = place / name
    cascade = {"elements_8bit": eight, "element_threshold_scale": ALL_SHOWN}
    run.classify(config(place / "archive", out, **{"stages": STAGES, "cascade": cascade, **values}))
    return out


def flags(place: Path, models: str, out: str) -> list[str]:
    """Of the job, in 8 bits."""
    places = {"archive": "archive", "models": models, "out": out}
    named = [f"--{name}={place / folder}" for name, folder in places.items()]
    return [*named, "--stages=gate,elements", "--cascade.elements-8bit"]


@pytest.fixture(scope="module")
def eight(place: Path) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        replace_ray(patch)
        return classify(place, "eight", True)


def scores(out: Path) -> dict[str, list[float]]:
    """Of every element in the vocabulary's order, by path of the file."""
    found = {}
    for row in rows(out):
        if row["elements"] is not None:
            by_id = {element["id"]: element["score"] for element in row["elements"]}
            found[row["path"]] = [by_id[name] for name in VOCABULARY.element_ids]
    return found


def assert_scores_close(one: Path, other: Path, atol: float) -> None:
    first, second = scores(one), scores(other)
    assert len(first) == FILES - 1
    assert first.keys() == second.keys()
    for path, expected in second.items():
        np.testing.assert_allclose(first[path], expected, atol=atol)


@pytest.mark.usefixtures("without_ray")
def test_every_file_has_a_row_with_nearly_the_scores_of_the_full_model(place: Path, eight: Path) -> None:
    full = classify(place, "full", False)
    assert sorted(row["path"] for row in rows(eight)) == sorted(row["path"] for row in rows(full))
    assert len(rows(eight)) == FILES
    assert scores(eight) != scores(full)
    assert_scores_close(eight, full, atol=0.05)
    gates = [{row["path"]: row["gate_score"] for row in rows(out)} for out in (eight, full)]
    assert gates[0] == gates[1]


@pytest.mark.usefixtures("without_ray")
def test_scores_do_not_depend_on_batches_nor_on_what_is_judged_first(place: Path, eight: Path) -> None:
    alone = classify(place, "alone", True, batches=Batches(rows=1))
    assert_scores_close(alone, eight, atol=1e-4)


def test_the_summary_says_so(eight: Path) -> None:
    summary = json.loads((eight / "summary.json").read_text("utf-8"))
    assert summary["arguments"]["cascade"]["elements_8bit"] is True


@pytest.mark.usefixtures("without_ray")
def test_only_the_same_setting_goes_on_with_a_run(place: Path) -> None:
    out = classify(place, "again", True)
    before = scores(out)
    changed = r"\n  cascade\.elements_8bit: True then, False now$"
    with pytest.raises(UsageError, match=changed):
        classify(place, "again", False, resume=True)
    new = paint(place / "archive" / "new.png", BLUE, 50)
    classify(place, "again", True, resume=True)
    new.unlink()
    after = scores(out)
    assert after.keys() - before.keys() == {"new.png"}
    assert {path: after[path] for path in before} == before


@pytest.mark.usefixtures("without_ray")
def test_a_run_from_before_there_was_the_setting_goes_on(place: Path) -> None:
    out = classify(place, "earlier", False, stages=("gate",))
    record = json.loads((out / "run.json").read_text("utf-8"))
    del record["cascade"]["elements_8bit"]
    (out / "run.json").write_text(json.dumps(record), "utf-8")
    classify(place, "earlier", False, stages=("gate",), resume=True)
    with pytest.raises(UsageError, match="elements_8bit"):
        classify(place, "earlier", True, stages=("gate",), resume=True)


def test_what_cannot_be_done_here_is_one_line_before_anything_starts(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert classify_archive.main(flags(place, "old", "refused")) == 2
    error = capsys.readouterr().err.strip()
    assert (f"no {RANGES}" in error, error.count("\n")) == (True, 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert classify_archive.main(flags(place, "models", "refused")) == 2
    error = capsys.readouterr().err.strip()
    assert ("not on cuda; leave --cascade.elements-8bit out" in error, error.count("\n")) == (True, 0)
    assert not (place / "refused").exists()


def test_the_job_computes_in_8_bits_on_ray_as_in_one_process(place: Path, eight: Path, ray_session: None) -> None:
    assert (
        classify_archive.main([*flags(place, "models", "ray"), f"--cascade.element-threshold-scale={ALL_SHOWN}"]) == 0
    )
    assert len(rows(place / "ray")) == FILES
    assert_scores_close(place / "ray", eight, atol=1e-4)
