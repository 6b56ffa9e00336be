"""Model bundles on disk: plain files with a checksum list, never a pickle.

A bundle is written beside its final place and renamed, so a reader sees the old one or the new one, whole.
"""

import logging
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, replace_folder, require_ours, sha256_of
from meteo_ray.vocabulary import Vocabulary, load_vocabulary
from meteo_ray.vocabulary.growth import SECTIONS, appended, changes, require_grown

if TYPE_CHECKING:
    import torch

logger = logging.getLogger("meteo_ray")

WEIGHTS, CONFIG, LABELS = "weights.safetensors", "config.json", "labels.yaml"
CALIBRATION, METRICS, SUMS = "calibration.json", "metrics.json", "SHA256SUMS"

# Raised by one whenever a file of the bundle changes its meaning.
BUNDLE_VERSION = 2


def require_free(folder: Path) -> None:
    """Refuse a place where something stands that is no bundle. Raises UsageError."""
    require_ours(folder, "model bundle", SUMS)


@contextmanager
def writing(folder: Path) -> Iterator[Path]:
    """Give a scratch folder to fill; on success add SHA256SUMS and swap it in for `folder`."""
    require_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        yield scratch
        _write_sums(scratch)
        replace_folder(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def folder_named(init: str) -> Path:
    """The folder of the bundle whose model a training goes on with: `init` itself, or where the weights stand that it
    names. There need be none."""
    return Path(init).parent if Path(init).name == WEIGHTS else Path(init)


def check(folder: Path, stage: str) -> str:
    """Verify that a bundle is whole and unchanged; its version string (12 hex digits) comes back.

    Raises:
        UsageError: naming the missing file, or the file whose sum differs with both sums.
    """
    sums_path = folder / SUMS
    if not sums_path.is_file():
        why = f" ({SUMS} is missing)" if folder.is_dir() else ""
        raise UsageError(f"{folder}: no {stage} model here{why}; train it with jobs/train_{stage}.py")
    for line in sums_path.read_text("utf-8").splitlines():
        _require_sum(folder, line)
    return sha256_of(sums_path)[:12]


def check_file(folder: Path, name: str) -> None:
    """Verify one file of a bundle that a model goes on from. Raises UsageError where it is not as it was written."""
    sums_path = folder / SUMS
    lines = sums_path.read_text("utf-8").splitlines() if sums_path.is_file() else []
    known = [line for line in lines if line.partition("  ")[2] == name]
    if not known:
        raise UsageError(f"{folder / name}: {SUMS} beside it does not name it; copy the whole folder again")
    _require_sum(folder, known[0])


def _require_sum(folder: Path, line: str) -> None:
    expected, _, name = line.partition("  ")
    path = folder / name
    if not path.is_file():
        raise UsageError(f"{path}: missing from the model; copy the whole folder again")
    actual = sha256_of(path)
    if actual != expected:
        raise UsageError(f"{path}: damaged: sha256 is {actual[:16]}..., {SUMS} says {expected[:16]}...")


def read_config(folder: Path, stage: str) -> dict[str, Any]:
    """The bundle's config.json. Raises UsageError when it was written for another stage or by another version."""
    config = read_json(folder / CONFIG)
    if config.get("stage") != stage:
        raise UsageError(f"{folder}: this is a {config.get('stage')!r} model, wanted {stage!r}")
    if config.get("bundle_version", 0) > BUNDLE_VERSION:
        raise UsageError(
            f"{folder}: written by a newer meteo_ray (bundle version {config['bundle_version']}, "
            f"this one reads {BUNDLE_VERSION}); update meteo_ray"
        )
    if config.get("bundle_version", 0) < BUNDLE_VERSION:
        raise UsageError(
            f"{folder}: written by an earlier meteo_ray (bundle version {config.get('bundle_version', 0)}, "
            f"this one reads {BUNDLE_VERSION}); train it again with jobs/train_{stage}.py"
        )
    return config


def read_labels(folder: Path, vocabulary: Vocabulary | None = None, sections: Sequence[str] = SECTIONS) -> Vocabulary:
    """The vocabulary that the bundle was trained with.

    In the sections that the model uses the caller's may go on where it ends, and not differ else.

    Raises:
        UsageError: naming every difference.
    """
    trained = load_vocabulary(folder / LABELS)
    if vocabulary is not None:
        require_grown(folder, vocabulary, trained, sections)
    return trained


def tell_unknown(folder: Path, vocabulary: Vocabulary, sections: Sequence[str]) -> None:
    """Log what the bundle does not know of the vocabulary in force.

    That is what came up after its training in the sections that it uses; and for a model that uses no label at all,
    such as the gate, that it stems from elsewhere, which does not keep it from judging.
    """
    trained = load_vocabulary(folder / LABELS)
    found = appended(vocabulary, trained)
    for section in sections:
        if section in found:
            names = ", ".join(found[section])
            logger.warning("%s: trained before these %s came up: %s; train it again", folder, section, names)
    if not sections and (other := changes(vocabulary, trained)):
        logger.warning("%s: trained with other labels, of which it uses none: %s", folder, "; ".join(other))


def tell_other_answers(folder: Path, config: Mapping[str, Any], versions: Mapping[str, str]) -> None:
    """Warn when a stage learnt from the answers of other models than those that will answer it."""
    for stage, version in (config.get("answered_by") or {}).items():
        if versions.get(stage, version) != version:
            logger.warning(
                "%s: learnt from the answers of another %s model; train it again, or its probabilities mean less",
                folder,
                stage,
            )


def read_weights(folder: Path) -> "dict[str, torch.Tensor]":
    """The tensors of weights.safetensors on the CPU, see `compact_weights`. Raises UsageError on damage or NaN."""
    # Here: who only looks at a bundle, as the archive's driver does, need not load torch, which takes 2 s.
    from safetensors.torch import load_file

    from meteo_ray.compact_weights import unpacked

    path = folder / WEIGHTS
    try:
        tensors = unpacked(load_file(path))
    except (OSError, SafetensorError, KeyError) as error:
        raise UsageError(f"{path}: cannot read the weights: {error}") from None
    broken = [name for name, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        raise UsageError(f"{path}: {len(broken)} tensors hold NaN or infinity, first {broken[0]}; train again")
    return tensors


def _write_sums(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SUMS)
    lines = [f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / SUMS).write_text("".join(lines), "utf-8")
