"""What the elements and the words on a chart say for each product, in terms whose coefficients all products share.

Each term has a value for every row and product, 0 where nothing is known: then it says nothing for any product. A
product that was appended to the vocabulary has its values at once.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

from meteo_ray.text.product_likeness import LIKENESS, product_likeness
from meteo_ray.text.vocabulary_match import element_matches
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.text_voter import Page

Floats = NDArray[np.float32]

ELEMENT_TERMS = ("elements_mean", "elements_least", "elements_explained")
TEXT_TERMS = (*LIKENESS, "title_elements")

# A score nearer to 0 or 1 says no more: the validation split of a calibrated stage seldom has a thousand charts.
SUREST = 0.999


def element_terms(scores: np.ndarray | None, rows: int, vocabulary: Vocabulary) -> dict[str, Floats]:
    """How well each product's elements fit the scores of the element stage, `(rows, products)` by ELEMENT_TERMS.

    elements_mean, elements_least: log-odds of the required elements, their mean and the least; elements_explained: the
    share of all that is shown which the product requires, less a half. All are 0, as if the scores were even, where
    they are not known and for products that may show whichever elements.

    Args:
        scores: calibrated probabilities `(rows, elements)`, NaN where not known; fewer columns where the element stage
            was trained before the vocabulary grew.
    """
    required, given = _required(vocabulary), np.full((rows, len(vocabulary.elements)), np.nan)
    if scores is not None:
        given[:, : scores.shape[1]] = scores
    found = {name: np.zeros((rows, len(required)), np.float32) for name in ELEMENT_TERMS}
    odds = logit(np.clip(np.nan_to_num(given, nan=0.5), 1 - SUREST, SUREST))
    shown = np.nan_to_num(given, nan=0.0).sum(axis=1)
    for product, own in enumerate(required):
        if own.any():
            known = ~np.isnan(given[:, own]).any(axis=1) & (shown > 0)
            found["elements_mean"][known, product] = odds[known][:, own].mean(axis=1)
            found["elements_least"][known, product] = odds[known][:, own].min(axis=1)
            explained = given[known][:, own].sum(axis=1) / np.maximum(shown[known], 1.0)
            found["elements_explained"][known, product] = explained - 0.5
    return found


def text_terms(pages: Sequence[Page | None], vocabulary: Vocabulary) -> dict[str, Floats]:
    """How like title and text are to each product's names, `(rows, products)` by TEXT_TERMS; 0 where not read.

    title_elements: the Jaccard index of the elements that the title names with those that the product requires, less
    that of a product that may show whichever, a half; 0 where the title names none.
    """
    written = [page or Page("", "") for page in pages]
    likeness = product_likeness([page.title for page in written], [page.text for page in written], vocabulary)
    found = {name: likeness[:, :, column] for column, name in enumerate(LIKENESS)}
    return found | {"title_elements": _title_elements([page.title for page in written], vocabulary)}


def _title_elements(titles: Sequence[str], vocabulary: Vocabulary) -> Floats:
    required = _required(vocabulary).astype(np.float32)
    found = np.zeros((len(titles), len(required)), dtype=np.float32)
    for row, title in enumerate(titles):
        named = element_matches(title, vocabulary)
        if named.any():
            both = np.minimum(named, required).sum(axis=1)
            found[row] = both / np.maximum(np.maximum(named, required).sum(axis=1), 1e-9) - 0.5
    found[:, ~required.any(axis=1)] = 0.0
    return found


def _required(vocabulary: Vocabulary) -> NDArray[np.bool_]:
    """Which elements each product requires, `(products, elements)`."""
    rows = [vocabulary.multi_hot(product.elements) > 0 for product in vocabulary.products]
    return np.array(rows, dtype=bool).reshape(len(rows), len(vocabulary.elements))
