"""Charts -> what the language model is asked about them: title, elements, candidates, and the answers to score.

Training, validation and use list candidates alike: as many, chosen by the same shortlist, in the vocabulary's order, so
that an answer's place tells nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meteo_ray.batch import ANSWERED, Batch, objects
from meteo_ray.products.candidates import hard_negatives
from meteo_ray.products.detected_scores import DetectedScores
from meteo_ray.products.shortlist import Evidence, Shortlist
from meteo_ray.streaming.pixels import PreparePixels
from meteo_ray.vocabulary import element_ids
from meteo_ray.voters.text_voter import pages_of

LISTED = "listed"
"""The column of the shortlist's probabilities, float32 `(rows, products + 1)`."""


@dataclass(frozen=True)
class Question:
    """One row in words: elements and candidates (ids) are listed in the prompt beside the title, answers are scored."""

    elements: list[str]
    candidates: list[str]
    answers: list[str]
    title: str | None = None

    def to_json(self) -> str:
        return json.dumps(self.__dict__, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> "Question":
        return cls(**json.loads(text))


def evidence_of(batch: Batch, prefix: str = "") -> Evidence:
    """What is known of a batch's charts by the columns element_scores, descriptors (after `prefix`), title and text."""
    rows = len(next(iter(batch.values())))
    pages = pages_of({**batch, "image": np.zeros(rows)})
    scores, descriptors = (_matrix(batch.get(prefix + name), rows) for name in ("element_scores", "descriptors"))
    return Evidence(scores, pages, descriptors)


def elements_of(column: np.ndarray) -> list[list[str]]:
    """Each row's element ids; none where they are not known, which an archive may hold too."""
    return [element_ids(row) if _is_list(row) else [] for row in column]


def titles_of(batch: Batch) -> list[Any]:
    """Each row's title, None where none was read."""
    return list(batch["title"]) if "title" in batch else [None] * len(next(iter(batch.values())))


@dataclass(frozen=True)
class AskingQuestions:
    """Questions as an archive asks them: every candidate is scored, the right product not favoured.

    `most` candidates are listed; `with_title` puts the title that was read into the prompt.
    """

    shortlist: Shortlist
    most: int
    with_title: bool

    def __call__(
        self, evidence: Evidence, elements: Sequence[Sequence[str]], titles: Sequence[Any]
    ) -> tuple[list[Question], NDArray[np.float32]]:
        """A question for each row, and what the shortlist says `(rows, products + 1)`."""
        listed = self.shortlist.scores(*evidence)
        chosen = [self.in_order(names) for names in self.shortlist.candidates(listed, self.most)]
        told = [title if self.with_title and isinstance(title, str) else None for title in titles]
        rows = zip(elements, chosen, told, strict=True)
        return [Question(list(shown), names, names, title) for shown, names, title in rows], listed

    def in_order(self, names: Sequence[str]) -> list[str]:
        """Product ids in the vocabulary's order."""
        return [name for name in self.shortlist.vocabulary.product_ids if name in set(names)]


@dataclass(frozen=True)
class TrainingQuestions:
    """Questions with the right product always among the candidates and first among the answers.

    Labelled elements are drawn as the element stage would have found them (`detected`; None: as labelled), for it has
    learnt from them; where there is no label it has not, and what it answered is told as in use. `hard` places are kept
    for products of overlapping elements (R33), and a title is left out with chance `untitled_share`.
    """

    asking: AskingQuestions
    detected: DetectedScores | None
    hard: int
    untitled_share: float
    seed: int
    epoch: int

    def __call__(self, batch: Batch) -> list[Question]:
        """Reads image_id, product and elements besides what `evidence_of` reads."""
        rngs = [np.random.default_rng([self.seed, self.epoch, int(str(name), 16)]) for name in batch["image_id"]]
        evidence, shown = self._drawn(batch, rngs)
        titles = [
            None if rng.random() < self.untitled_share else title
            for title, rng in zip(titles_of(batch), rngs, strict=True)
        ]
        questions, _ = self.asking(evidence, shown, titles)
        return [
            self._with_answer(question, str(product), rng)
            for question, product, rng in zip(questions, batch["product"], rngs, strict=True)
        ]

    def _drawn(self, batch: Batch, rngs: Sequence[np.random.Generator]) -> tuple[Evidence, list[list[str]]]:
        """What is known of the charts, and the elements to tell of each."""
        evidence = evidence_of(batch, ANSWERED)
        shown = elements_of(batch.get(ANSWERED + "elements", objects([None] * len(rngs))))
        labelled = [row for row, elements in enumerate(batch["elements"]) if _is_list(elements)]
        for row in labelled:
            shown[row] = element_ids(batch["elements"][row])
        if self.detected is None or not labelled:
            return evidence, shown
        scores = np.full((len(rngs), len(self.detected.element_ids)), np.nan, dtype=np.float32)
        if evidence.element_scores is not None:
            scores[:] = evidence.element_scores
        for row in labelled:
            scores[row], shown[row] = self.detected.draw(shown[row], rngs[row])
        return evidence._replace(element_scores=scores), shown

    def _with_answer(self, question: Question, product: str, rng: np.random.Generator) -> Question:
        """The right product takes a place, and hard negatives those kept for them; the others keep theirs by chance.

        Hard negatives that are candidates already come first.
        """
        hard = hard_negatives(product, self.asking.shortlist.vocabulary)
        hard = [hard[place] for place in rng.permutation(len(hard))]
        hard = sorted(hard, key=lambda name: name not in question.candidates)[: self.hard]
        others = [name for name in question.candidates if name not in (product, *hard)]
        room = self.asking.most - 1 - len(hard)
        others = [others[place] for place in rng.permutation(len(others))[:room]] if len(others) > room else others
        candidates = self.asking.in_order([product, *hard, *others])
        return Question(question.elements, candidates, [product], question.title)


@dataclass(frozen=True)
class PrepareQuestions:
    """Picklable: adds PreparePixels' columns and `question`, one JSON object a row; of rows that are judged LISTED too.

    Elements that nobody answered read as none found: that happens in an archive too. `listed` has what LISTED shall say
    of a row, by image_id, where that is not the shortlist that was fitted on these very rows.
    """

    pixels: PreparePixels
    ask: TrainingQuestions | AskingQuestions
    listed: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)

    def __call__(self, batch: Batch) -> Batch:
        found = dict(self.pixels(batch))
        if isinstance(self.ask, TrainingQuestions):
            questions = self.ask(batch)
        else:
            answered = batch.get(ANSWERED + "elements", objects([None] * len(batch["image_id"])))
            questions, listed = self.ask(evidence_of(batch, ANSWERED), elements_of(answered), titles_of(batch))
            rows = zip(batch["image_id"], listed, strict=True)
            found[LISTED] = np.array([self.listed.get(str(image), row) for image, row in rows], dtype=np.float32)
        return found | {"question": objects([question.to_json() for question in questions])}


def _matrix(rows: np.ndarray | None, count: int) -> NDArray[np.float32] | None:
    """A column of lists or None as float32 `(rows, values)`, NaN where a row has none; None where no row has any."""
    known = [] if rows is None else [row for row in range(count) if _is_list(rows[row])]
    if rows is None or not known:
        return None
    found = np.full((count, len(rows[known[0]])), np.nan, dtype=np.float32)
    for row in known:
        found[row] = rows[row]
    return found


def _is_list(value: Any) -> bool:
    """A column without any list comes out of Ray as numbers that are none (NaN)."""
    return isinstance(value, list | tuple | np.ndarray)
