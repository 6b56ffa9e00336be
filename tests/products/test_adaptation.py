"""What an adapted base computes and learns: a frozen tower outside of autograd, 4 bits in the language model alone."""

from pathlib import Path

import numpy as np
import pytest
import torch
from bitsandbytes.nn import Linear4bit
from torch.utils.checkpoint import checkpoint

from meteo_ray.products import image_features
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.candidate_scoring import log_likelihoods, pack
from meteo_ray.products.config import ProductsTraining
from meteo_ray.products.lora_adapter import adapter_parameters, is_adapter, training_model
from meteo_ray.products.prompt import PromptEncoder

PRODUCTS = ["wind_rose", "24h_cn_snowfall"]


def settings(base_folder: Path, adaptation: str = "lora", quantize: str = "none") -> ProductsTraining:
    return ProductsTraining(
        base_model=str(base_folder), adaptation=adaptation, quantize=quantize, lora_rank=2, lora_dropout=0.0
    )


def model_of(base: GemmaBase, config: ProductsTraining) -> torch.nn.Module:
    """In training mode, the adapter with some effect."""
    model = training_model(base, config, "cpu").train()
    generator = torch.Generator().manual_seed(3)
    for parameter in adapter_parameters(model):
        parameter.data.normal_(std=0.1, generator=generator)
    return model


@pytest.fixture(scope="module")
def batch(base: GemmaBase, vocabulary) -> dict[str, torch.Tensor]:
    encoder = PromptEncoder(base.processor, vocabulary)
    prompts = [encoder.encode_prompt(["wind"], PRODUCTS), encoder.encode_prompt(["snow"], PRODUCTS)]
    answers = [encoder.encode_answers([name]) for name in PRODUCTS]
    width, height = base.image_size
    images = np.random.default_rng(0).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    return {**pack(prompts, answers, base), "image": torch.from_numpy(images)}


def loss_of(model: torch.nn.Module, batch: dict[str, torch.Tensor], base: GemmaBase) -> torch.Tensor:
    return -log_likelihoods(model, batch, base).mean()


def plain_loss(model, base: GemmaBase, vocabulary, images: torch.Tensor) -> torch.Tensor:
    """The same through the library's own forward, row by row, pixels and all in autograd."""
    encoder, losses = PromptEncoder(base.processor, vocabulary), []
    for image, element, name in zip(images, ["wind", "snow"], PRODUCTS, strict=True):
        prompt, answer = encoder.encode_prompt([element], PRODUCTS), encoder.encode_answer(name)
        ids = torch.tensor([prompt + answer])
        logits = model(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            token_type_ids=(ids == base.image_token).long(),
            pixel_values=base.pixel_values(image[None]),
        ).logits[0, len(prompt) - 1 : -1]
        losses.append(torch.nn.functional.cross_entropy(logits, torch.tensor(answer), reduction="sum"))
    return torch.stack(losses).mean()


def test_a_frozen_tower_stays_out_of_autograd(base_folder, base, vocabulary, batch, monkeypatch) -> None:
    model = model_of(base, settings(base_folder))
    assert settings(base_folder).gradient_checkpointing
    towers = list(image_features.vision_parts(model))
    inside, outputs = [], []
    for tower in towers:
        for module in tower.modules():
            assert not getattr(module, "gradient_checkpointing", False)
            module.register_forward_hook(lambda _, __, output: inside.append(torch.is_grad_enabled()))
    towers[-1].register_forward_hook(lambda _, __, output: outputs.append(output))
    checkpointed = []

    def counting(function, *arguments, **options):
        checkpointed.append(function)
        return checkpoint(function, *arguments, use_reentrant=False, **options)

    for layer in model.model.language_model.layers:
        assert layer.gradient_checkpointing
        layer._gradient_checkpointing_func = counting
    loss = loss_of(model, batch, base)
    loss.backward()
    assert len(checkpointed) == len(model.model.language_model.layers)
    assert len(outputs) == 1  # the backward pass does not run it again
    assert not outputs[0].requires_grad
    assert inside
    assert not any(inside)
    assert all(parameter.grad is not None for parameter in adapter_parameters(model))

    # The straightforward way: nothing checkpointed, everything in autograd, the library's own forward.
    plain = model_of(base, settings(base_folder).model_copy(update={"gradient_checkpointing": False}))
    plain.requires_grad_(True)
    expected = plain_loss(plain, base, vocabulary, batch["image"])
    expected.backward()
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    for found, wanted in zip(adapter_parameters(model), adapter_parameters(plain), strict=True):
        assert torch.allclose(found.grad, wanted.grad, rtol=1e-5, atol=1e-5)


def test_full_training_reaches_the_tower(base_folder, base, vocabulary, batch) -> None:
    model = model_of(base, settings(base_folder, "full"))
    loss_of(model, batch, base).backward()
    plain = model_of(base, settings(base_folder, "full").model_copy(update={"gradient_checkpointing": False}))
    plain_loss(plain, base, vocabulary, batch["image"]).backward()
    wanted = dict(plain.named_parameters())
    reached = [name for name, parameter in model.named_parameters() if parameter.grad is not None]
    assert any("vision_tower" in name for name in reached)
    assert any("multi_modal_projector" in name for name in reached)
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            assert torch.allclose(parameter.grad, wanted[name].grad, rtol=1e-4, atol=1e-5), name


def test_features_can_stand_in_for_pixels(base_folder, base, batch) -> None:
    model = model_of(base, settings(base_folder))
    features = image_features.image_features(model, base, batch["image"])
    given = {**{name: tensor for name, tensor in batch.items() if name != "image"}, "features": features}
    assert torch.equal(loss_of(model, given, base), loss_of(model, batch, base))


def test_four_bits_hold_the_language_model_alone_and_never_change(base_folder, base, batch) -> None:
    model = training_model(base, settings(base_folder, quantize="nf4"), "cpu")
    quantised = {name for name, module in model.named_modules() if isinstance(module, Linear4bit)}
    layers = len(model.model.language_model.layers)
    assert len(quantised) == 7 * layers  # q, k, v, o, gate, up, down
    assert all("language_model.layers" in name for name in quantised)
    whole = base.load_model().state_dict()
    for name, tensor in model.state_dict().items():
        if any(part in name for part in ("vision_tower", "multi_modal_projector", "embed_tokens", "lm_head")):
            assert torch.equal(tensor, whole[name]), name

    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    optimizer = torch.optim.AdamW(adapter_parameters(model), lr=1e-2)
    losses = []
    for step in range(8):
        model.train()
        optimizer.zero_grad()
        loss = loss_of(model, batch, base)
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        if step == 3:  # as validation between epochs does, where bitsandbytes may repack weights
            with torch.inference_mode():
                loss_of(model.eval(), batch, base)
    assert losses[-1] < 0.8 * losses[0]
    changed = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    assert changed
    assert all(is_adapter(name) for name in changed)
