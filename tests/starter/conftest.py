"""A small gate of random weights, with trees and words that know something; and the same made small."""

import numpy as np
import pytest
import torch

from meteo_ray import bundle
from meteo_ray.calibration.votes import VoterGroup
from meteo_ray.gate.bundle import write_bundle
from meteo_ray.gate.calibration import NETWORK, GateCalibration
from meteo_ray.gate.config import GateTraining
from meteo_ray.gate.model import GateModel
from meteo_ray.gate.verdict import GateVerdict
from meteo_ray.starter.compact import write_compact
from meteo_ray.vocabulary import load_vocabulary
from meteo_ray.voters.boosted_trees import Trees
from meteo_ray.voters.descriptors import FEATURES
from meteo_ray.voters.text_voter import Page, TextVoter
from meteo_ray.voters.voters import Voters

ROWS = 120


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def small(whole, tmp_path_factory):
    folder = tmp_path_factory.mktemp("starter") / "gate"
    write_compact(whole, folder, "gate")
    return folder
