"""Gemma at work: pixels and questions in, log-likelihoods of the answers out."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import torch
from torch import nn

from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.candidate_scoring import log_likelihoods, pack
from meteo_ray.products.constrained_decoding import constrained_beam
from meteo_ray.products.prompt import PromptEncoder
from meteo_ray.products.questions import Question
from meteo_ray.training.device import autocast
from meteo_ray.vocabulary import Vocabulary

Decoding = Literal["exact", "beam"]

# At 4 rows the vision tower's widest activations are 4 x 4096 patches x 4304 x 2 B = 0.14 GB; with all products as
# candidates the logits of a part of the vocabulary take 4 x 350 slots x 8192 x 4 B = 0.05 GB. An 8 GB card holds that
# beside 4 GB of weights.
MICRO_BATCH = {"cuda": 4, "cpu": 8}

BEAM_WIDTH = 3  # R35


class LanguageModel:
    """A base model, adapted or bare, that is asked to choose.

    Args:
        decoding: "exact" scores every answer; "beam" only those that a constrained beam of `beam_width` finds (R35).
        precision: "auto", "bf16" or "fp32".
        micro_batch: rows in one pass, default by device.
    """

    def __init__(
        self,
        model: nn.Module,
        base: GemmaBase,
        vocabulary: Vocabulary,
        device: torch.device,
        decoding: Decoding = "exact",
        beam_width: int = BEAM_WIDTH,
        precision: str = "auto",
        micro_batch: int | None = None,
    ) -> None:
        self.model, self.base, self.device = model.eval(), base, device
        self.decoding, self.beam_width, self.precision = decoding, beam_width, precision
        self.micro_batch = micro_batch or MICRO_BATCH[device.type]
        self._encoder = PromptEncoder(base.processor, vocabulary)

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height of the images that it takes, in pixels."""
        return self.base.image_size

    def choose(self, images: np.ndarray, questions: Sequence[Question]) -> list[dict[str, float]]:
        """Log-likelihoods of each row's answers by id: of all, or with `decoding` "beam" of those found, best first.

        Args:
            images: uint8 `(rows, height, width, 3)` of `image_size`.
            questions: one a row.

        Raises:
            ValueError: when the images have another size or type.
            FloatingPointError: when a log-likelihood is not a number.
        """
        found = self.beam_search(images, questions) if self.decoding == "beam" else self.score(images, questions)
        if not all(row and np.isfinite(list(row.values())).all() for row in found):
            raise FloatingPointError("a candidate's log-likelihood is not a number")
        return found

    def tokens(self, questions: Sequence[Question]) -> list[int]:
        """What each question puts to the model (R36): its prompt, with the image's soft tokens, and every answer whole,
        however it is decoded."""
        return [len(prompt) + sum(map(len, answers)) for prompt, answers in zip(*self._encoded(questions), strict=True)]

    @torch.inference_mode()
    def score(self, images: np.ndarray, questions: Sequence[Question]) -> list[dict[str, float]]:
        """For every row its answers' ids and exact log-likelihoods."""
        found = []
        for pixels, asked in self._chunks(images, questions):
            packed = pack(*self._encoded(asked), self.base)
            tensors = {name: tensor.to(self.device) for name, tensor in packed.items()}
            with autocast(self.device, self.precision):
                scores = log_likelihoods(self.model, {**tensors, "image": pixels}, self.base)
            for question, row in zip(asked, scores.double().cpu().numpy(), strict=True):
                found.append(dict(zip(question.answers, row[: len(question.answers)].tolist(), strict=True)))
        return found

    @torch.inference_mode()
    def beam_search(self, images: np.ndarray, questions: Sequence[Question]) -> list[dict[str, float]]:
        """For every row the answers that a constrained beam finds, best first, with their log-likelihoods (R35)."""
        found = []
        for pixels, asked in self._chunks(images, questions):
            with autocast(self.device, self.precision):
                decoded = constrained_beam(self.model, self.base, pixels, *self._encoded(asked), self.beam_width)
            for question, row in zip(asked, decoded, strict=True):
                found.append({question.answers[at]: score for at, score in zip(row.answers, row.scores, strict=True)})
        return found

    def _encoded(self, asked: Sequence[Question]) -> tuple[list[list[int]], list[list[list[int]]]]:
        """Prompt and answers of every row, as token ids."""
        prompts = [self._encoder.encode_prompt(row.elements, row.candidates, row.title) for row in asked]
        return prompts, [self._encoder.encode_answers(row.answers) for row in asked]

    def _chunks(
        self, images: np.ndarray, questions: Sequence[Question]
    ) -> Iterator[tuple[torch.Tensor, Sequence[Question]]]:
        """Micro-batches: uint8 on the device, a copy because Ray's arrays are read-only, and their questions."""
        width, height = self.image_size
        if images.shape[1:] != (height, width, 3) or images.dtype != np.uint8:
            raise ValueError(f"expected uint8 (rows, {height}, {width}, 3), got {images.dtype} {images.shape}")
        for start in range(0, len(images), self.micro_batch):
            rows = slice(start, start + self.micro_batch)
            yield torch.from_numpy(np.array(images[rows])).to(self.device), questions[rows]
