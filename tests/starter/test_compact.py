"""A bundle made small answers as the whole one does, and is read by whoever reads bundles."""

import numpy as np
import pytest
import torch

from meteo_ray import bundle
from meteo_ray.calibration.votes import VoterGroup
from meteo_ray.errors import UsageError
from meteo_ray.gate.bundle import read_bundle, write_bundle
from meteo_ray.gate.calibration import NETWORK, GateCalibration
from meteo_ray.gate.config import GateTraining
from meteo_ray.gate.model import GateModel
from meteo_ray.gate.predictor import GatePredictor
from meteo_ray.gate.verdict import GateVerdict
from meteo_ray.starter.compact import write_compact
from meteo_ray.vocabulary import load_vocabulary
from meteo_ray.voters.boosted_trees import Trees, bundle_with_trees
from meteo_ray.voters.descriptors import FEATURES
from meteo_ray.voters.text_voter import Page, TextVoter
from meteo_ray.voters.voters import Voters

ROWS = 120


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A random gate with trees and words that know something."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    vocabulary, targets = load_vocabulary(), np.arange(ROWS) % 2
    descriptors = rng.random((ROWS, FEATURES)).astype(np.float32)
    descriptors[:, 0] += targets
    trees = Trees.fit(descriptors, targets[:, None], np.ones(ROWS), seed=0, rounds=40)
    pages = [Page.of("wind chart" if yes else "menu", "500 hPa wind" if yes else "soup of the day") for yes in targets]
    text = TextVoter.fit(pages, targets[:, None], np.ones(ROWS), vocabulary)
    votes = {NETWORK: rng.normal(2 * targets - 1, 1.5)[:, None], Trees.VOTE: trees.votes(descriptors)}
    calibration = GateCalibration.fit([VoterGroup(votes)], targets)
    with_text = GateCalibration.fit([VoterGroup({**votes, **text.votes(pages, vocabulary)})], targets)
    folder = tmp_path_factory.mktemp("models") / "gate"
    with bundle.writing(folder) as scratch:
        config = GateTraining(init="none", input_size=(80, 60))
        verdict = GateVerdict(vocabulary, calibration, with_text, text)
        write_bundle(scratch, GateModel("none", config.input_size), config, verdict, Voters(trees, text, "page"))
    return folder


@pytest.fixture(scope="module")
def small(whole, tmp_path_factory):
    folder = tmp_path_factory.mktemp("starter") / "gate"
    write_compact(whole, folder, "gate")
    return folder


def test_it_answers_as_the_whole_one_does(whole, small):
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (8, 240, 320, 3), dtype=np.uint8)
    texts = np.array(["soup", "500 hPa wind", "wind", "", "menu", "chart", "soup wind", "day"], dtype=object)
    batch = {"image": images, "title": texts, "text": texts}
    answers = [GatePredictor.load(folder, device="cpu")(dict(batch))["gate_score"] for folder in (whole, small)]
    np.testing.assert_allclose(answers[0], answers[1], atol=0.01)
    assert np.ptp(answers[0]) > 0.1


def test_it_is_a_third_as_large_and_whole(whole, small):
    sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in (whole, small)]
    assert sizes[1] < sizes[0] / 3
    assert read_bundle(small).version != read_bundle(whole).version


def test_training_goes_on_from_its_trees(small):
    assert bundle_with_trees(str(small)) == small
    again = Trees.read(small, 1)
    descriptors = np.random.default_rng(2).random((ROWS, FEATURES)).astype(np.float32)
    targets = np.arange(ROWS)[:, None] % 3 == 0
    further = Trees.fit(descriptors, targets, np.ones(ROWS), seed=0, rounds=9, earlier=again, further=5)
    assert further.boosters[0].num_trees() == again.boosters[0].num_trees() + 5


def test_what_is_no_bundle_is_not_made_small(tmp_path):
    with pytest.raises(UsageError, match="no gate model here"):
        write_compact(tmp_path, tmp_path / "out", "gate")
