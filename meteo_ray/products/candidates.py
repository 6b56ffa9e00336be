"""Which products are worth asking about, given the elements that a chart shows (R32, R33)."""

from collections.abc import Collection, Sequence

import numpy as np

from meteo_ray.vocabulary import Vocabulary

MINIMUM_MATCH = 0.5  # R32
HARD_NEGATIVE_JACCARD = (0.3, 0.8)  # R33, both ends included


def match(detected: Collection[str], required: Collection[str]) -> float:
    """The share of a product's required elements that were detected, `|detected & required| / |required|` (R32).

    Of a product that requires none (`elements: any`) all are there: 1.
    """
    wanted = set(required)
    return len(wanted & set(detected)) / len(wanted) if wanted else 1.0


def jaccard(first: Collection[str], second: Collection[str]) -> float:
    """Overlap of two element sets, `|first & second| / |first | second|`; two empty sets are equal (1.0)."""
    union = set(first) | set(second)
    return len(set(first) & set(second)) / len(union) if union else 1.0


def candidates(elements: Collection[str], vocabulary: Vocabulary, minimum_match: float = MINIMUM_MATCH) -> list[str]:
    """Ids of the products whose elements match at least `minimum_match`, best match first, then vocabulary order.

    Products that may show whichever elements are always candidates, after those whose own elements were detected. Never
    empty: when of all others none matches, every product is a candidate.
    """
    matches = {product.id: match(elements, product.elements) for product in vocabulary.products if product.elements}
    kept = [product_id for product_id, share in matches.items() if share >= minimum_match]
    if not kept:
        return list(vocabulary.product_ids)
    open_to_any = [product.id for product in vocabulary.products if not product.elements]
    return [*sorted(kept, key=lambda product_id: -matches[product_id]), *open_to_any]


def hard_negatives(product_id: str, vocabulary: Vocabulary) -> list[str]:
    """Ids of the other products whose element sets overlap the given one's with a Jaccard index of 0.3 to 0.8 (R33).

    One that may show whichever elements is nobody's and has none; it is a candidate beside every product as it is.
    """
    lowest, highest = HARD_NEGATIVE_JACCARD
    own = vocabulary.product_by_id[product_id].elements
    return [
        product.id
        for product in vocabulary.products
        if product.id != product_id and lowest <= jaccard(own, product.elements) <= highest
    ]


def training_candidates(
    product_id: str,
    elements: Collection[str],
    vocabulary: Vocabulary,
    maximum: int,
    rng: np.random.Generator,
    minimum_match: float = MINIMUM_MATCH,
) -> list[str]:
    """At most `maximum` product ids in random order: the right one, matching ones and hard negatives.

    The right product is always among them, so that the answer can always be given. When there are too many others,
    matching products and hard negatives have the same chance to stay.
    """
    others = set(candidates(elements, vocabulary, minimum_match)) | set(hard_negatives(product_id, vocabulary))
    others.discard(product_id)
    pool = [other for other in vocabulary.product_ids if other in others]
    drawn = rng.permutation(len(pool))[: maximum - 1]
    chosen = [product_id, *(pool[position] for position in drawn)]
    return [chosen[position] for position in rng.permutation(len(chosen))]


def perturb(elements: Sequence[str], vocabulary: Vocabulary, share: float, rng: np.random.Generator) -> list[str]:
    """What an imperfect detector might have reported: with chance `share`, one element too few or one too many.

    Both faults are equally likely; a lone element is never dropped, because an empty list tells the model nothing.
    """
    reported = list(elements)
    if rng.random() >= share:
        return reported
    absent = [element_id for element_id in vocabulary.element_ids if element_id not in reported]
    if len(reported) > 1 and rng.random() < 0.5:
        del reported[rng.integers(len(reported))]
    elif absent:
        reported.append(absent[rng.integers(len(absent))])
    return reported
