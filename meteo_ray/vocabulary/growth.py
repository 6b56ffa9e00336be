"""Which changes of the vocabulary a trained model survives: labels may be appended, nothing else (R2).

A model's outputs stand in the order of the list that it was trained with. As long as that list is the beginning of
the one in force, every output still means what it meant, and what was appended is simply not known to the model.
"""

from collections.abc import Sequence
from pathlib import Path

from meteo_ray.errors import UsageError
from meteo_ray.vocabulary.vocabulary import Vocabulary

SECTIONS = ("elements", "products")


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


def changes(ours: Vocabulary, trained: Vocabulary, sections: Sequence[str] = SECTIONS) -> list[str]:
    """Every difference, other than growth, between the named sections of two vocabularies, in words."""
    found = []
    for section in sections:
        texts = differences(_ids(ours, section), _ids(trained, section))
        found += [f"{section}, {text}" for text in texts]
    return found


def require_grown(folder: Path, ours: Vocabulary, trained: Vocabulary, sections: Sequence[str] = SECTIONS) -> None:
    """Refuse a model, found in `folder`, whose labels are not the beginning of ours in the sections that it uses.

    Raises:
        UsageError: with every difference.
    """
    problems = changes(ours, trained, sections)
    if problems:
        title = f"{folder}: trained with other labels; append to labels.yaml, do not reorder or rename, or train again:"
        raise UsageError.of_problems(title, problems)


def appended(ours: Vocabulary, trained: Vocabulary) -> dict[str, list[str]]:
    """The ids that ours has beyond `trained`, by section; sections without any are left out."""
    found = {section: list(_ids(ours, section)[len(_ids(trained, section)) :]) for section in SECTIONS}
    return {section: ids for section, ids in found.items() if ids}


def joined(vocabularies: Sequence[Vocabulary]) -> Vocabulary:
    """The vocabulary of models of which some were trained before the list grew, in the order of the cascade.

    The last one's entries stand, because what comes last was trained on them; where another one goes on, the rest is
    taken from there. Whether the models fit together is for `require_grown` to say.
    """
    last = vocabularies[-1]
    elements = max((vocabulary.elements for vocabulary in vocabularies), key=len)
    products = max((vocabulary.products for vocabulary in vocabularies), key=len)
    return Vocabulary(
        (*last.elements, *elements[len(last.elements) :]), (*last.products, *products[len(last.products) :])
    )


def _ids(vocabulary: Vocabulary, section: str) -> tuple[str, ...]:
    return vocabulary.element_ids if section == "elements" else vocabulary.product_ids
