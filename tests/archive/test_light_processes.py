"""Which processes of an archive run load torch: those that judge. A driver or a reader with it would take 580 MB and
seconds more, and there is a reader for every core or so."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from meteo_ray.archive.cascade.read_images import ReadImages
from meteo_ray.archive.cascade.shared_tables import SharedClaims, SharedSuspects
from meteo_ray.archive.config import Reading
from meteo_ray.archive.inputs.source import open_source

LOADED = 'print(json.dumps(sorted({"torch", "sklearn", "lightgbm", "transformers"} & set(sys.modules))))'


def heavy_modules(program: str, given: bytes = b"") -> list[str]:
    """Those that a process of its own has loaded after a program, which may read `given`."""
    command = [sys.executable, "-c", f"import json, pickle, sys\n{program}\n{LOADED}"]
    found: list[str] = json.loads(subprocess.run(command, input=given, capture_output=True, check=True).stdout)
    return found


@pytest.mark.parametrize("module", ["meteo_ray.archive.run", "meteo_ray.similar.pipeline"])
def test_a_driver_loads_no_networks(module: str) -> None:
    assert heavy_modules(f"import {module}") == []


def test_what_travels_to_a_reader_loads_no_networks(tmp_path: Path) -> None:
    shared = (SharedClaims(None), SharedSuspects(None))
    travels = pickle.dumps((ReadImages, open_source(tmp_path), Reading().limits(), *shared))
    assert heavy_modules("pickle.load(sys.stdin.buffer)", travels) == []


def test_what_loads_a_network_is_told() -> None:
    assert "torch" in heavy_modules("import meteo_ray.archive.cascade.loaded_model")
