"""Which processes of an archive run load torch: those that judge. A driver or a reader with it would take 600 MB and
seconds more, and there is a reader for every core or so."""

import json
import subprocess
import sys

import pytest

from meteo_ray.archive.cascade.shared_tables import SharedClaims, SharedSuspects

ASKED = """
import importlib, json, sys
for module in sys.argv[1:]:
    importlib.import_module(module)
print(json.dumps(sorted({"torch", "sklearn", "lightgbm", "transformers"} & set(sys.modules))))
"""


@pytest.mark.parametrize(
    ("process", "modules"),
    [
        ("driver", ["meteo_ray.archive.run"]),
        ("reader", ["meteo_ray.archive.cascade.read_images", "meteo_ray.archive.cascade.shared_tables"]),
        ("search", ["meteo_ray.similar.pipeline"]),
    ],
)
def test_a_process_that_judges_nothing_loads_no_networks(process: str, modules: list[str]) -> None:
    command = [sys.executable, "-c", ASKED, *modules]
    answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert json.loads(answer) == [], process


def test_what_a_reader_is_given_loads_no_networks() -> None:
    """What travels to it is unpickled there, with the modules that it names."""
    given = {type(one).__module__ for one in (SharedClaims(None), SharedSuspects(None))}
    command = [sys.executable, "-c", ASKED, *sorted(given)]
    assert json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout) == []
