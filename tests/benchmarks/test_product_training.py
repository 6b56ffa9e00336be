"""What is compared in a line was measured on the same images; what was kept is of the settings that are asked for."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from meteo_ray.products.config import SmallBase
from meteo_ray.products.small_base import make_small_base
from meteo_ray.vocabulary import load_vocabulary

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
JUDGED = {
    "top1": 0.6,
    "language_model_top1": 0.5,
    "unseen": {"top1": 0.55, "language_model_top1": 0.1},
    "unread": {"top1": 0.3},
    "as_they_are": {"top1": 0.9},
    "slices": {"title": {"own": {"top1": 0.8}, "other": {"top1": 0.4}}},
}


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("product_training")


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    for name in ("data/index/index.parquet", "models/gate/SHA256SUMS", "models/elements/SHA256SUMS", "config.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    make_small_base(tmp_path / "base", load_vocabulary(), SmallBase(hidden_size=32, layers=1, heads=2))
    return tmp_path


def run(benchmark, folders: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The jobs that were called, evaluations answering JUDGED."""
    called = []

    def job(name: str, *arguments) -> None:
        called.append(name)
        Path(arguments[-1]).write_text(json.dumps({"products": JUDGED}))

    flags = [f"--{name}={folders / name}" for name in ("data", "models", "base", "out")]
    monkeypatch.setattr(sys, "argv", ["x", *flags, f"--config={folders / 'config.yaml'}", "--variants", "answer"])
    monkeypatch.setattr(benchmark, "job", job)
    monkeypatch.setattr(benchmark, "train", lambda *arguments: called.append("train"))
    benchmark.main()
    return called


def test_a_line_holds_the_probes_beside_what_they_are_compared_with(benchmark, folders, monkeypatch, capsys) -> None:
    assert run(benchmark, folders, monkeypatch) == ["train", "evaluate"] * 2
    head, _, line = capsys.readouterr().out.strip().splitlines()[-3:]
    cells = dict(zip(head.strip("| ").split(" | "), line.strip("| ").split(" | "), strict=True))
    assert (cells["as they are"], cells["altered"], cells["black"], cells["unread"]) == (
        "0.900",
        "0.600",
        "0.550",
        "0.300",
    )
    assert (cells["language model"], cells["language model, black"]) == ("0.500", "0.100")
    assert (cells["own title"], cells["other's"], cells["no title"]) == ("0.800", "0.400", "–")


def test_measures_of_another_base_are_not_passed_off_as_this_ones(benchmark, folders, monkeypatch) -> None:
    run(benchmark, folders, monkeypatch)
    assert run(benchmark, folders, monkeypatch) == []
    make_small_base(folders / "base", load_vocabulary(), SmallBase(hidden_size=32, layers=1, heads=2, seed=1))
    with pytest.raises(SystemExit, match=r"measured with other settings .*base"):
        run(benchmark, folders, monkeypatch)
