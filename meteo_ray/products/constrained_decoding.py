"""Beam search over the candidates' tokens alone, as the plan decodes (R35); `candidate_scoring` gives exact scores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.image_features import as_model_input, image_features
from meteo_ray.products.trie import build_trie


@dataclass(frozen=True)
class Decoded:
    """Answers that survived the beam, best first: positions in the row's list, and their log-likelihoods."""

    answers: list[int]
    scores: list[float]


@torch.inference_mode()
def constrained_beam(
    model: Any,
    base: GemmaBase,
    images: torch.Tensor,
    prompts: Sequence[Sequence[int]],
    answers: Sequence[Sequence[Sequence[int]]],
    width: int = 3,
) -> list[Decoded]:
    """Search each row's answers with `width` beams, ranked by total log-likelihood as `scoring` ranks them.

    Args:
        model: transformers' model of `base`, with or without an adapter; in evaluation mode.
        base: gives tokenizer and pixel scale.
        images: uint8 `(rows, height, width, 3)` on the model's device.
        prompts: token ids of each row's prompt.
        answers: token ids of each row's answers; all end in the same token, which occurs nowhere else.
        width: beams kept at each step.
    """
    following = [build_trie(row).allowed() for row in answers]
    inputs = _left_padded(prompts, base, images.device)
    start, end = inputs["input_ids"].shape[1], answers[0][0][-1]

    def allowed(row: int, ids: torch.Tensor) -> list[int]:
        # A beam that left every answer is dead (score -inf) but must still be given something to say.
        return following[row].get(tuple(ids[start:].tolist()), [end])

    generated = model.generate(
        **inputs,
        mm_encoder_outputs=as_model_input(image_features(model, base, images)),
        prefix_allowed_tokens_fn=allowed,
        max_new_tokens=max(len(answer) for row in answers for answer in row),
        num_beams=width,
        num_return_sequences=width,
        do_sample=False,
        length_penalty=0.0,  # total log-likelihood, not its mean
        early_stopping="never",
        eos_token_id=end,
        pad_token_id=base.processor.tokenizer.pad_token_id,
        return_dict_in_generate=True,
        output_scores=True,
    )
    sequences = generated.sequences[:, start:].unflatten(0, (len(prompts), width)).tolist()
    # One beam is greedy search, which transformers reports without a total.
    scores = _totals(model, generated, width).unflatten(0, (len(prompts), width)).tolist()
    return [_match(*row, end) for row in zip(answers, sequences, scores, strict=True)]


def _totals(model: Any, generated: Any, width: int) -> torch.Tensor:
    if width > 1:
        totals: torch.Tensor = generated.sequences_scores
        return totals
    steps = model.compute_transition_scores(generated.sequences, generated.scores, normalize_logits=True)
    return steps.where(steps.isfinite(), 0.0).sum(dim=1)


def _match(answers: Sequence[Sequence[int]], sequences: list[list[int]], scores: list[float], end: int) -> Decoded:
    """Beams that spell an answer; with fewer answers than beams the others are leftovers."""
    places = {tuple(answer): place for place, answer in enumerate(answers)}
    found: dict[int, float] = {}
    for sequence, score in zip(sequences, scores, strict=True):
        spelled = tuple(sequence[: sequence.index(end) + 1]) if end in sequence else ()
        if spelled in places:
            found.setdefault(places[spelled], score)
    return Decoded(list(found), list(found.values()))


def _left_padded(prompts: Sequence[Sequence[int]], base: GemmaBase, device: torch.device) -> dict[str, torch.Tensor]:
    padded = base.processor.tokenizer.pad({"input_ids": [list(prompt) for prompt in prompts]}, padding_side="left")
    inputs = {name: torch.tensor(padded[name], device=device) for name in ("input_ids", "attention_mask")}
    return {**inputs, "token_type_ids": (inputs["input_ids"] == base.image_token).long()}
