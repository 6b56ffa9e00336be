"""An adapter merged into its base: an ordinary Gemma 3 folder, which needs neither this project nor peft to be used.

W + alpha / r * B A is computed in float32 and rounded once to bfloat16. An adapter that was trained on 4-bit weights is
merged into the whole ones, as everybody does; what that changes, an evaluation with `--cascade.products-quantize none`
shows beforehand.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft.tuners.lora import LoraLayer
from torch import nn

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.files import SIGN, replace_folder, require_ours, write_json
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.bundle import STAGE, read_bundle, read_origin
from meteo_ray.products.config import CANDIDATES
from meteo_ray.products.prompt import PromptEncoder
from meteo_ray.vocabulary import Vocabulary

RECORD = "merged.json"

# Root mean square of the logits' differences, as a share of the logits' own spread, that two ways to round may make. In
# each of Gemma 3 4B's 2 x 34 branches weights, products and sums are rounded to bfloat16's 8 bits in either way, about
# four independent errors of 2^-9: sqrt(2 x 34 x 4) x 2^-9 = 0.032. Twice that is allowed.
TOLERANCE = 0.064

# Candidates of the probe's prompt.
PROBE_CANDIDATES = CANDIDATES


@dataclass(frozen=True)
class Merged:
    """How far the merged model's logits are from the adapted one's, and how far the adapter had moved them; both as
    shares of the logits' spread."""

    error: float
    effect: float


def merge_adapter(folder: Path, out: Path, base_model: str | Path | None = None) -> Merged:
    """Write the base model of the bundle in `folder`, with its adapter merged in, to `out`.

    What was written is loaded again and compared before it takes its place; until then `out` is untouched.

    Raises:
        UsageError: when the bundle holds no adapter or does not fit its base, when something that was not made here
            stands at `out`, or when the merged model answers differently.
    """
    require_ours(out, "merged base model", RECORD)
    _, training = read_origin(folder)
    if training.adaptation != "lora":
        raise UsageError(f"{folder}: trained in full: there is no adapter to merge")
    loaded = read_bundle(folder, "cpu", base_model=base_model, quantize="none", dtype=torch.bfloat16)
    model, base = loaded.model, loaded.base
    assert model is not None
    assert base is not None
    if out.resolve() == base.folder:
        raise UsageError(f"{out}: is the base model itself; name another place for the merged one")
    if out.exists() and not (out / RECORD).is_file():
        raise UsageError(f"{out}: is no merged base model, which alone is replaced; name another place")
    probe = _probe(base, loaded.shortlist.vocabulary)
    adapted = _logits(model, probe)
    before = _logits(model, probe, with_adapter=False)
    merge_layers(model)
    scratch = out.with_name(f".{out.name}.{os.getpid()}.new")
    out.parent.mkdir(parents=True, exist_ok=True)
    try:
        _write(model, base, scratch, {"adapter": loaded.version, "base": base.fingerprint()})
        del loaded, model
        again = GemmaBase.open(scratch).load_model(dtype=torch.bfloat16)
        found = Merged(_distance(_logits(again, probe), adapted), _distance(before, adapted))
        if not found.error <= TOLERANCE:  # NaN is not
            raise UsageError(
                f"{folder}: merged, its logits differ by {found.error:.1%} of their spread, more than the "
                f"{TOLERANCE:.1%} that rounding explains; nothing was written to {out}"
            )
        replace_folder(scratch, out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return found


def merge_layers(model: nn.Module) -> None:
    """Put plain linear layers, with the adapter's part in their weights, in the place of adapted ones."""
    for name, layer in list(_adapted_layers(model)):
        plain: Any = layer.get_base_layer()
        with torch.no_grad():
            merged = plain.weight.float() + layer.get_delta_weight(layer.active_adapters[0]).float()
            plain.weight.copy_(merged)
        model.set_submodule(name, plain)


def _adapted_layers(model: nn.Module) -> Iterator[tuple[str, Any]]:
    return ((name, module) for name, module in model.named_modules() if isinstance(module, LoraLayer))


def _write(model: Any, base: GemmaBase, scratch: Path, record: dict[str, Any]) -> None:
    model.save_pretrained(scratch)
    base.processor.save_pretrained(scratch)
    write_json(scratch / RECORD, {"stage": STAGE, "bundle_version": bundle.BUNDLE_VERSION, **record})
    (scratch / SIGN).touch()


def _probe(base: GemmaBase, vocabulary: Vocabulary) -> dict[str, torch.Tensor]:
    """One question with an image of noise, and all answers but the last token of its first candidate."""
    encoder = PromptEncoder(base.processor, vocabulary)
    listed = vocabulary.product_ids[:PROBE_CANDIDATES]
    elements = vocabulary.product_by_id[listed[0]].elements
    ids = torch.tensor([encoder.encode_prompt(elements, listed) + encoder.encode_answer(listed[0])])
    width, height = base.image_size
    image = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    return {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "token_type_ids": (ids == base.image_token).long(),
        "pixel_values": base.pixel_values(torch.from_numpy(image)),
    }


@torch.inference_mode()
def _logits(model: Any, probe: dict[str, torch.Tensor], with_adapter: bool = True) -> torch.Tensor:
    """Of the last 16 tokens, where the answer is: float32 `(16, words)`, through the library's own forward."""
    for _, layer in _adapted_layers(model):
        layer.enable_adapters(with_adapter)
    logits: torch.Tensor = model(**probe, logits_to_keep=16, use_cache=False).logits[0].float()
    return logits


def _distance(found: torch.Tensor, wanted: torch.Tensor) -> float:
    return float((found - wanted).square().mean().sqrt() / wanted.std())
