"""What is asked: the plan's prompts, one token a character, which is more than Gemma's tokenizer makes of them."""

from typing import Any

import torch

from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.candidate_scoring import pack
from meteo_ray.products.prompt import SYSTEM, question
from meteo_ray.vocabulary import Vocabulary

Asked = tuple[list[int], list[list[int]]]
"""Token ids of a prompt, and of the names that it lists."""


def prompts(base: GemmaBase, vocabulary: Vocabulary, candidates: int) -> Asked:
    """Token ids of a prompt that lists `candidates` products, and of those products' names; a token a character."""
    names = vocabulary.product_ids[:candidates]
    text = SYSTEM + question(vocabulary.element_ids[:5], names, vocabulary) + "user\nmodel\n" + " " * 6
    prompt = [*spelled(text), *[base.image_token] * 256]
    return prompt, [[*spelled(vocabulary.product_by_id[name].zh), 5] for name in names]


def spelled(text: str) -> list[int]:
    return [1000 + ord(character) for character in text]


def packed(base: GemmaBase, asked: Asked, rows: int, answers: int) -> dict[str, Any]:
    prompt, listed = asked
    batch = pack([prompt] * rows, [listed[:answers]] * rows, base)
    return {**batch, "image": torch.randint(0, 256, (rows, 896, 896, 3), dtype=torch.uint8)}
