"""What of the base model is trained: a low-rank adapter on the language model (QLoRA, R30), or every weight."""

from collections.abc import Mapping
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from meteo_ray.errors import UsageError
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.config import ProductsTraining

# The linear layers of the language model's blocks; the vision tower's have other parents, so it stays frozen.
TARGETS = r".*language_model\.layers\.\d+\.(self_attn\.[qkvo]_proj|mlp\.(gate|up|down)_proj)"

# The output layer shares the embedding's tensor, which a safetensors file holds once.
TIED = "lm_head.weight"


def training_model(base: GemmaBase, config: ProductsTraining, device: str, seed: int = 0) -> nn.Module:
    """The base model, ready to train as the config says; only what is trained requires a gradient.

    With LoRA only the language model's activations are checkpointed: the frozen tower keeps none, and switched on for
    the whole model transformers would make its embeddings ask for a gradient, and with them every layer of it.
    """
    full = config.adaptation == "full"
    model: Any = base.load_model(config.quantize, device, train_all=full)
    if not full:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            add_adapter(model, config.lora_rank, config.lora_alpha, config.lora_dropout)
    if config.gradient_checkpointing:
        _checkpoint_activations(model if full else model.model.language_model)
    return model


def _checkpoint_activations(model: Any) -> None:
    """Without the gradient of the input embeddings, which only checkpoints of the older, reentrant kind need."""
    model.activation_checkpointing_enable({"use_reentrant": False})
    model.disable_input_require_grads()


def add_adapter(model: nn.Module, rank: int, alpha: int, dropout: float = 0.0) -> None:
    """Put a float32 adapter, at first without effect (B = 0), beside every target layer and freeze the rest."""
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=TARGETS)
    inject_adapter_in_model(config, model)
    for name, parameter in model.named_parameters():
        if is_adapter(name):
            parameter.data = parameter.data.float()


def is_adapter(name: str) -> bool:
    return ".lora_" in name


def adapter_parameters(model: nn.Module) -> list[nn.Parameter]:
    return [parameter for name, parameter in model.named_parameters() if is_adapter(name)]


def trained_state(model: nn.Module, adaptation: str) -> dict[str, torch.Tensor]:
    """The tensors that training changes: the adapter's, or all but the tied copy of the embedding."""
    state = model.state_dict()
    if adaptation == "lora":
        return {name: tensor for name, tensor in state.items() if is_adapter(name)}
    return {name: tensor for name, tensor in state.items() if name != TIED}


def load_trained_state(model: nn.Module, state: Mapping[str, torch.Tensor], adaptation: str) -> None:
    """Put `trained_state`'s tensors back. Raises UsageError when names or shapes do not fit the model."""
    expected = trained_state(model, adaptation)
    problems = [f"missing: {name}" for name in expected if name not in state]
    problems += [f"not in this model: {name}" for name in state if name not in expected]
    problems += [
        f"{name}: shape {tuple(state[name].shape)}, wanted {tuple(expected[name].shape)}"
        for name in expected
        if name in state and state[name].shape != expected[name].shape
    ]
    if problems:
        raise UsageError.of_problems("the trained weights do not fit the base model:", problems, limit=5)
    model.load_state_dict(dict(state), strict=False)
