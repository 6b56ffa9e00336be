"""Exact log-likelihood of every candidate answer, in one pass over prompt and answers.

A row is laid out as its prompt, padded on the left, and the trie of its answers, padded on the right. A mask lets each
trie node see the prompt and its own ancestors only, and positions count along the path, so the model computes for every
node what it would compute if that answer stood there alone: the prompt, image included, is paid for once however many
candidates there are. Training uses the same layout.

Nothing is rounded between the last hidden states and the score: the output layer is applied in float32, for at 262 208
tokens a bfloat16 logit of 20 is off by up to 0.06, which is more than near candidates differ by.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.image_features import as_model_input, image_features
from meteo_ray.products.trie import TokenTrie, build_trie

# Words whose float32 weights and logits exist at the same time. At Gemma 3 4B's width 8192 x 2560 x 4 bytes = 84 MB of
# weights, and 33 kB of logits a slot; the whole output layer in float32 would take 2.7 GB.
VOCABULARY_CHUNK = 8192

IMPOSSIBLE = -np.inf


def pack(
    prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[Sequence[int]]], base: GemmaBase
) -> dict[str, torch.Tensor]:
    """Token ids of prompts and of each one's answers -> CPU tensors for `log_likelihoods`, all with the row first.

    input_ids, position_ids int64 `(rows, length)`; visible bool `(rows, length, length)`, query by key; step_slot,
    step_token int64 and step_real bool `(rows, answers, tokens)`, padded to the longest; slots int64 `(rows, 1)`.
    """
    tries = [build_trie(row) for row in answers]
    width = max(map(len, prompts))
    nodes = max(len(trie.tokens) for trie in tries)
    length = width + nodes
    input_ids = np.full((len(prompts), length), base.processor.tokenizer.pad_token_id, dtype=np.int64)
    positions = np.zeros((len(prompts), length), dtype=np.int64)
    visible = np.zeros((len(prompts), length, length), dtype=bool)
    for row, (prompt, trie) in enumerate(zip(prompts, tries, strict=True)):
        start, end = width - len(prompt), width + len(trie.tokens)
        input_ids[row, start:width], input_ids[row, width:end] = prompt, trie.tokens
        positions[row, start:width] = np.arange(len(prompt))
        positions[row, width:end] = len(prompt) - 1 + trie.depths
        visible[row, start:end, start:end] = _visible(np.asarray(prompt) == base.image_token, trie)
        # A padding query that sees nothing would divide zero by zero in the softmax.
        np.fill_diagonal(visible[row], True)
    arrays = {"input_ids": input_ids, "position_ids": positions, "visible": visible}
    arrays |= _steps(tries) | {"slots": np.full((len(prompts), 1), nodes + 1, dtype=np.int64)}
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def log_likelihoods(model: nn.Module, batch: dict[str, torch.Tensor], base: GemmaBase) -> torch.Tensor:
    """Log-probability of each answer given its row's prompt and image: float32 `(rows, answers)`, 0 where padded.

    Args:
        model: the base model, with or without an adapter.
        batch: what `pack` made, on the model's device, and `image` uint8 `(rows, height, width, 3)` or, in its place,
            `features` `(rows, tokens, hidden)`, what `image_features` made of it.
        base: of the model.
    """
    features = batch["features"] if "features" in batch else image_features(model, base, batch["image"])
    slots = int(batch["slots"][0, 0])
    hidden = _body(model)(
        input_ids=batch["input_ids"],
        mm_encoder_outputs=as_model_input(features),
        attention_mask=_masks(batch["visible"], batch["position_ids"], base.sliding_window),
        position_ids=batch["position_ids"],
        use_cache=False,
    ).last_hidden_state[:, -slots:]
    with torch.autocast(hidden.device.type, enabled=False):
        steps = _step_log_probabilities(hidden, _output_weight(model), batch["step_slot"], batch["step_token"])
    return steps.where(batch["step_real"], 0.0).sum(dim=-1)


def _body(model: Any) -> Any:
    """The network up to its last hidden states. `nn.Module.compile` changes only the module that it is called on, so
    what was asked of the whole model is passed on."""
    body = model.model
    if model._compiled_call_impl is not None and body._compiled_call_impl is None:
        body.compile(dynamic=True)
    return body


def _output_weight(model: Any) -> torch.Tensor:
    weight: torch.Tensor = model.get_output_embeddings().weight
    return weight


def _step_log_probabilities(
    hidden: torch.Tensor, weight: torch.Tensor, slot: torch.Tensor, token: torch.Tensor
) -> torch.Tensor:
    """Log-probability of `token` at `slot`, both `(rows, answers, tokens)`, of hidden states `(rows, slots, width)`."""
    hidden = hidden.to(torch.promote_types(hidden.dtype, torch.float32))
    row = torch.arange(len(hidden), device=hidden.device)[:, None, None]
    words = nn.functional.embedding(token, weight).to(hidden.dtype)
    return (hidden[row, slot] * words).sum(dim=-1) - _log_normaliser(hidden, weight)[row, slot]


def _log_normaliser(hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Log of the softmax's denominator at every slot, `(rows, slots)`, in the type of `hidden`.

    A part of the vocabulary at a time, computed again in the backward pass: neither all logits nor a float32 copy of
    the output layer ever exist.
    """
    parts = weight.split(VOCABULARY_CHUNK)
    if torch.is_grad_enabled():
        sums = [checkpoint(_log_sum_exp, hidden, part, use_reentrant=False, preserve_rng_state=False) for part in parts]
    else:
        sums = [_log_sum_exp(hidden, part) for part in parts]
    return torch.stack(sums).logsumexp(dim=0)


def _log_sum_exp(hidden: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    return nn.functional.linear(hidden, weight.to(hidden.dtype)).logsumexp(dim=-1)


def _visible(is_image: np.ndarray, trie: TokenTrie) -> np.ndarray:
    """bool `(prompt + nodes, prompt + nodes)`: causal, both ways within the image, each node its prompt and path."""
    prompt, nodes = len(is_image), len(trie.tokens)
    seen = np.zeros((prompt + nodes, prompt + nodes), dtype=bool)
    seen[:prompt, :prompt] = np.tri(prompt, dtype=bool) | np.outer(is_image, is_image)
    seen[prompt:, :prompt] = True
    seen[prompt:, prompt:] = trie.ancestors
    return seen


def _masks(visible: torch.Tensor, positions: torch.Tensor, window: int) -> dict[str, torch.Tensor]:
    """The masks `(rows, 1, length, length)` of Gemma 3's two kinds of layers; the windowed ones see less far back."""
    near = positions[:, None, :] > positions[:, :, None] - window
    return {"full_attention": visible[:, None], "sliding_attention": (visible & near)[:, None]}


def _steps(tries: Sequence[TokenTrie]) -> dict[str, np.ndarray]:
    answers = max(len(trie.steps) for trie in tries)
    tokens = max(len(steps) for trie in tries for steps in trie.steps)
    slot, token = (np.zeros((len(tries), answers, tokens), dtype=np.int64) for _ in range(2))
    real = np.zeros(slot.shape, dtype=bool)
    for row, trie in enumerate(tries):
        for answer, steps in enumerate(trie.steps):
            slot[row, answer, : len(steps)], token[row, answer, : len(steps)] = zip(*steps, strict=True)
            real[row, answer, : len(steps)] = True
    return {"step_slot": slot, "step_token": token, "step_real": real}
