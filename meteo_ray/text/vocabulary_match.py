"""Which elements of the vocabulary a chart's text names.

Names are looked for as they stand; where two overlap the longer one counts, so that "dew point temperature" is not a
temperature. What is left over is compared with the longer names, one or two letters of which OCR may have misread.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from meteo_ray.text.normalise import normalised
from meteo_ray.vocabulary import Vocabulary

CHART_TERMS = Path(__file__).resolve().parent / "chart_terms.yaml"

NAMED = 1.0
# A unit, or a single Chinese character within a longer word, only points to an element.
HINTED = 0.5

# A Latin name of this many letters is found without a space around it too ("Temperatureat 850hPa"): no English word
# holds one by chance.
LONG_NAME = 9

# Letters, spaces apart, from which on one and two misread letters are allowed: shorter words have too many neighbours
# that are words too ("snow" and "show", "wave" and "save").
ONE_SLIP, TWO_SLIPS = 8, 15
# Of Chinese names: one character in four is a quarter of the meaning (相对湿度, 相对涡度).
ONE_SLIP_CHINESE = 5

WORD = re.compile(r"[a-z0-9][a-z0-9.]*|[\u3400-\u9fff]+")
CHINESE = re.compile(r"[\u3400-\u9fff]")
# Of the longest name that is compared ("significant height of combined wind waves") more words tell no more.
MOST_WORDS = 5
# What stands where a name was found, so that no name is put together across it.
MASK = " | "


class _ChartTerms(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    names: dict[str, tuple[str, ...]]
    hints: dict[str, tuple[str, ...]]
    not_names: tuple[str, ...]


@dataclass(frozen=True)
class _Names:
    """Every spelling of a vocabulary, normalised.

    Attributes:
        worth: of each spelling: the position of its element, -1 where it means none, and the score it gives.
        pattern: finds them, the longest first.
        long: those that are also compared letter by letter, without spaces, with their element's position.
    """

    worth: dict[str, tuple[int, float]]
    pattern: re.Pattern[str]
    long: dict[str, int]


def element_matches(text: str, vocabulary: Vocabulary) -> NDArray[np.float32]:
    """How surely `text` names each element of the vocabulary: float32 `(elements,)`.

    1 where a name stands in it, HINTED where only a unit or a like hint does, 0 without either; between them, for a
    longer name with a letter or two misread, the share of its letters that is right. It never raises.
    """
    names = _names(vocabulary)
    scores = np.zeros(len(vocabulary.elements), dtype=np.float32)
    spoken = plain(text)
    for match in names.pattern.finditer(spoken):
        element, worth = names.worth[key(match[0])]
        if element >= 0:
            scores[element] = max(scores[element], worth)
    for element, similarity in _misread(names.pattern.sub(MASK, spoken), names):
        if element >= 0:
            scores[element] = max(scores[element], similarity)
    return scores


def _misread(text: str, names: _Names) -> Iterable[tuple[int, float]]:
    """Elements whose name is nearly the same as words of the text, with the share of letters that agree."""
    parts = [WORD.findall(part) for part in text.split(MASK.strip())]
    windows = [window for part, words in enumerate(parts) for window in _windows(part, words)]
    nearest = _nearest({joined for _, _, _, joined in windows}, names)
    taken: set[tuple[int, int]] = set()
    for part, start, end, joined in sorted(windows, key=lambda window: len(window[3]), reverse=True):
        words = {(part, word) for word in range(start, end)}
        if joined in nearest and not words & taken:
            taken |= words
            yield nearest[joined]


def _windows(part: int, words: list[str]) -> Iterable[tuple[int, int, int, str]]:
    """Words in a row, written together, that are long enough to be compared: part, first, last, letters."""
    for start in range(len(words)):
        for end in range(start + 1, min(start + MOST_WORDS, len(words)) + 1):
            joined = "".join(words[start:end])
            if _slips_allowed(joined + "x") > 0:  # a letter may have been lost
                yield part, start, end, joined


def _nearest(windows: set[str], names: _Names) -> dict[str, tuple[int, float]]:
    """Of the windows that are near enough to a name: its element and how alike they are; -1 where it means none."""
    ordered, spellings = sorted(windows), list(names.long)
    if not ordered or not spellings:
        return {}
    slips = process.cdist(ordered, spellings, scorer=Levenshtein.distance, score_cutoff=2, dtype=np.uint8)
    found = {}
    for window, row in zip(ordered, slips, strict=True):
        column = int(row.argmin())
        elements = {names.long[spellings[nearest]] for nearest in np.flatnonzero(row == row[column])}
        if len(elements) == 1 and row[column] <= _slips_allowed(spellings[column]):
            longer = max(len(spellings[column]), len(window))
            found[window] = elements.pop(), 1 - int(row[column]) / longer
    return found


def _slips_allowed(name: str) -> int:
    if CHINESE.search(name):
        return int(len(name) >= ONE_SLIP_CHINESE)
    return int(len(name) >= ONE_SLIP) + int(len(name) >= TWO_SLIPS)


@lru_cache(maxsize=8)
def _names_of(spellings: tuple[tuple[str, tuple[str, ...]], ...]) -> _Names:
    """From every element's id and names; a spelling with several meanings keeps its first: name, none, hint."""
    terms = _ChartTerms.model_validate(yaml.safe_load(CHART_TERMS.read_text("utf-8")))
    worth: dict[str, tuple[int, float]] = {}
    for position, (element_id, own) in enumerate(spellings):
        for name in map(plain, (*own, *terms.names.get(element_id, ()))):
            worth.setdefault(name, (position, HINTED if len(name) == 1 else NAMED))
    for name in map(plain, terms.not_names):
        worth.setdefault(name, (-1, 0.0))
    for position, (element_id, _) in enumerate(spellings):
        for name in map(plain, terms.hints.get(element_id, ())):
            worth.setdefault(name, (position, HINTED))
    ordered = sorted(filter(None, worth), key=lambda name: len(key(name)), reverse=True)
    long = {key(name): element for name, (element, score) in worth.items() if score != HINTED}
    return _Names(
        {key(name): meaning for name, meaning in reversed(worth.items())},
        re.compile("|".join(map(name_pattern, ordered)) or r"(?!)"),
        {letters: element for letters, element in long.items() if _slips_allowed(letters)},
    )


def _names(vocabulary: Vocabulary) -> _Names:
    return _names_of(tuple((e.id, e.names) for e in vocabulary.elements))


def plain(name: str) -> str:
    """A text or a name as names are looked for in it: normalised, an id's underscores being spaces."""
    return normalised(name).replace("_", " ")


def key(name: str) -> str:
    """A name as it is compared: without spaces and hyphens, which charts and OCR set as they like."""
    return re.sub(r"[\s-]", "", name)


def name_pattern(name: str) -> str:
    """A pattern for a name, with or without its spaces; at word boundaries unless it is Chinese or long."""
    if CHINESE.search(name):
        gap = r"[\s-]?" if "-" in name else r"\s?"  # T-lnP图
        return gap.join(map(re.escape, key(name)))
    loose = r"[\s-]*".join(map(re.escape, re.split(r"[\s-]+", name)))
    return loose if len(key(name)) >= LONG_NAME else rf"(?<![a-z0-9]){loose}(?![a-z0-9])"
