"""The shortlist of products: fitted on two splits, written as plain files, asked with whatever is known of a chart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save_file
from sklearn.model_selection import KFold

from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, write_json
from meteo_ray.products.config import CANDIDATES
from meteo_ray.products.shortlist.formula import Formula, ShortlistSettings
from meteo_ray.products.shortlist.learnt import Choice, Looks, Words, learnt_term
from meteo_ray.products.shortlist.terms import element_terms, text_terms
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.descriptors import FEATURES
from meteo_ray.voters.ngrams import WIDTH
from meteo_ray.voters.text_voter import Page

Floats = NDArray[np.float32]
Terms = dict[str, np.ndarray]

SHORTLIST, SHORTLIST_TENSORS = "shortlist.json", "shortlist.safetensors"

FOLDS = 5


class Evidence(NamedTuple):
    """What is known of charts; any part may be None, a row of it NaN or None.

    `element_scores` calibrated probabilities `(rows, elements)`, `pages` one a row, `descriptors` `(rows, FEATURES)`.
    """

    element_scores: np.ndarray | None = None
    pages: Sequence[Page | None] | None = None
    descriptors: np.ndarray | None = None

    @property
    def rows(self) -> int:
        """Raises ValueError unless the parts are of one number of rows, at least one of them being given."""
        lengths = {len(part) for part in self if part is not None}
        if len(lengths) != 1:
            raise ValueError(f"expected parts of the same number of rows, found {sorted(lengths)}")
        return lengths.pop()

    @property
    def read(self) -> NDArray[np.bool_]:
        """On which charts something was read, bool `(rows,)`."""
        pages = [None] * self.rows if self.pages is None else self.pages
        return np.array([page is not None and bool(page.text) for page in pages], dtype=bool)

    def unread(self) -> "Evidence":
        """The same as if nothing had been read."""
        return Evidence(self.element_scores, [None] * self.rows, self.descriptors)

    def taken(self, rows: np.ndarray) -> "Evidence":
        """Some rows, by their positions."""
        pages = None if self.pages is None else [self.pages[row] for row in rows]
        scores, descriptors = (None if part is None else part[rows] for part in (self.element_scores, self.descriptors))
        return Evidence(scores, pages, descriptors)


@dataclass(frozen=True)
class Shortlist:
    """Ranks the products of `vocabulary`, which may have grown since `words` and `looks` were learnt.

    `formula` is for charts on which something was read, `unread` for the others: the first expects a name to stand
    there, and where none can, it would call every chart none of the products.
    """

    vocabulary: Vocabulary
    formula: Formula
    unread: Formula
    words: Words | None = None
    looks: Looks | None = None

    @classmethod
    def untrained(cls, vocabulary: Vocabulary) -> Self:
        """One that goes by elements and names alone, with fixed coefficients."""
        return cls(vocabulary, Formula.untrained(), Formula.untrained(read=False))

    @classmethod
    def fit(
        cls,
        vocabulary: Vocabulary,
        training: Evidence,
        training_products: Sequence[str | None],
        validation: Evidence,
        validation_products: Sequence[str | None],
        settings: ShortlistSettings | None = None,
    ) -> Self:
        """Learn words and looks on the training split, the coefficients on the validation split.

        Args:
            training_products: each row's product, by id; rows of None teach nothing.
            validation_products: likewise; None says that a chart is none of the vocabulary's products. Leave rows out
                whose product is not known.
        """
        learnt = cls.untrained(vocabulary)._learnt(training, training_products)
        return learnt._weighed(validation, validation_products, settings or ShortlistSettings())

    def scores(
        self,
        element_scores: np.ndarray | None = None,
        pages: Sequence[Page | None] | None = None,
        descriptors: np.ndarray | None = None,
    ) -> Floats:
        """Probabilities float32 `(rows, products + 1)`, in the vocabulary's order, "none of these" last.

        Arguments as the parts of `Evidence`, whose ValueError it raises.
        """
        evidence = Evidence(element_scores, pages, descriptors)
        terms = self.terms(evidence)
        told = self.formula.probabilities(terms), self.unread.probabilities(terms)
        return np.where(evidence.read[:, None], *told).astype(np.float32)

    def candidates(self, scores: Floats, most: int = CANDIDATES) -> list[list[str]]:
        """Of each row of `scores`, at most `most` products, the likeliest first; ties in the vocabulary's order."""
        ids = self.vocabulary.product_ids
        ranked = np.argsort(-scores[:, : len(ids)], axis=1, kind="stable")[:, :most]
        return [[ids[product] for product in row] for row in ranked]

    def cross_fitted(
        self, validation: Evidence, products: Sequence[str | None], settings: ShortlistSettings | None = None
    ) -> Floats:
        """`scores` of the rows that its coefficients were fitted on, each row's by coefficients fitted on others."""
        found, wanted = self.scores(*validation), settings or ShortlistSettings()
        if validation.rows >= FOLDS:
            for fitted, scored in KFold(FOLDS, shuffle=True, random_state=0).split(found):
                known = [products[row] for row in fitted]
                found[scored] = self._weighed(validation.taken(fitted), known, wanted).scores(*validation.taken(scored))
        return found

    def write(self, folder: Path) -> None:
        """Write shortlist.json and shortlist.safetensors into a bundle's folder."""
        tensors: dict[str, Floats] = {}
        if self.words is not None:
            tensors |= {"words.rarity": self.words.rarity, **_tensors("words", self.words.choice)}
        if self.looks is not None:
            tensors |= {"looks.mean": self.looks.mean, "looks.scale": self.looks.scale}
            tensors |= _tensors("looks", self.looks.choice)
        save_file({name: np.ascontiguousarray(values, np.float32) for name, values in tensors.items()},
                  folder / SHORTLIST_TENSORS)  # fmt: skip
        learnt = {"words": self.words, "looks": self.looks}
        products = {name: None if part is None else list(part.choice.products) for name, part in learnt.items()}
        coefficients = {"read": self.formula.to_json(), "unread": self.unread.to_json()}
        write_json(folder / SHORTLIST, {"learnt": products, "coefficients": coefficients})

    @classmethod
    def read(cls, folder: Path, vocabulary: Vocabulary) -> Self:
        """The shortlist of a bundle's folder, for the vocabulary in force: what was appended is ranked too.

        Raises:
            UsageError: when a file is missing, damaged or made by another version.
        """
        try:
            document, tensors = read_json(folder / SHORTLIST), load((folder / SHORTLIST_TENSORS).read_bytes())
            formula, unread = (Formula.from_json(document["coefficients"][name]) for name in ("read", "unread"))
            _require_sound(tensors, document["coefficients"])
            words, looks = document["learnt"]["words"], document["learnt"]["looks"]
            return cls(
                vocabulary,
                formula,
                unread,
                None if words is None else Words(tensors["words.rarity"], _choice("words", words, tensors, WIDTH)),
                None if looks is None else Looks(
                    tensors["looks.mean"], tensors["looks.scale"], _choice("looks", looks, tensors, FEATURES)
                ),
            )  # fmt: skip
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
            raise UsageError(f"{folder / SHORTLIST}: cannot be read ({reason}); train the model again") from None

    def _learnt(self, training: Evidence, products: Sequence[str | None]) -> Self:
        """With words and looks of the training charts whose product is known, where these were read and seen."""
        words = looks = None
        if training.pages is not None:
            pairs = zip(training.pages, products, strict=True)
            read = [(page, name) for page, name in pairs if page is not None and page.text and name is not None]
            words = Words.fit([page for page, _ in read], [name for _, name in read]) if read else None
        if training.descriptors is not None:
            known = np.array([name is not None for name in products], dtype=bool)
            rows = np.flatnonzero(known & np.isfinite(training.descriptors).all(axis=1))
            names = [str(products[row]) for row in rows]
            looks = Looks.fit(training.descriptors[rows], names) if len(rows) else None
        return type(self)(self.vocabulary, self.formula, self.unread, words, looks)

    def _weighed(self, validation: Evidence, products: Sequence[str | None], settings: ShortlistSettings) -> Self:
        """With coefficients of the charts that were read, and of all as if none had been."""
        read = np.flatnonzero(validation.read)
        formula = Formula.untrained()
        if len(read):
            formula = Formula.fit(*self._lessons(validation.taken(read), [products[row] for row in read]), settings)
        unread = Formula.fit(*self._lessons(validation.unread(), products), settings, read=False)
        return type(self)(self.vocabulary, formula, unread, self.words, self.looks)

    def _lessons(self, validation: Evidence, products: Sequence[str | None]) -> tuple[Terms, Terms, NDArray[np.int64]]:
        """Arguments of `Formula.fit`."""
        ids = self.vocabulary.product_ids
        chosen = np.array([-1 if product is None else ids.index(product) for product in products], dtype=np.int64)
        terms = self.terms(validation)
        return terms, {**terms, **self._learnt_terms(validation, chosen)}, chosen

    def terms(self, evidence: Evidence) -> Terms:
        """Every term of the formula by name, `(rows, products)`: what each part says alone."""
        rows, products = evidence.rows, self.vocabulary.products
        any_elements = np.array([not product.elements for product in products], dtype=np.float32)
        return {
            **element_terms(evidence.element_scores, rows, self.vocabulary),
            **text_terms([None] * rows if evidence.pages is None else evidence.pages, self.vocabulary),
            "any": np.broadcast_to(any_elements, (rows, len(products))),
            **self._learnt_terms(evidence),
        }

    def _learnt_terms(self, evidence: Evidence, without: np.ndarray | None = None) -> Terms:
        """Terms of what was learnt; `without` as of `learnt_term`."""
        parts = {"words": (self.words, evidence.pages), "looks": (self.looks, evidence.descriptors)}
        return {name: self._term(part, given, evidence.rows, without) for name, (part, given) in parts.items()}

    def _term(self, part: Words | Looks | None, given: Any, rows: int, without: np.ndarray | None) -> Floats:
        """What was learnt says of pages or descriptors; 0 where nothing was learnt, or nothing is given."""
        ids = self.vocabulary.product_ids
        if part is None or given is None:
            return np.zeros((rows, len(ids)), dtype=np.float32)
        return learnt_term(part.utilities(given), part.choice.products, ids, without)


def _require_sound(tensors: Mapping[str, np.ndarray], coefficients: Mapping[str, Any]) -> None:
    """Raises ValueError for numbers that are none, and for features of another length."""
    numbers = [value for formula in coefficients.values() for part in formula.values() for value in part.values()]
    if not np.isfinite(numbers).all() or not all(np.isfinite(values).all() for values in tensors.values()):
        raise ValueError("a number is not finite")
    for name, length in (("words.rarity", WIDTH - 1), ("looks.mean", FEATURES), ("looks.scale", FEATURES)):
        if name in tensors and tensors[name].shape != (length,):
            raise ValueError(f"{name} made for {tensors[name].shape} features, {length} here")


def _tensors(name: str, choice: Choice) -> dict[str, Floats]:
    return {f"{name}.coefficients": choice.coefficients, f"{name}.intercepts": choice.intercepts}


def _choice(name: str, products: list[str], tensors: dict[str, np.ndarray], features: int) -> Choice:
    """Raises ValueError when it was made for other features."""
    choice = Choice(tuple(products), tensors[f"{name}.coefficients"], tensors[f"{name}.intercepts"])
    if choice.coefficients.shape != (len(products), features) or choice.intercepts.shape != (len(products),):
        raise ValueError(f"{name} made for {choice.coefficients.shape} features, {(len(products), features)} here")
    return choice
