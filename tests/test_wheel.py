"""The wheel runs for somebody without the checkout: jobs copied elsewhere, own images, own labels."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest

from meteo_ray.schema import OK
from tests.archive.fakes import BLUE, paint
from tests.conftest import ROOT
from tests.pictures import picture_index

pytestmark = [pytest.mark.slow, pytest.mark.long]  # `make wheel` runs it

LABELS = """\
elements:
  - {id: stripes, zh: 条纹, en: stripes}
products:
  - {id: stripe_chart, zh: 条纹图, elements: [stripes]}
"""

SMALL = ["--training.data-workers", "1", "--training.batch-size", "8", "--gate.init", "none"]
SMALL += ["--gate.full-epochs", "2", "--gate.input-size", "80,60"]


def build_wheel(folder: Path) -> Path:
    """The project's wheel, built from a copy of what git tracks, so that no build folder of the checkout gets in."""
    source = folder / "source"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (ROOT / name).is_file() and name.startswith(
            ("meteo_ray/", "tune_spaces/", "pyproject", "README", "LICENSE")
        ):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, source / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder,
        source,
    ]
    subprocess.run(command, check=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def installed(tmp_path_factory) -> SimpleNamespace:
    """A Python that has the wheel, the dependencies of this one, and no checkout; `jobs` elsewhere; the user's data."""
    root = tmp_path_factory.mktemp("wheel")
    wheel = build_wheel(root / "build")
    venv.create(root / "venv", with_pip=False)
    python = root / "venv" / "bin" / "python"
    site = Path(
        subprocess.run(
            [python, "-c", "import site; print(site.getsitepackages()[0])"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    # As a plain path the dependencies are found, but not the checkout: its own .pth file is only read in a site folder.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n", "utf-8")
    shutil.unpack_archive(wheel, site, "zip")
    shutil.copytree(ROOT / "jobs", root / "office" / "jobs", ignore=shutil.ignore_patterns("__pycache__"))
    data = root / "office" / "data"
    rows = picture_index(data, per_split=10).to_pylist()
    lines = [
        {
            "path": row["path"],
            "is_meteo": int(row["is_meteo"]),
            "labels": ["条纹"] if row["is_meteo"] else [],
            "product": "stripe_chart" if row["is_meteo"] else None,
        }
        for row in rows
    ]
    (data / "labels.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    (data / "labels.yaml").write_text(LABELS, "utf-8")
    return SimpleNamespace(python=python, office=root / "office", data=data, models=root / "office" / "models")


def run(installed: SimpleNamespace, job: str, *arguments: str | Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [installed.python, f"jobs/{job}.py", *arguments]
    done = subprocess.run(command, cwd=installed.office, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_package_is_the_wheels_and_brings_its_data(installed):
    code = "import meteo_ray; from meteo_ray.vocabulary import load_vocabulary as load; load()"
    code += "; from meteo_ray import bundle; from meteo_ray.judging.starter import STARTER"
    code += "; [bundle.check(STARTER / name, name) for name in ('gate', 'elements', 'products')]"
    code += "; print(meteo_ray.__file__)"
    done = subprocess.run(
        [installed.python, "-c", code], cwd=installed.office, capture_output=True, text=True, check=True
    )
    assert str(installed.python.parent.parent) in done.stdout
    assert str(ROOT) not in done.stdout


def test_prepare_train_classify_without_the_checkout(installed):
    data, models = ("--data", installed.data), ("--models", installed.models)
    run(installed, "prepare_data", *data, "--duplicate-distance", "0")
    assert (installed.data / "index" / "report.html").is_file()
    run(installed, "train_gate", *data, *models, *SMALL)
    archive = installed.office / "archive"
    paint(archive / "a.png", BLUE)
    out = installed.office / "out"
    run(installed, "classify_archive", *models, "--archive", archive, "--out", out, "--stages", "gate")
    (row,) = pq.read_table(out / "predictions").to_pylist()
    assert (row["path"], row["status"]) == ("a.png", OK)
    assert (out / "report.html").is_file()
