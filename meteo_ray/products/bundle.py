"""The product stage's files in a model bundle.

LoRA: weights.safetensors holds the adapter, config.json names the base model and the sums of its files, and loading
refuses another base. Full training: weights.safetensors holds everything and `base/` the config and the tokenizer.
Without a language model there are no weights. The shortlist is in files of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, write_json
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.imaging.load import PREPROCESSING_VERSION
from meteo_ray.products.base_model import GemmaBase, Quantize, find
from meteo_ray.products.calibration import ProductsCalibration
from meteo_ray.products.config import ProductsTraining
from meteo_ray.products.lora_adapter import add_adapter, load_trained_state, trained_state
from meteo_ray.products.shortlist import SHORTLIST, Shortlist
from meteo_ray.versions import versions
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.bundle import as_built_here

STAGE = "products"
BASE_FOLDER = "base"

WHERE_NOW = "say where it lies now: --products-base FOLDER (--base-model FOLDER of jobs/merge_products.py)"


@dataclass(frozen=True)
class LoadedProducts:
    """What a bundle gives a predictor; without a language model `model` and `base` are None."""

    model: nn.Module | None
    base: GemmaBase | None
    shortlist: Shortlist
    training: ProductsTraining
    calibration: ProductsCalibration
    version: str


def write_bundle(
    folder: Path,
    model: nn.Module | None,
    base: GemmaBase | None,
    config: ProductsTraining,
    shortlist: Shortlist,
    calibration: ProductsCalibration,
    details: Mapping[str, Any] | None = None,
) -> None:
    """Write everything but SHA256SUMS and metrics.json into an existing folder; `details` is what config.json says
    besides."""
    made_from = None
    if model is not None and base is not None:
        state = trained_state(model, config.adaptation)
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, folder / bundle.WEIGHTS)
        made_from = {"name": config.base_model, "folder": str(base.folder), "sha256": base.fingerprint()}
        if config.adaptation == "full":
            base.config.save_pretrained(folder / BASE_FOLDER)
            base.processor.save_pretrained(folder / BASE_FOLDER)
    shortlist.write(folder)
    document = {
        "stage": STAGE,
        "bundle_version": bundle.BUNDLE_VERSION,
        "image_size": list(INPUT_SIZE if base is None else base.image_size),
        "preprocessing_version": PREPROCESSING_VERSION,
        "base": made_from,
        **(details or {}),
        "training": config.model_dump(mode="json"),
        "versions": versions(),
    }
    write_json(folder / bundle.CONFIG, document)
    (folder / bundle.LABELS).write_text(shortlist.vocabulary.to_yaml(), "utf-8")
    write_json(folder / bundle.CALIBRATION, calibration.to_json())


def read_bundle(
    folder: Path,
    device: str,
    vocabulary: Vocabulary | None = None,
    base_model: str | Path | None = None,
    quantize: Quantize | None = None,
    dtype: torch.dtype | None = None,
    with_language_model: bool = True,
) -> LoadedProducts:
    """The model on `device`, in evaluation mode, and what belongs to it.

    Args:
        folder: the bundle.
        device: torch's name of it.
        vocabulary: the caller's; it may go on where the trained one ends. What came up since is ranked by its names.
        base_model: where an adapter's base lies now, if not where it was trained from.
        quantize: how to load an adapter's base, if not as in training.
        dtype: of an adapter's base, if not that which suits the device.
        with_language_model: whether it is wanted, where the bundle has one; without, no base is looked for.

    Raises:
        UsageError: naming what is missing, damaged or made for something else.
    """
    version = bundle.check(folder, STAGE)
    document = bundle.read_config(folder, STAGE)
    require_current(folder)
    shortlist = read_shortlist(folder, vocabulary)
    if document.get("preprocessing_version") != PREPROCESSING_VERSION:
        raise UsageError(
            f"{folder}: made for images prepared by version {document.get('preprocessing_version')}, this meteo_ray "
            f"prepares them by version {PREPROCESSING_VERSION}; train it again with jobs/train_products.py"
        )
    with as_built_here(folder, "a product model"):
        training = ProductsTraining.model_validate(document["training"])
        calibration = ProductsCalibration.from_json(read_json(folder / bundle.CALIBRATION))
    require_quantizable(folder, quantize)
    model, base = (
        _language_model(folder, device, document, training, base_model, quantize, dtype)
        if with_language_model
        else (None, None)
    )
    return LoadedProducts(model, base, shortlist, training, calibration, version)


def require_current(folder: Path) -> None:
    """Raises UsageError for a bundle of an earlier meteo_ray, which had no shortlist."""
    if not (folder / SHORTLIST).is_file():
        raise UsageError(
            f"{folder}: made by an earlier meteo_ray, without a shortlist of products; train it again with "
            "jobs/train_products.py"
        )


def read_shortlist(folder: Path, vocabulary: Vocabulary | None = None) -> Shortlist:
    """The shortlist of a bundle, for the caller's vocabulary, as in `read_bundle`. Raises UsageError."""
    trained = bundle.read_labels(folder, vocabulary)
    if vocabulary is not None:
        _require_same_names(folder, vocabulary, trained)
    return Shortlist.read(folder, vocabulary or trained)


def _language_model(
    folder: Path,
    device: str,
    document: dict[str, Any],
    training: ProductsTraining,
    base_model: str | Path | None,
    quantize: Quantize | None,
    dtype: torch.dtype | None,
) -> tuple[nn.Module | None, GemmaBase | None]:
    if document["base"] is None:
        return None, None
    if training.adaptation == "full":
        base = GemmaBase.open(folder / BASE_FOLDER, with_weights=False)
        model = base.empty_model(device)
    else:
        base = _trained_base(folder, document, base_model)
        model = base.load_model(quantize or training.quantize, device, dtype=dtype)
        add_adapter(model, training.lora_rank, training.lora_alpha)
    load_trained_state(model, bundle.read_weights(folder), training.adaptation)
    return model.eval(), base


def _require_same_names(folder: Path, vocabulary: Vocabulary, trained: Vocabulary) -> None:
    """Gemma has learnt the Chinese names: under another one it would answer as if it had never seen the product."""
    renamed = [
        f"{known.id}: {now.zh} in the vocabulary, {known.zh} in the model"
        for section in ("elements", "products")
        for known, now in zip(getattr(trained, section), getattr(vocabulary, section), strict=False)
        if now.zh != known.zh
    ]
    if renamed:
        raise UsageError.of_problems(f"{folder}: trained with other names; give them back, or train again:", renamed)


def require_quantizable(folder: Path, quantize: Quantize | None) -> None:
    """Raises UsageError when 4 bits are asked for and the bundle holds a whole model instead of an adapter."""
    adaptation = bundle.read_config(folder, STAGE)["training"]["adaptation"]
    if quantize == "nf4" and adaptation == "full":
        raise UsageError(
            f"{folder}: trained in full, so its weights are used as they are; leave --cascade.products-quantize out"
        )


def require_base(folder: Path, base_model: str | Path | None = None) -> None:
    """Raises UsageError when the base model of a bundle's adapter is not there, see `base_before_training`, or has
    changed. Its files are read once for their sums, which are kept; no weights are loaded."""
    document = bundle.read_config(folder, STAGE)
    if document["base"] is not None and document["training"]["adaptation"] == "lora":
        _trained_base(folder, document, base_model)


def read_origin(folder: Path) -> tuple[dict[str, Any], ProductsTraining]:
    """The config.json of a bundle with a language model, and the settings of its training.

    Raises:
        UsageError: when the bundle has none.
    """
    bundle.check(folder, STAGE)
    require_current(folder)
    document = bundle.read_config(folder, STAGE)
    if document["base"] is None:
        raise UsageError(f"{folder}: has no language model: it was trained with --products.base-model none")
    return document, ProductsTraining.model_validate(document["training"])


def base_before_training(folder: Path, base_model: str | Path | None = None) -> tuple[GemmaBase, ProductsTraining]:
    """The base model that a bundle was trained from, still as it was then, and the settings of the training.

    `base_model` is where it lies now, if not where it lay. Raises UsageError when the bundle has none, when it is gone,
    or another one.
    """
    document, training = read_origin(folder)
    return _trained_base(folder, document, base_model), training


def _origin(folder: Path, document: dict[str, Any]) -> Path:
    """Where a bundle's base lay, or where its name leads. Raises UsageError when that is nowhere."""
    recorded, name = Path(document["base"]["folder"]), document["base"]["name"]
    if recorded.is_dir():
        return recorded
    try:
        return find(name)
    except UsageError:
        raise UsageError(
            f"{folder}: trained from a base model in {recorded}, which is not there any more, nor is {name!r} a folder "
            f"here or in the local hub cache; {WHERE_NOW}"
        ) from None


def _trained_base(folder: Path, document: dict[str, Any], base_model: str | Path | None) -> GemmaBase:
    """The base that a bundle was trained from: where the caller says, where it lay, or by its name."""
    made_from = document["base"]
    advice = f"The model in {folder} was trained from a base model; {WHERE_NOW}"
    base = GemmaBase.open(base_model or _origin(folder, document), advice=advice)
    recorded, actual = made_from["sha256"], base.fingerprint()
    changed = [name for name, expected in recorded.items() if actual.get(name) != expected]
    if changed:
        raise UsageError(
            f"{base.folder}: not the base model that the model in {folder} was trained from "
            f"({', '.join(changed)} differs); give {made_from['name']} as it was then, or train again"
        )
    unknown = [name for name in actual if name not in recorded]
    if unknown:
        raise UsageError(
            f"{folder}: made by an earlier meteo_ray, which did not record which {', '.join(unknown)} it was "
            "trained with, so nobody can tell whether this base fits; train it again with jobs/train_products.py"
        )
    return base
