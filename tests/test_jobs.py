"""Every job starts, explains itself, and answers a wrong flag with status 2."""

import importlib.util
import json
import os
import subprocess
import sys
from types import ModuleType

import pytest

from tests.conftest import ROOT

JOBS = sorted(path.stem for path in (ROOT / "jobs").glob("*.py"))


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"job_{name}", ROOT / "jobs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", JOBS)
def test_a_job_explains_itself_and_refuses_what_it_does_not_know(name, capsys):
    job = load(name)
    with pytest.raises(SystemExit) as left:
        job.main(["--help"])
    assert left.value.code == 0
    assert "usage:" in capsys.readouterr().out
    assert job.main(["--no-such-flag", "1"]) == 2
    assert "no-such-flag" in capsys.readouterr().err


# What takes seconds to import. NumPy and pyarrow, which the settings' types need, take a tenth of one each.
HEAVY = {"torch", "ray", "transformers", "sklearn", "scipy", "pandas", "matplotlib", "optuna", "lightgbm"}

ASKED = """
import contextlib, io, json, runpy, sys

job, statuses = sys.argv[1], []
for flags in (["--help"], ["--no-such-flag", "1"]):
    sys.argv = [job, *flags]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            runpy.run_path(job, run_name="__main__")
        except SystemExit as left:
            statuses.append(left.code)
print(json.dumps({"statuses": statuses, "modules": list(sys.modules)}))
"""


@pytest.mark.parametrize("name", JOBS)
def test_help_and_a_wrong_flag_are_answered_before_anything_heavy_is_imported(name):
    """In a process of its own: this one has everything loaded already."""
    command = [sys.executable, "-c", ASKED, str(ROOT / "jobs" / f"{name}.py")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    answer = json.loads(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)
    assert answer["statuses"] == [0, 2]
    assert not HEAVY & set(answer["modules"])
