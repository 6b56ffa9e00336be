"""The gate's files in a model bundle: what training writes and the predictor reads back."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from safetensors.torch import save_file
from torch import nn

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, write_json
from meteo_ray.gate.calibration import GateCalibration
from meteo_ray.gate.config import GateTraining
from meteo_ray.gate.model import ARCHITECTURE, GateModel
from meteo_ray.gate.verdict import GateVerdict
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.imaging.load import PREPROCESSING_VERSION
from meteo_ray.versions import versions
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.voters import Voters

STAGE = "gate"


class Gate(NamedTuple):
    """What a bundle holds: the model, who votes beside it, what decides on the votes; `version` names it."""

    model: GateModel
    voters: Voters
    verdict: GateVerdict
    version: str


def write_bundle(
    folder: Path,
    model: nn.Module,
    config: GateTraining,
    vocabulary: Vocabulary,
    verdict: GateVerdict,
    voters: Voters,
) -> None:
    """Write the model, what votes beside it, and labels.yaml, config.json and calibration.json into a folder.

    The head for kinds, which only training needs, is left out.
    """
    judging = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("kind_head.")}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in judging.items()}
    save_file(tensors, folder / bundle.WEIGHTS)
    document = {
        "stage": STAGE,
        "bundle_version": bundle.BUNDLE_VERSION,
        "architecture": ARCHITECTURE,
        "image_size": list(INPUT_SIZE),
        "input_size": list(config.input_size),
        **voters.write(folder),
        "preprocessing_version": PREPROCESSING_VERSION,
        "training": config.model_dump(mode="json"),
        "versions": versions(),
    }
    write_json(folder / bundle.CONFIG, document)
    (folder / bundle.LABELS).write_text(vocabulary.to_yaml(), "utf-8")
    calibrations = {"image": verdict.image, "image_and_text": verdict.with_text}
    write_json(folder / bundle.CALIBRATION, {name: part and part.to_json() for name, part in calibrations.items()})


def read_bundle(folder: Path) -> Gate:
    """The model (CPU, eval mode), who votes beside it, what decides, and the bundle's version.

    Raises:
        UsageError: naming what is missing, damaged, or made for something else.
    """
    version = bundle.check(folder, STAGE)
    config, voters, verdict = _read_verdict(folder)
    model = GateModel("none", tuple(config["input_size"]))
    with _as_built_here(folder):
        model.load_state_dict(bundle.read_weights(folder))
    return Gate(model.eval(), voters, verdict, version)


def read_verdict(folder: Path) -> GateVerdict:
    """What decides on votes, without the network that gives them. Raises UsageError like `read_bundle`."""
    bundle.check(folder, STAGE)
    return _read_verdict(folder)[2]


def _read_verdict(folder: Path) -> tuple[dict[str, Any], Voters, GateVerdict]:
    config = bundle.read_config(folder, STAGE)
    _check_fits(folder, config)
    vocabulary = bundle.read_labels(folder)
    with _as_built_here(folder):
        document = read_json(folder / bundle.CALIBRATION)
        image, with_text = (
            document[name] and GateCalibration.from_json(document[name]) for name in ("image", "image_and_text")
        )
        voters = Voters.read(folder, config, questions=1)
    return config, voters, GateVerdict(vocabulary, image, with_text, voters.text)


@contextmanager
def _as_built_here(folder: Path) -> Iterator[None]:
    try:
        yield
    except (RuntimeError, TypeError, KeyError) as error:
        raise UsageError(f"{folder}: does not hold a gate as this meteo_ray builds it: {error}") from None


def _check_fits(folder: Path, config: dict[str, Any]) -> None:
    wanted = {
        "architecture": ARCHITECTURE,
        "image_size": list(INPUT_SIZE),
        "preprocessing_version": PREPROCESSING_VERSION,
    }
    problems = [
        f"{name}: {config.get(name)} in the model, {value} here"
        for name, value in wanted.items()
        if config.get(name) != value
    ]
    problems += [
        f"{name}: missing in the model" for name in ("input_size", "descriptors", "text") if name not in config
    ]
    if problems:
        raise UsageError.of_problems(f"{folder}: the gate was made for other images; train it again:", problems)
