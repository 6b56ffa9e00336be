"""What the bundles of stages whose voters are calibrated share: their files, how they are written and read back."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import save_file

from meteo_ray import bundle
from meteo_ray.config import Section
from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, write_json
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.imaging.load import PREPROCESSING_VERSION
from meteo_ray.versions import versions
from meteo_ray.voters.verdict import VotedVerdict
from meteo_ray.voters.voters import Voters

C = TypeVar("C")

# What the pixels were prepared as; a network that met others would answer at random.
PREPARED = {"image_size": list(INPUT_SIZE), "preprocessing_version": PREPROCESSING_VERSION}


def write_bundle(
    folder: Path,
    stage: str,
    tensors: Mapping[str, torch.Tensor],
    config: Section,
    verdict: VotedVerdict[Any],
    voters: Voters,
    calibration_json: Callable[[Any], dict[str, Any]],
    **details: Any,
) -> None:
    """Write weights, what votes beside them, labels.yaml, config.json and calibration.json into a folder.

    `details` is what the stage's config.json says besides, `config` what it was trained with.
    """
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, folder / bundle.WEIGHTS)
    document = {
        "stage": stage,
        "bundle_version": bundle.BUNDLE_VERSION,
        **details,
        **PREPARED,
        **voters.write(folder),
        "training": config.model_dump(mode="json"),
        "versions": versions(),
    }
    write_json(folder / bundle.CONFIG, document)
    (folder / bundle.LABELS).write_text(verdict.vocabulary.to_yaml(), "utf-8")
    calibrations = {"image": verdict.image, "image_and_text": verdict.with_text}
    entries = {name: part and calibration_json(part) for name, part in calibrations.items()}
    write_json(folder / bundle.CALIBRATION, entries)


def read_calibrations(folder: Path, from_json: Callable[[dict[str, Any]], C]) -> tuple[C, C | None]:
    """Those on the pixels and with text. Raises KeyError or TypeError when a value is missing."""
    document = read_json(folder / bundle.CALIBRATION)
    with_text = document["image_and_text"]
    return from_json(document["image"]), with_text and from_json(with_text)


@contextmanager
def as_built_here(folder: Path, what: str) -> Iterator[None]:
    """Makes a UsageError of what goes wrong when a bundle's parts do not fit this package's code."""
    try:
        yield
    except (RuntimeError, TypeError, KeyError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise UsageError(f"{folder}: not {what} as this meteo_ray builds it ({reason}); train it again") from None


def require_fits(folder: Path, config: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Raises UsageError naming every entry of config.json that differs from PREPARED or `wanted`."""
    problems = [
        f"{name}: {config.get(name)} in the model, {value} here"
        for name, value in {**wanted, **PREPARED}.items()
        if config.get(name) != value
    ]
    if problems:
        raise UsageError.of_problems(f"{folder}: made for other images or labels; train it again:", problems)
