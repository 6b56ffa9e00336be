"""How products and their elements overlap: agreement with what was detected (R32), hard negatives (R33)."""

from collections.abc import Collection

from meteo_ray.vocabulary import Vocabulary

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


def hard_negatives(product_id: str, vocabulary: Vocabulary) -> list[str]:
    """Ids of the other products whose element sets overlap the given one's with a Jaccard index of 0.3 to 0.8 (R33).

    One that may show whichever elements is nobody's and has none.
    """
    lowest, highest = HARD_NEGATIVE_JACCARD
    own = vocabulary.product_by_id[product_id].elements
    return [
        product.id
        for product in vocabulary.products
        if product.id != product_id and lowest <= jaccard(own, product.elements) <= highest
    ]
