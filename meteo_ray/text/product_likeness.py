"""How much what is written on a chart is like the names of each product of the vocabulary.

A product's names are longer than an element's ("500 hPa height and vorticity"), and a title seldom says one of them
word for word. So they are compared in three ways: whether a name stands there; how alike title and name are, letter by
letter, which forgives the slips of text recognition; and which share of the name's words is written, rare words
counting more. Words are Latin words without a plural's s, and pairs of Chinese characters, which are not spaced.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process
from scipy import sparse

from meteo_ray.text.vocabulary_match import MASK, WORD, key, name_pattern, plain
from meteo_ray.vocabulary import Vocabulary

Floats = NDArray[np.float32]

LIKENESS = ("title_named", "title_alike", "title_words", "text_named", "text_words")
"""What `product_likeness` finds, in the order of its last axis; each from 0 to 1."""

# A title longer than this is a paragraph: what is alike in it is found by its words.
LONGEST_TITLE = 200


@dataclass(frozen=True)
class _ProductNames:
    """Every name of a vocabulary's products.

    Attributes:
        spellings: the names as they are looked for.
        starts: where each product's names begin in `spellings`.
        patterns: letters, what finds them, and the product of every name, the longest first.
        terms: column by word.
        shares: float32 `(names, terms)`, what each word of a name weighs in it; a row's sum is 1.
    """

    spellings: tuple[str, ...]
    starts: tuple[int, ...]
    patterns: tuple[tuple[str, re.Pattern[str], int], ...]
    terms: dict[str, int]
    shares: sparse.csr_matrix


def product_likeness(titles: Sequence[str], texts: Sequence[str], vocabulary: Vocabulary) -> Floats:
    """How much each title and text is like each product's names: float32 `(rows, products, len(LIKENESS))`.

    Args:
        titles: of the charts, "" where there is none.
        texts: all that is written on them, the titles included.
    """
    found = np.zeros((len(titles), len(vocabulary.products), len(LIKENESS)), dtype=np.float32)
    if not found.size:
        return found
    names = _product_names(tuple(product.names for product in vocabulary.products))
    spoken = [plain(title) for title in titles], [plain(text) for text in texts]
    parts: tuple[tuple[Callable[[Sequence[str], _ProductNames], Floats], Sequence[str]], ...] = (
        (_named, spoken[0]),
        (_alike, [title[:LONGEST_TITLE] for title in spoken[0]]),
        (_words, spoken[0]),
        (_named, spoken[1]),
        (_words, spoken[1]),
    )
    for column, (measure, written) in enumerate(parts):
        found[:, :, column] = measure(written, names)
    return found


def words_of(text: str) -> set[str]:
    """The words of a normalised text: Latin ones without a plural's s, pairs of Chinese characters."""
    found: set[str] = set()
    for run in WORD.findall(text):
        if not run.isascii():
            found.update(run[start : start + 2] for start in range(max(len(run) - 1, 1)))
        elif len(run) > 3 and run.endswith("s") and not run.endswith("ss"):
            found.add(run[:-1])
        else:
            found.add(run.strip("."))
    return found


def _named(written: Sequence[str], names: _ProductNames) -> Floats:
    """1 where a name stands that is no part of a longer one of another product, `(rows, products)`."""
    found = np.zeros((len(written), len(names.starts)), dtype=np.float32)
    for row, text in enumerate(written):
        letters = key(text)
        for name, pattern, product in names.patterns:
            if name in letters:  # most are not, and this is quickly said
                text, count = pattern.subn(MASK, text)
                found[row, product] = max(found[row, product], float(count > 0))
    return found


def _alike(written: Sequence[str], names: _ProductNames) -> Floats:
    """The likeness of the best name, words in any order and spaces apart, `(rows, products)`."""
    by_word = process.cdist(written, names.spellings, scorer=fuzz.token_sort_ratio, dtype=np.float32)
    by_letter = process.cdist([*map(key, written)], [*map(key, names.spellings)], scorer=fuzz.ratio, dtype=np.float32)
    return _best(np.maximum(by_word, by_letter) / 100, names)


def _words(written: Sequence[str], names: _ProductNames) -> Floats:
    """The share of the best name's words that is written, by weight, `(rows, products)`."""
    rows = sparse.lil_matrix((len(written), len(names.terms)), dtype=np.float32)
    for row, text in enumerate(written):
        columns = sorted(names.terms[word] for word in words_of(text) & names.terms.keys())
        rows.rows[row], rows.data[row] = columns, [1.0] * len(columns)
    return _best((rows.tocsr() @ names.shares.T).toarray(), names)


def _best(by_name: Floats, names: _ProductNames) -> Floats:
    return np.asarray(np.maximum.reduceat(by_name, names.starts, axis=1))


@lru_cache(maxsize=8)
def _product_names(products: tuple[tuple[str, ...], ...]) -> _ProductNames:
    """From every product's names; a name that means two once spaces are dropped means the first."""
    spellings = [[plain(name) for name in names] for names in products]
    owner: dict[str, int] = {}
    for product, own in enumerate(spellings):
        for name in own:
            owner.setdefault(key(name), product)
    every = [name for own in spellings for name in own]
    ordered = sorted(filter(key, every), key=lambda name: len(key(name)), reverse=True)
    patterns = tuple((key(name), re.compile(name_pattern(name)), owner[key(name)]) for name in ordered)
    terms, shares = _weighted_words(spellings)
    starts = np.cumsum([0, *map(len, spellings)])[:-1]
    return _ProductNames(tuple(every), tuple(starts.tolist()), patterns, terms, shares)


def _weighted_words(spellings: Sequence[Sequence[str]]) -> tuple[dict[str, int], sparse.csr_matrix]:
    """Columns of the words, and each name's words by inverse document frequency: a document is a product."""
    documents = [_union(words_of(name) for name in own) for own in spellings]
    terms = {word: column for column, word in enumerate(sorted(_union(documents)))}
    within = np.array([sum(word in document for document in documents) for word in terms])
    rarity = np.log((len(documents) + 1) / (within + 0.5))  # never 0: a single product's words must count too
    rows = sparse.lil_matrix((sum(map(len, spellings)), len(terms)), dtype=np.float32)
    for row, name in enumerate(name for own in spellings for name in own):
        columns = sorted(terms[word] for word in words_of(name))
        rows.rows[row] = columns
        rows.data[row] = (rarity[columns] / max(rarity[columns].sum(), 1e-9)).tolist()
    return terms, rows.tocsr()


def _union(parts: Iterable[set[str]]) -> set[str]:
    return set().union(*parts)
