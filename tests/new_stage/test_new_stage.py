"""A stage added by a folder, a job and its line in stages.py is trained, evaluated and run over an archive by the jobs.

The package is copied, the stage is put into the copy, and the copy's jobs run as a user would run them.
"""

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from meteo_ray.schema import OK
from tests.archive.fakes import BLUE, paint
from tests.archive.untrained import write_models
from tests.conftest import ROOT
from tests.pictures import picture_index, write_index

HERE = Path(__file__).resolve().parent

# All that the stage needs outside of its own folder (file -> what is done there); four files are allowed.
TOUCHED = {
    "jobs/train_brightness.py": "new",
    "meteo_ray/stages.py": "one entry and its import",
    "pyproject.toml": "its place among the rooms, for the check of the imports",
}


def extended_copy(target: Path) -> Path:
    """The package and its jobs with the brightness stage added."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "meteo_ray", target / "meteo_ray", ignore=ignored)
    shutil.copytree(ROOT / "jobs", target / "jobs", ignore=ignored)
    shutil.copytree(HERE / "brightness", target / "meteo_ray" / "brightness", ignore=ignored)
    shutil.copy(HERE / "train_brightness.py", target / "jobs")
    shutil.copy(ROOT / "pyproject.toml", target)
    replace(target / "pyproject.toml", "gate | elements", "brightness | gate | elements")
    imported = "from meteo_ray.elements.stage"
    replace(
        target / "meteo_ray" / "stages.py", imported, f"from meteo_ray.brightness.stage import BRIGHTNESS\n{imported}"
    )
    replace(target / "meteo_ray" / "stages.py", "    PRODUCTS,\n)", "    PRODUCTS,\n    BRIGHTNESS,\n)")
    return target


def replace(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert text.count(old) == 1, (file, old)
    file.write_text(text.replace(old, new), "utf-8")


def changed_files(copy: Path) -> set[str]:
    """Files of the copy that are not as they are here, the stage's own folder aside."""
    files = {
        path.relative_to(copy).as_posix(): path for path in copy.rglob("*") if path.suffix in (".py", ".toml", ".yaml")
    }
    return {
        name
        for name, path in files.items()
        if not name.startswith("meteo_ray/brightness/")
        and not ((ROOT / name).is_file() and (ROOT / name).read_bytes() == path.read_bytes())
    }


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> SimpleNamespace:
    """The extended copy, a prepared data folder, untrained models of the other stages, and an archive."""
    root = tmp_path_factory.mktemp("new_stage")
    data, archive = root / "data", root / "archive"
    write_index(data, picture_index(data, per_split=8))
    for number in range(3):
        paint(archive / f"{number}.png", BLUE, number)
    (archive / "empty.png").write_bytes(b"")
    models = write_models(root / "models")
    return SimpleNamespace(copy=extended_copy(root / "copy"), data=data, models=models, archive=archive, root=root)


def run_job(folders: SimpleNamespace, name: str, *arguments: str | Path) -> str:
    """Run one of the copy's jobs; what it printed comes back, the log included."""
    command = [sys.executable, folders.copy / "jobs" / f"{name}.py", "--models", folders.models, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(folders.copy)}
    done = subprocess.run(command, env=environment, cwd=folders.root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_few_files_are_touched(folders):
    assert changed_files(folders.copy) == set(TOUCHED)
    assert len(TOUCHED) <= 4


def test_its_imports_go_down(folders):
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    environment = {**os.environ, "PYTHONPATH": str(folders.copy)}
    done = subprocess.run(command, env=environment, cwd=folders.copy, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "meteo_ray.brightness" not in done.stdout
    # The check does bite: a measure that imports a stage is an arrow that runs up.
    (folders.root / "up").mkdir()
    shutil.copytree(folders.copy, folders.root / "up" / "copy")
    broken = folders.root / "up" / "copy"
    with (broken / "meteo_ray" / "metrics" / "bootstrap.py").open("a", encoding="utf-8") as file:
        file.write("import meteo_ray.brightness.stage\n")
    environment["PYTHONPATH"] = str(broken)
    done = subprocess.run(command, env=environment, cwd=broken, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "meteo_ray.metrics.bootstrap" in done.stdout


@pytest.fixture(scope="module")
def trained(folders) -> SimpleNamespace:
    """The folders after the new stage's training."""
    printed = run_job(folders, "train_brightness", "--data", folders.data, "--training.data-workers", "1")
    assert "brightness: negative_error -0." in printed
    assert (folders.models / "brightness" / "weights.safetensors").is_file()
    return folders


@pytest.mark.slow
def test_the_new_stage_goes_through_training_evaluation_and_archive(trained):
    folders, data = trained, ("--data", trained.data)

    metrics_file, page = folders.root / "metrics.json", folders.root / "evaluation.html"
    flags = ("--no-augmentation.enabled", "--bootstrap-rounds", "0", "--data-workers", "1")
    printed = run_job(folders, "evaluate", *data, "--out", metrics_file, "--report", page, *flags)
    metrics = json.loads(metrics_file.read_text("utf-8"))
    assert metrics["brightness"]["rows"] == 8
    assert 0.3 < metrics["brightness"]["mean_brightness"] < 0.7  # stripes of 30 and 230 of 255, about half of each
    assert metrics["cascade"]["judged_bright"] <= metrics["cascade"]["passed"]
    assert set(metrics["cascade"]["seconds_per_image"]) == {"gate", "elements", "products", "brightness", "total"}
    assert "brightness: mean_brightness" in printed
    assert "<h2>Brightness</h2>" in page.read_text("utf-8")

    run_job(folders, "classify_archive", "--archive", folders.archive, "--out", folders.root / "all")
    rows = pq.read_table(folders.root / "all" / "predictions").to_pylist()
    papers = {row["path"]: row["paper"] for row in rows if row["status"] == OK}
    assert set(papers) == {"0.png", "1.png", "2.png"}
    assert all(
        row["paper"] == ("light" if row["brightness"] >= 0.5 else "dark") for row in rows if row["path"] in papers
    )
    assert [row["brightness"] for row in rows if row["status"] != OK] == [None]
    summary = json.loads((folders.root / "all" / "summary.json").read_text("utf-8"))
    assert summary["papers"] == Counter(papers.values())
    assert summary["seconds"]["brightness"] > 0
    assert set(summary["models"]) == {"gate", "elements", "products", "brightness"}
    assert all("brightness=" in row["model_version"] for row in rows)


@pytest.mark.slow
def test_a_stage_that_needs_only_the_gate_runs_with_it_alone(trained):
    folders = trained
    flags = ("--stages", "gate,brightness", "--archive", folders.archive, "--out", folders.root / "two")
    run_job(folders, "classify_archive", *flags)
    rows = pq.read_table(folders.root / "two" / "predictions").to_pylist()
    assert [row["paper"] in ("light", "dark") for row in rows if row["status"] == OK] == [True] * 3
    assert all(row["elements"] is None and row["product"] is None for row in rows)
