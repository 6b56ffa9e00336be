"""Gemma 3 4B's true shape with random weights, held as a training or the archive job would hold real ones."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import bitsandbytes as bnb
import torch
from torch import nn
from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3TextConfig, SiglipVisionConfig

from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.config import SmallBase
from meteo_ray.products.small_base import make_small_base
from meteo_ray.vocabulary import Vocabulary

LAYERS, VISION_LAYERS = 34, 27


def true_base(vocabulary: Vocabulary, layers: int, vision_layers: int) -> GemmaBase:
    """Gemma 3 4B's config (google/gemma-3-4b-pt), and the processor of a small base at its image size."""
    with tempfile.TemporaryDirectory() as folder:
        small = SmallBase(
            hidden_size=32, layers=1, heads=2, image_size=896, patch_size=14, vision_hidden_size=32, vision_layers=1,
            image_tokens_per_side=16,
        )  # fmt: skip
        make_small_base(Path(folder) / "base", vocabulary, small)
        base = GemmaBase.open(Path(folder) / "base")
    text = Gemma3TextConfig(
        vocab_size=262208,
        hidden_size=2560,
        intermediate_size=10240,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=256,
        query_pre_attn_scalar=256,
        sliding_window=1024,
        # Every sixth layer sees everything; a cut stack ends with such a layer.
        layer_types=[
            "full_attention" if (layer + 1) % 6 == 0 or (layers < 6 and layer == layers - 1) else "sliding_attention"
            for layer in range(layers)
        ],
    )
    vision = SiglipVisionConfig(
        hidden_size=1152,
        intermediate_size=4304,
        num_hidden_layers=vision_layers,
        num_attention_heads=16,
        image_size=896,
        patch_size=14,
        vision_use_head=False,
    )
    config = Gemma3Config(
        text_config=text,
        vision_config=vision,
        mm_tokens_per_image=256,
        image_token_index=base.config.image_token_id,
        boi_token_index=base.config.boi_token_index,
        eoi_token_index=base.config.eoi_token_index,
    )
    return replace(base, config=config)


def empty_model(base: GemmaBase) -> Any:
    """The network without memory behind its weights."""
    with torch.device("meta"):
        return Gemma3ForConditionalGeneration._from_config(
            base.config, dtype=torch.bfloat16, attn_implementation="sdpa"
        )


def random_model(base: GemmaBase, device: str) -> Any:
    """Random weights as `GemmaBase.load_model("nf4")` would hold real ones, made layer by layer on the device."""
    model = empty_model(base)
    for name, module in list(model.model.language_model.named_modules()):
        if type(module) is nn.Linear:
            shape = (module.out_features, module.in_features)
            values = torch.randn(shape, dtype=torch.bfloat16, device=device) * module.in_features**-0.5
            quantised = bnb.nn.Linear4bit(
                module.in_features, module.out_features, False, torch.bfloat16, True, "nf4", device="meta"
            )
            quantised.weight = bnb.nn.Params4bit(
                values.cpu(), requires_grad=False, compress_statistics=True, quant_type="nf4"
            ).to(device)
            quantised.support_avx512bf16_for_cpu = False
            model.model.language_model.set_submodule(name, quantised)
    materialise(model, device)
    return model.requires_grad_(False).eval()


def materialise(model: Any, device: str) -> None:
    """Give what is still without memory random values; buffers such as rotary frequencies are made as usual."""
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter.is_meta:
                values = 0.02 * torch.randn(parameter.shape, dtype=parameter.dtype, device=device)
                setattr(module, name, nn.Parameter(values, requires_grad=False))
    model.tie_weights()
    fresh = Gemma3ForConditionalGeneration._from_config(shrunk(model.config), attn_implementation="sdpa")
    sources = dict(fresh.named_modules())
    for name, module in model.named_modules():
        for buffer, tensor in list(module.named_buffers(recurse=False)):
            if tensor.is_meta:
                module.register_buffer(buffer, getattr(sources[name], buffer).to(device), persistent=False)


def shrunk(config: Gemma3Config) -> Gemma3Config:
    """The same buffers with few weights: one word, one layer of no width to speak of."""
    copy = Gemma3Config.from_dict(config.to_dict())
    copy.text_config.vocab_size, copy.text_config.intermediate_size, copy.text_config.pad_token_id = 8, 8, 0
    copy.text_config.num_hidden_layers = copy.vision_config.num_hidden_layers = 1
    copy.text_config.layer_types = copy.text_config.layer_types[:1] + copy.text_config.layer_types[-1:]
    copy.vision_config.intermediate_size = 8
    return copy
