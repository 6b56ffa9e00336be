"""What validation tells of the product stage: how to weigh its two voices, and how good each is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from meteo_ray.metrics.ranking import ranking_metrics
from meteo_ray.products.verdict import LEAST, ProductsVerdict

# "None of these" where answers are ranked by name; no product has this id.
NONE_OF_THESE = "none of these"

# Fewer validation charts cannot tell whether the shortlist does as well as both.
LEAST_CHARTS = 20


@dataclass(frozen=True)
class Heard:
    """What was said of validation charts.

    `listed` `(rows, products + 1)` by the shortlist, `log_likelihood` `(rows, products)` by the language model (-inf
    where a product was no candidate, everywhere where there is no such model), `target` `(rows,)`, what is right.
    """

    listed: np.ndarray
    log_likelihood: np.ndarray
    target: NDArray[np.int64]

    @property
    def language_model(self) -> bool:
        return bool(np.isfinite(self.log_likelihood).any())


@dataclass(frozen=True)
class ProductsCalibration:
    """How shortlist and language model are weighed, and what validation showed.

    `below`: the least probability of the shortlist from which it was right as often as both together; None where there
    was none, or nothing to compare.
    """

    verdict: ProductsVerdict
    validation_rows: int
    below: float | None = None

    @classmethod
    def fit(cls, heard: Heard, none_share: float) -> Self:
        """Fit on a validation split (R40)."""
        if not heard.language_model:
            return cls(ProductsVerdict.untrained(), len(heard.target))
        verdict = ProductsVerdict.fit(heard.listed, heard.log_likelihood, heard.target, none_share)
        both = verdict.probabilities(heard.listed, heard.log_likelihood)
        return cls(verdict, len(heard.target), _as_good_from(heard, both))

    def to_json(self) -> dict[str, Any]:
        return {"verdict": self.verdict.to_json(), "validation_rows": self.validation_rows, "below": self.below}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Raises KeyError or TypeError when a value is missing."""
        verdict = ProductsVerdict.from_json(document["verdict"])
        return cls(verdict, int(document["validation_rows"]), document["below"])

    def metrics(self, heard: Heard, names: tuple[str, ...]) -> dict[str, Any]:
        """R36's of both together; the mean log_probability of what is right, which rises where top1 does not yet; top1
        of each alone, and how often the right product was a candidate at all."""
        both = self.verdict.probabilities(heard.listed, heard.log_likelihood)
        found: dict[str, Any] = ranked_metrics(both, heard, names)
        right = both[np.arange(len(heard.target)), heard.target]
        found["log_probability"] = float(np.log(np.maximum(right, LEAST)).mean())
        found["shortlist_top1"] = ranked_metrics(heard.listed, heard, names)["top1"]
        if heard.language_model:
            every = np.arange(len(heard.target))
            found["language_model_top1"] = float(np.mean(heard.log_likelihood.argmax(axis=1) == heard.target))
            found["candidate_recall"] = float(np.isfinite(heard.log_likelihood[every, heard.target]).mean())
        return found


def ranked_metrics(probabilities: np.ndarray, heard: Heard, names: tuple[str, ...]) -> dict[str, float | None]:
    """`ranking_metrics` of probabilities `(rows, products + 1)`; `names` are the products'."""
    answers = np.array([*names, NONE_OF_THESE], dtype=object)
    ranked = [list(answers[row]) for row in np.argsort(-probabilities, axis=1, kind="stable")[:, :5]]
    return ranking_metrics(list(answers[heard.target]), ranked, probabilities.max(axis=1))


def _as_good_from(heard: Heard, both: np.ndarray) -> float | None:
    """The least probability of the shortlist's answer from which on it is right at least as often as both."""
    sure = heard.listed.max(axis=1)
    surest_first = np.argsort(-sure, kind="stable")
    alone = (heard.listed.argmax(axis=1) == heard.target)[surest_first]
    together = (both.argmax(axis=1) == heard.target)[surest_first]
    gained = np.cumsum(alone.astype(int) - together.astype(int))
    # Charts of which it is equally sure are asked about together, or not at all.
    whole = np.append(np.diff(sure[surest_first]) < 0, True)
    enough = np.flatnonzero((gained >= 0) & whole & (np.arange(len(gained)) + 1 >= LEAST_CHARTS))
    return float(sure[surest_first[enough[-1]]]) if len(enough) else None
