"""What can be said of charts' elements without the model: how the element stage's numbers are to be read."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from meteo_ray.elements.answers import Answers
from meteo_ray.metrics.multilabel import multilabel_metrics
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.keywords import keywords
from meteo_ray.voters.text_voter import Page

# Over all elements.
MEANS = ("map", "micro_f1", "macro_f1")


def blind(answers: Answers, shares: NDArray[np.float64]) -> dict[str, Any]:
    """The same answer for every chart: each element's share among the training charts, `(labels,)`.

    Its map is the mean share of the elements among the charts that are scored; for F1 it names those elements with
    which it would have the best micro-F1 on the training charts.
    """
    once_a_chart = (len(answers.targets), 1)
    scores, named = np.tile(shares, once_a_chart), np.tile(_best_named(shares), once_a_chart)
    return _measured(answers.targets, scores, named, answers.names)


def _best_named(shares: NDArray[np.float64]) -> NDArray[np.bool_]:
    """The k commonest elements, with the best 2 TP / (named + shown): a chart shows sum(shares) of them on average."""
    commonest = np.argsort(-shares, kind="stable")
    f1 = 2 * np.cumsum(shares[commonest]) / (np.arange(1, len(shares) + 1) + shares.sum())
    named = np.zeros(len(shares), dtype=bool)
    named[commonest[: int(f1.argmax()) + 1]] = shares.any()
    return named


def by_keywords(answers: Answers, pages: Sequence[Page | None], vocabulary: Vocabulary) -> dict[str, Any] | None:
    """Names of elements in title and text, of charts whose text was read; a name there means shown. None without any.

    The model's elements are the beginning of the vocabulary.
    """
    read = np.array([page is not None for page in pages], dtype=bool)
    if not read.any():
        return None
    labels = len(answers.names)
    found = keywords([page for page in pages if page is not None], vocabulary)
    return _measured(answers.targets[read], found.scores[:, :labels], found.shown[:, :labels], answers.names)


def _measured(
    targets: NDArray[np.bool_], scores: NDArray[Any], shown: NDArray[np.bool_], names: Sequence[str]
) -> dict[str, Any]:
    """rows and MEANS of scores and of decisions that no threshold of theirs makes, each `(rows, labels)`."""
    ranked = multilabel_metrics(targets, scores, np.zeros(len(names)), names)
    decided = multilabel_metrics(targets, shown, np.full(len(names), 0.5), names)
    return {"rows": len(targets), "map": ranked["map"], **{name: decided[name] for name in MEANS[1:]}}
