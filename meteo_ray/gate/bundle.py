"""The gate's files in a model bundle: what training writes and the predictor reads back."""

from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from meteo_ray import bundle
from meteo_ray.calibration.votes import VoteScales
from meteo_ray.files import read_json
from meteo_ray.gate.calibration import GateCalibration
from meteo_ray.gate.config import GateTraining
from meteo_ray.gate.model import ARCHITECTURE, GateModel
from meteo_ray.gate.verdict import GateVerdict
from meteo_ray.voters import bundle as voted
from meteo_ray.voters.voters import Voters

STAGE, MODEL = "gate", "a gate"


class Gate(NamedTuple):
    """What a bundle holds: the model, who votes beside it, what decides on the votes; `version` names it."""

    model: GateModel
    voters: Voters
    verdict: GateVerdict
    version: str


def write_bundle(folder: Path, model: nn.Module, config: GateTraining, verdict: GateVerdict, voters: Voters) -> None:
    """Write the model, what votes beside it, and labels.yaml, config.json and calibration.json into a folder.

    The head for kinds, which only training needs, is left out.
    """
    judging = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("kind_head.")}
    details = {"architecture": ARCHITECTURE, "input_size": list(config.input_size)}
    voted.write_bundle(folder, STAGE, judging, config, verdict, voters, GateCalibration.to_json, **details)


def read_bundle(folder: Path) -> Gate:
    """The model (CPU, eval mode), who votes beside it, what decides, and the bundle's version.

    Raises:
        UsageError: naming what is missing, damaged, or made for something else.
    """
    version = bundle.check(folder, STAGE)
    config, voters, verdict = _read_verdict(folder)
    weights = bundle.read_weights(folder)
    with voted.as_built_here(folder, MODEL):
        model = GateModel("none", tuple(config["input_size"]))
        model.load_state_dict(weights)
    return Gate(model.eval(), voters, verdict, version)


def earlier_scales(init: str) -> VoteScales | None:
    """How the gate that `init` names, see `bundle.folder_named`, hears its voters; None where that is no gate.

    Raises:
        UsageError: when its calibration is damaged.
    """
    folder = bundle.folder_named(init)
    if not (folder / bundle.CONFIG).is_file() or read_json(folder / bundle.CONFIG).get("stage") != STAGE:
        return None
    bundle.check_file(folder, bundle.CALIBRATION)
    with voted.as_built_here(folder, MODEL):
        image, with_text = voted.read_calibrations(folder, GateCalibration.from_json)
    return (with_text or image).scales


def read_verdict(folder: Path) -> GateVerdict:
    """What decides on votes, without the network that gives them. Raises UsageError like `read_bundle`."""
    bundle.check(folder, STAGE)
    return _read_verdict(folder)[2]


def _read_verdict(folder: Path) -> tuple[dict[str, Any], Voters, GateVerdict]:
    config = bundle.read_config(folder, STAGE)
    voted.require_fits(folder, config, {"architecture": ARCHITECTURE})
    vocabulary = bundle.read_labels(folder)
    with voted.as_built_here(folder, MODEL):
        image, with_text = voted.read_calibrations(folder, GateCalibration.from_json)
        voters = Voters.read(folder, config, questions=1)
    return config, voters, GateVerdict(vocabulary, image, with_text, voters.text)
