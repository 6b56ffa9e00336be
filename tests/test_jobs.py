"""Every job starts, explains itself, and answers a wrong flag with status 2."""

import importlib.util
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
