"""Rows of the index -> what the model is shown: pixels at the tower's size, elements, candidates, answers to score."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from meteo_ray.batch import Batch
from meteo_ray.products.candidates import candidates, perturb, training_candidates
from meteo_ray.streaming.pixels import PreparePixels
from meteo_ray.vocabulary import Vocabulary, element_ids


@dataclass(frozen=True)
class Question:
    """One row in words, as ids: elements and candidates are listed in the prompt, answers are scored."""

    elements: list[str]
    candidates: list[str]
    answers: list[str]

    def to_json(self) -> str:
        return json.dumps(self.__dict__)

    @classmethod
    def from_json(cls, text: str) -> "Question":
        return cls(**json.loads(text))


@dataclass(frozen=True)
class TrainingQuestions:
    """Questions with the right product as the only answer, hard negatives, and now and then a wrong element (R33).

    `minimum_match`, `maximum` and `perturbed_share` as in `ProductsTraining`.
    """

    vocabulary: Vocabulary
    seed: int
    epoch: int
    minimum_match: float
    maximum: int
    perturbed_share: float

    def __call__(self, image_id: str, elements: Sequence[str], product: str) -> Question:
        rng = np.random.default_rng([self.seed, self.epoch, int(image_id, 16)])
        shown = perturb(elements, self.vocabulary, self.perturbed_share, rng)
        listed = training_candidates(product, shown, self.vocabulary, self.maximum, rng, self.minimum_match)
        return Question([str(name) for name in rng.permutation(shown)], listed, [product])


@dataclass(frozen=True)
class CandidateQuestions:
    """Questions as the cascade asks them: every candidate is listed and scored, the right product not favoured."""

    vocabulary: Vocabulary
    minimum_match: float

    def __call__(self, image_id: str, elements: Sequence[str], product: str) -> Question:
        listed = candidates(elements, self.vocabulary, self.minimum_match)
        return Question(list(elements), listed, listed)


@dataclass(frozen=True)
class PrepareQuestions:
    """Picklable: adds PreparePixels' columns and `question`, one JSON object a row. Reads `elements` besides.

    Elements that are not known read as none found: that happens in an archive too.
    """

    pixels: PreparePixels
    ask: TrainingQuestions | CandidateQuestions

    def __call__(self, batch: Batch) -> Batch:
        rows = zip(batch["image_id"], batch["elements"], batch["product"], strict=True)
        questions = [self.ask(str(image), element_ids(elements), str(product)) for image, elements, product in rows]
        texts = np.array([question.to_json() for question in questions], dtype=object)
        return {**self.pixels(batch), "question": texts}
