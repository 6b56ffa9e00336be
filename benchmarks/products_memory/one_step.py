"""One QLoRA step, and what autograd keeps of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.candidate_scoring import log_likelihoods
from meteo_ray.products.config import ProductsTraining
from meteo_ray.products.lora_adapter import adapter_parameters, add_adapter


def adapted(model: Any, device: str) -> Any:
    add_adapter(model, ProductsTraining().lora_rank, ProductsTraining().lora_alpha, ProductsTraining().lora_dropout)
    return model.to(device)


def checkpointing(model: Any) -> None:
    model.model.language_model.activation_checkpointing_enable({"use_reentrant": False})
    model.model.language_model.disable_input_require_grads()


def step(model: Any, batch: dict[str, torch.Tensor], base: GemmaBase, optimizer: torch.optim.Optimizer) -> float:
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(batch["image"].device.type, torch.bfloat16):
        loss = -log_likelihoods(model, batch, base).mean()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(adapter_parameters(model), 1.0)
    if not torch.isfinite(norm):
        raise SystemExit("the gradient is not a number")
    optimizer.step()
    return float(loss.detach())


def stored_bytes(layer: Any) -> int:
    state = layer.weight.quant_state
    tensors = [layer.weight, state.absmax, state.state2.absmax]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def saved_bytes(model: Any, batch: dict[str, torch.Tensor], base: GemmaBase) -> int:
    """What autograd keeps of the last decoder layer, weights left out, each storage once."""
    weights = {tensor.untyped_storage().data_ptr() for tensor in model.state_dict().values()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with (
        watched(model.model.language_model.layers[-1], keep),
        torch.autocast(batch["image"].device.type, torch.bfloat16),
    ):
        log_likelihoods(model, batch, base).sum().backward()
    model.zero_grad(set_to_none=True)
    return sum(kept.values())


@contextmanager
def watched(layer: nn.Module, keep: Any) -> Iterator[None]:
    plain = layer.forward

    def forward(*arguments: Any, **options: Any) -> Any:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            return plain(*arguments, **options)

    layer.forward = forward
    try:
        yield
    finally:
        del layer.forward
