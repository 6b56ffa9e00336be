"""A gate that knows nothing yet, in a bundle."""

from pathlib import Path

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
from meteo_ray.vocabulary import load_vocabulary
from meteo_ray.voters.voters import Voters

SMALL = GateTraining(init="none", input_size=(80, 60))


@pytest.fixture(scope="session")
def gate_bundle(tmp_path_factory) -> Path:
    """MODELS/gate of a random model whose calibration was fitted on random logits."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models") / "gate"
    rng = np.random.default_rng(0)
    targets = np.arange(200) % 2
    calibration = GateCalibration.fit([VoterGroup({NETWORK: rng.normal(2 * targets - 1, 1.5)[:, None]})], targets)
    verdict = GateVerdict(load_vocabulary(), calibration)
    with bundle.writing(folder) as scratch:
        write_bundle(scratch, GateModel("none", SMALL.input_size), SMALL, verdict, Voters())
    return folder
