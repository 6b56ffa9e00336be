"""What a chart's title and its other words say of each question, by two linear models.

`words`  a logistic regression for every question on the shares of hashed character n-grams (tf-idf), title and whole
         text apart: it learns how offices write, and forgives the slips of text recognition.
`names`  one logistic regression for all elements on whether the title, and the text, hold a name of the element: it
         knows elements that no training chart shows.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import ClassVar, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save_file
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from meteo_ray.batch import Batch
from meteo_ray.errors import UsageError
from meteo_ray.text.normalise import normalised
from meteo_ray.text.vocabulary_match import element_matches
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.ngrams import WIDTH, NgramCounts

Floats = NDArray[np.float32]

TEXT_VOTER = "text_voter.safetensors"

Line = tuple[Floats, np.float32]
"""Coefficients `(WIDTH,)` and intercept of one question."""

BLOCKS = ("title", "text")

# Inverse strength of the ridge: a few hundred charts, each with a few hundred n-grams.
STRENGTH = 10.0

# Fewer charts than this teach no words.
LEAST_POSITIVES = 2


class Page(NamedTuple):
    """What is written on an image, normalised: its title, and all of it with a line for each line."""

    title: str
    text: str

    @classmethod
    def of(cls, title: str | None, text: str | None) -> Self:
        title = title if isinstance(title, str) else ""
        return cls(normalised(title), "\n".join(normalised(line) for line in (text or "").splitlines()))


def pages_of(batch: Batch) -> list[Page | None]:
    """What is written on each image by the columns `title` and `text`; None where it was not read."""
    if "text" not in batch:
        return [None] * len(batch["image"])
    columns = zip(batch["title"], batch["text"], strict=True)
    # A column without a single string comes out of Ray as numbers that are none (NaN).
    return [Page.of(title, text) if isinstance(text, str) else None for title, text in columns]


@dataclass(frozen=True)
class TextFeatures:
    """What is to be known of pages: n-grams, and `matches` `(pages, questions, 3)`, see `_matches`."""

    counts: NgramCounts
    matches: Floats

    @classmethod
    def of(cls, pages: Sequence[Page], vocabulary: Vocabulary, questions: int) -> Self:
        return cls(NgramCounts.of(pages), _matches(pages, vocabulary, questions))

    def taken(self, rows: np.ndarray) -> Self:
        return type(self)(self.counts.taken(rows), self.matches[rows])


@dataclass(frozen=True)
class TextVoter:
    """The fitted models.

    `idf` float32 `(WIDTH - 1,)`; `coefficients` `(questions, WIDTH)` and `intercepts` `(questions,)` of
    `words`; `names` `(4,)`: what a name in the title counts, one in the text, a page without text, and the intercept.
    """

    VOTES: ClassVar = ("words", "names")

    idf: Floats
    coefficients: Floats
    intercepts: Floats
    names: Floats

    @classmethod
    def fit(
        cls,
        pages: Sequence[Page],
        targets: np.ndarray,
        weights: np.ndarray,
        vocabulary: Vocabulary,
        earlier: "TextVoter | None" = None,
    ) -> Self:
        """Fit on pages, targets `(pages, questions)` of 0 and 1 and what each page counts `(pages,)`.

        The questions are the vocabulary's elements, in its order, or a single one to which any element's name matters.

        Args:
            earlier: a voter on the first of these questions, gone on with: its answer is one more thing that words are
                weighed beside, so that a few pages move little and many count for themselves. What names count stays.
        """
        return cls.learnt(TextFeatures.of(pages, vocabulary, targets.shape[1]), targets, weights, earlier)

    @classmethod
    def learnt(
        cls, pages: TextFeatures, targets: np.ndarray, weights: np.ndarray, earlier: "TextVoter | None" = None
    ) -> Self:
        """`fit`, of pages whose features are known."""
        truth = np.asarray(targets, dtype=bool)
        idf = pages.counts.rarity() if earlier is None else earlier.idf
        features = pages.counts.features(idf)
        known = [] if earlier is None else [*zip(earlier.coefficients, earlier.intercepts, strict=True)]
        lines = zip_longest(truth.T, known)
        found = [_fit_words(features, column, weights, line) for column, line in lines]
        names = _fit_names(pages.matches, truth, weights) if earlier is None else earlier.names
        return cls(idf, np.array([line[0] for line in found]), np.array([line[1] for line in found]), names)

    def votes(self, pages: Sequence[Page], vocabulary: Vocabulary) -> dict[str, Floats]:
        """Log-odds float32 `(pages, questions)` of each model, by its name in VOTES."""
        return self.votes_on(TextFeatures.of(pages, vocabulary, len(self.intercepts)))

    def votes_on(self, pages: TextFeatures) -> dict[str, Floats]:
        """`votes`, on pages whose features are known."""
        features = pages.counts.features(self.idf)
        words = np.asarray(features @ self.coefficients.T + self.intercepts, dtype=np.float32)
        names = np.asarray(pages.matches @ self.names[:-1] + self.names[-1], dtype=np.float32)
        return dict(zip(self.VOTES, (words, names), strict=True))

    def votes_where_read(self, pages: Sequence[Page | None], vocabulary: Vocabulary) -> dict[str, Floats]:
        """`votes`, with NaN in the rows of pages that were not read (None)."""
        read = np.array([page is not None for page in pages], dtype=bool)
        found = {name: np.full((len(pages), len(self.intercepts)), np.nan, np.float32) for name in self.VOTES}
        if read.any():
            for name, votes in self.votes([page for page in pages if page is not None], vocabulary).items():
                found[name][read] = votes
        return found

    def write(self, folder: Path) -> None:
        """Write text_voter.safetensors into a bundle's folder."""
        save_file(vars(self), folder / TEXT_VOTER)

    @classmethod
    def read(cls, folder: Path, questions: int) -> Self:
        """Raises UsageError when the file is missing, damaged or made for other questions or features."""
        try:
            packed = load((folder / TEXT_VOTER).read_bytes())
            found = {
                name: values.astype(np.float32) for name, values in packed.items()
            }  # half precision, in small ones
            voter = cls(found["idf"], found["coefficients"], found["intercepts"], found["names"])
        except (OSError, SafetensorError, KeyError) as error:
            raise UsageError(f"{folder / TEXT_VOTER}: cannot be read ({error}); train the model again") from None
        if voter.coefficients.shape != (questions, WIDTH):
            raise UsageError(f"{folder / TEXT_VOTER}: made by another meteo_ray; train the model again")
        return voter


def _matches(pages: Sequence[Page], vocabulary: Vocabulary, questions: int) -> Floats:
    """How surely title and text name each element, and whether nothing is written: `(pages, questions, 3)`.

    For a single question: any element. What was appended to the vocabulary after the training is not asked.
    """
    found = np.zeros((len(pages), len(vocabulary.elements), len(BLOCKS) + 1), dtype=np.float32)
    for row, page in enumerate(pages):
        for number, block in enumerate(BLOCKS):
            found[row, :, number] = element_matches(getattr(page, block), vocabulary)
        found[row, :, -1] = not page.text
    return found.max(axis=1, keepdims=True) if questions == 1 else found[:, :questions]


def _fit_words(features: sparse.csr_matrix, truth: np.ndarray, weights: np.ndarray, earlier: Line | None) -> Line:
    """Coefficients and intercept of one question; of one that too few pages can teach, the earlier ones, or its base
    rate alone. The earlier answer is a column beside the features; both are one line in the end."""
    if min(truth.sum(), len(truth) - truth.sum()) < LEAST_POSITIVES:
        return earlier or (np.zeros(features.shape[1], np.float32), _base_rate(truth))
    before, start = earlier or (np.zeros(features.shape[1], np.float32), np.float32(0))
    columns = sparse.hstack([features, sparse.csr_matrix((features @ before + start)[:, None])]).tocsr()
    model = LogisticRegression(C=STRENGTH, class_weight="balanced", solver="liblinear", random_state=0)
    model.fit(columns, truth, sample_weight=weights)
    trusted = model.coef_[0, -1]
    line = model.coef_[0, :-1] + trusted * before, model.intercept_[0] + trusted * start
    return line[0].astype(np.float32), np.float32(line[1])


def _base_rate(truth: np.ndarray) -> np.float32:
    """Log-odds of any answer's being yes."""
    rate = (truth.sum() + 0.5) / (truth.size + 1)
    return np.float32(np.log(rate / (1 - rate)))


def _fit_names(matches: Floats, truth: np.ndarray, weights: np.ndarray) -> Floats:
    if truth.all() or not truth.any():
        return np.append(np.zeros(matches.shape[-1]), _base_rate(truth)).astype(np.float32)
    model = LogisticRegression(C=STRENGTH)
    model.fit(matches.reshape(-1, matches.shape[-1]), truth.ravel(), np.repeat(weights, truth.shape[1]))
    return np.append(model.coef_[0], model.intercept_[0]).astype(np.float32)
