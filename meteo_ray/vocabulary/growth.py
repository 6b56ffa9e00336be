"""Which changes of the vocabulary a trained model survives: labels may be appended, nothing else (R2).

A model's outputs stand in the order of the list that it was trained with. As long as that list is the beginning of
the one in force, every output still means what it meant, and what was appended is simply not known to the model.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from meteo_ray.errors import UsageError
from meteo_ray.vocabulary.vocabulary import Vocabulary


def differences(ours: Sequence[str], trained: Sequence[str]) -> list[str]:
    """Why a model trained with the labels `trained` cannot be used with `ours`, in words; empty when it can.

    It can when the lists are the same, or when ours only goes on where the model's ends.
    """
    if list(ours[: len(trained)]) == list(trained):
        return []
    only_ours = [name for name in ours if name not in trained]
    only_trained = [name for name in trained if name not in ours]
    found = []
    if only_ours:
        found.append(f"only in the vocabulary: {', '.join(only_ours)}")
    if only_trained:
        found.append(f"only in the model: {', '.join(only_trained)}")
    position = next((i for i, (a, b) in enumerate(zip(ours, trained, strict=False)) if a != b), None)
    if position is not None:
        found.append(f"position {position}: {ours[position]} in the vocabulary, {trained[position]} in the model")
    return found


def require_grown(folder: Path, ours: Vocabulary, trained: Vocabulary) -> None:
    """Refuse a model, found in `folder`, whose vocabulary is not the beginning of ours.

    Raises:
        UsageError: with every difference, of elements and of products.
    """
    problems = [f"elements, {text}" for text in differences(ours.element_ids, trained.element_ids)]
    problems += [f"products, {text}" for text in differences(ours.product_ids, trained.product_ids)]
    if problems:
        title = f"{folder}: trained with other labels; append to labels.yaml, do not reorder or rename, or train again:"
        raise UsageError.of_problems(title, problems)


def appended(ours: Vocabulary, trained: Vocabulary) -> dict[str, list[str]]:
    """The ids that ours has beyond `trained`, by section (elements, products); sections without any are left out."""
    found = {
        "elements": list(ours.element_ids[len(trained.elements) :]),
        "products": list(ours.product_ids[len(trained.products) :]),
    }
    return {section: ids for section, ids in found.items() if ids}


def longest(vocabularies: Mapping[Path, Vocabulary]) -> Vocabulary:
    """The vocabulary of which all given ones, by the folders of their models, are the beginning.

    Models of one cascade may have been trained before and after the list grew.

    Raises:
        UsageError: when one of them is not the beginning of the others.
    """
    elements = max((vocabulary.elements for vocabulary in vocabularies.values()), key=len)
    products = max((vocabulary.products for vocabulary in vocabularies.values()), key=len)
    found = Vocabulary(elements, products)
    for folder, vocabulary in vocabularies.items():
        require_grown(folder, found, vocabulary)
    return found
