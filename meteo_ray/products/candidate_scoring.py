"""Exact log-likelihood of every candidate answer, in one pass over prompt and answers.

A row is laid out as its prompt, padded on the left, and the trie of its answers, padded on the right. A mask lets each
trie node see the prompt and its own ancestors only, and positions count along the path, so the model computes for every
node what it would compute if that answer stood there alone: the prompt, image included, is paid for once however many
candidates there are. Training uses the same layout with the right answer as the only one.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import nn

from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.trie import TokenTrie, build_trie

# Slots whose float32 logits exist at the same time: 64 x 262 208 tokens x 4 bytes = 67 MB a row.
SLOT_CHUNK = 64

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
        batch: what `pack` made, on the model's device, and `image` uint8 `(rows, height, width, 3)`.
        base: of the model.
    """
    slots = int(batch["slots"][0, 0])
    logits = model(
        input_ids=batch["input_ids"],
        pixel_values=base.pixel_values(batch["image"]),
        attention_mask=_masks(batch["visible"], batch["position_ids"], base.sliding_window),
        position_ids=batch["position_ids"],
        logits_to_keep=slots,
        use_cache=False,
    ).logits
    wanted = logits.flatten(1).gather(1, (batch["step_slot"] * logits.shape[-1] + batch["step_token"]).flatten(1))
    normaliser = torch.cat([_log_sum_exp(chunk) for chunk in logits.split(SLOT_CHUNK, dim=1)], dim=1)
    total = normaliser.gather(1, batch["step_slot"].flatten(1))
    steps = (wanted.to(normaliser.dtype) - total).view_as(batch["step_slot"])
    return steps.where(batch["step_real"], 0.0).sum(dim=-1)


def confidences(log_likelihood: np.ndarray, temperature: float) -> np.ndarray:
    """Softmax over candidates of `log_likelihood / temperature`: float64 `(rows, candidates)`; -inf gives 0."""
    scaled = np.asarray(log_likelihood, dtype=np.float64) / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return weights / weights.sum(axis=1, keepdims=True)


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


def _log_sum_exp(logits: torch.Tensor) -> torch.Tensor:
    """At least in float32: bfloat16 cannot sum 262 208 terms."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32)).logsumexp(dim=-1)
