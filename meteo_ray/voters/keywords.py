"""What the names of elements in a chart's title and text say alone: the least that a model of text must beat."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from meteo_ray.text.vocabulary_match import HINTED, element_matches
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.text_voter import Page

# A name in the title tells twice as much as one in a legend.
TITLE_WORTH = 2.0


class Keywords(NamedTuple):
    """Of each page and element: how much the names say, float32, and whether there is one, bool, `(pages, elements)`.

    A hint, such as a unit, is no name.
    """

    scores: NDArray[np.float32]
    shown: NDArray[np.bool_]


def keywords(pages: Sequence[Page], vocabulary: Vocabulary) -> Keywords:
    """Look for every element's names in the pages; nothing is learnt."""
    shape = (len(pages), len(vocabulary.elements))
    title = np.array([element_matches(page.title, vocabulary) for page in pages], dtype=np.float32).reshape(shape)
    text = np.array([element_matches(page.text, vocabulary) for page in pages], dtype=np.float32).reshape(shape)
    return Keywords(TITLE_WORTH * title + text, np.maximum(title, text) > HINTED)
