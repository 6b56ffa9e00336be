"""Models whose trees look at descriptors: readers compute them once, and every answer is the predictors' own."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from meteo_ray.archive import run
from meteo_ray.archive.cascade.loaded_model import LoadedModel
from meteo_ray.archive.cascade.models import bundled_models
from meteo_ray.archive.cascade.read_images import ReadImages
from meteo_ray.archive.cascade.suspects import SuspectList
from meteo_ray.archive.config import ArchiveConfig, Batches
from meteo_ray.archive.ids import IdSet
from meteo_ray.archive.inputs.listing_thread import Listing
from meteo_ray.archive.inputs.manifest import Manifest
from meteo_ray.archive.inputs.rounds import pending_rounds
from meteo_ray.archive.inputs.source import open_source
from meteo_ray.archive.reading.claims import ClaimTable
from meteo_ray.archive.reading.limits import Limits
from meteo_ray.batch import Batch
from meteo_ray.elements.predictor import ElementsPredictor
from meteo_ray.gate.predictor import GatePredictor
from meteo_ray.imaging.load import load_image
from meteo_ray.voters import voters
from meteo_ray.voters.descriptors import describe_all
from tests.archive.fakes import Fake, fake_model, paint_archive
from tests.archive.in_process import without_ray  # noqa: F401 (a fixture)
from tests.archive.test_run import config, rows
from tests.archive.untrained import write_models

CHARTS, OTHERS = 5, 3


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an archive, in it a broken file and a second copy of another, and models with trees."""
    place = tmp_path_factory.mktemp("described")
    archive = paint_archive(place / "archive", CHARTS, OTHERS)
    (archive / "broken.png").write_bytes(b"no image")
    (archive / "copy.png").write_bytes((archive / "charts/0001.png").read_bytes())
    write_models(place / "models", with_trees=True)
    return place


def settings(place: Path, name: str) -> ArchiveConfig:
    return config(place / "archive", place / name, stages=("gate", "elements"), batches=Batches())


def blocks(archive: Path, scratch: Path, block_rows: int, described: bool) -> list[Batch]:
    source, manifest = open_source(archive), Manifest(scratch / "manifest")
    pending = next(pending_rounds(manifest, IdSet(), Listing(source, manifest)))
    return list(ReadImages(source, Limits(20.0, 1536), ClaimTable(), SuspectList(), block_rows, described)(pending))


@pytest.mark.usefixtures("without_ray")
def test_an_archive_is_judged_as_its_predictors_judge(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """To the last digit, on the pixels that evaluation sees, though nobody here computes a descriptor."""
    with monkeypatch.context() as patch:
        patch.setattr(voters, "describe_all", lambda images: pytest.fail("described where models judge"))
        run.classify(settings(place, "out"))
    found = {row["path"]: row for row in rows(place / "out")}
    paths = [path for path, row in found.items() if row["status"] == "ok" and path != "copy.png"]
    images = np.stack([load_image(place / "archive" / path).pixels for path in paths])
    gate = GatePredictor.load(place / "models/gate", "cpu")({"image": images})
    elements = ElementsPredictor.load(place / "models/elements", "cpu")({"image": images})
    assert len(paths) == CHARTS + OTHERS
    assert [found[path]["gate_score"] for path in paths] == gate["gate_score"].tolist()
    assert len(set(gate["gate_score"].tolist())) > 1
    for path, shown, sequence in zip(paths, elements["elements"], elements["element_sequence"], strict=True):
        assert {each["id"]: each["score"] for each in found[path]["elements"]} == {
            each["id"]: np.float32(each["score"]) for each in shown
        }
        assert list(found[path]["element_sequence"]) == list(sequence)


def test_blocks_come_in_order_with_the_descriptors_of_their_images(place: Path, tmp_path: Path) -> None:
    found = blocks(place / "archive", tmp_path, 4, described=True)
    assert [len(block["path"]) for block in found] == [4, 4, 2]
    whole = blocks(place / "archive", tmp_path / "whole", 10, described=False)[0]
    assert "descriptors" not in whole
    for name in ("path", "image", "sha256"):
        np.testing.assert_array_equal(np.concatenate([block[name] for block in found]), whole[name])
    for block in found:
        readable = block["status"] == "ok"
        np.testing.assert_array_equal(block["descriptors"][readable], describe_all(block["image"][readable]))
        assert not block["descriptors"][~readable].any()


def test_only_models_with_trees_ask_for_descriptors(place: Path, tmp_path: Path) -> None:
    with_trees = bundled_models(settings(place, "unused")).models
    assert [model.described for model in with_trees] == [True, True]
    write_models(tmp_path / "models")
    without = bundled_models(config(place / "archive", tmp_path / "out")).models
    assert [model.described for model in without] == [False, False, False]


def test_odd_descriptors_of_one_image_do_not_condemn_the_model() -> None:
    """A decoder that was taken over may send any numbers."""

    class Trusting(Fake):
        def __call__(self, batch: Batch) -> Batch:
            given: Any = batch.get("descriptors")
            score = np.zeros(len(batch["image"])) if given is None else given.sum(axis=1)
            return {"is_meteo": score > 0, "gate_score": score.astype(np.float32)}

    odd = {"image": np.zeros((2, 4, 4, 3), np.uint8), "descriptors": np.array([[np.nan], [1.0]], np.float32)}
    answers = LoadedModel(fake_model("gate", Trusting))(odd)
    assert [answer.get("reason") for answer in answers] == ["not_finite", None]
