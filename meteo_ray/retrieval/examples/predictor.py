"""Examples in the place of the products stage: pixels in, product columns out."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from meteo_ray.batch import Batch, objects
from meteo_ray.errors import UsageError
from meteo_ray.retrieval.bundle import Background
from meteo_ray.retrieval.examples.classifier import NONE_SHARE, ExamplesClassifier
from meteo_ray.retrieval.examples.folder import NONE, ExampleImage
from meteo_ray.retrieval.predictor import RetrievalPredictor

# From which probability a product is named: an answer that is more likely wrong than right is none.
LEAST = 0.5

TOP = 5
"""Products that `product_top` lists, as the products stage does."""


@dataclass(frozen=True)
class FittedExamples:
    """What travels to where charts are judged: the classifier, and a name for model and examples together."""

    classifier: ExamplesClassifier
    version: str

    @classmethod
    def fit(cls, predictor: RetrievalPredictor, images: Iterable[ExampleImage], none_share: float = NONE_SHARE) -> Self:
        """Encode the examples and calibrate; copies of one file count once.

        Raises:
            UsageError: when there are too few, or one file is an example of two products.
        """
        found = _distinct(images)
        features = predictor.encode(np.stack([image.pixels for image in found]))[1]
        own = np.array([image.product is not None for image in found])
        products = [image.product for image in found if image.product is not None]
        background, others = _others(predictor.background, set(products))
        background = np.concatenate([features[~own], background])
        others = [""] * int((~own).sum()) + others
        named = sorted(f"{image.product} {image.sha256}" for image in found)
        version = hashlib.sha256(" ".join([predictor.version, str(none_share), *named]).encode()).hexdigest()[:12]
        return cls(ExamplesClassifier.fit(features[own], products, background, others, none_share), version)


def _distinct(images: Iterable[ExampleImage]) -> list[ExampleImage]:
    """Each file once. A copy would teach that a right answer is equal to its example, and no chart is."""
    found: dict[str, ExampleImage] = {}
    for image in images:
        known = found.setdefault(image.sha256, image)
        if known.product != image.product:
            names = [f"{one.place or one.sha256} ({one.product or NONE})" for one in (known, image)]
            raise UsageError(f"--examples: one file is shown for two products: {' and '.join(names)}; remove one")
    return list(found.values())


def _others(background: Background, products: set[str]) -> tuple[np.ndarray, list[str]]:
    """Charts of the bundle that are known to be of none of the products, and what each is."""
    names = background.names
    shown = background.products[:, [name in products for name in names]].any(axis=1)
    kept = np.flatnonzero(background.products.any(axis=1) & ~shown)
    return background.features[kept], [names[int(background.products[row].argmax())] for row in kept]


class ExamplesPredictor:
    """See `judging.predictor.Predictor`; answers in the columns of the products stage."""

    def __init__(self, encoder: RetrievalPredictor, fitted: FittedExamples) -> None:
        self.encoder, self.classifier, self.version = encoder, fitted.classifier, fitted.version
        self.device = encoder.device

    @classmethod
    def load(cls, bundle: Path, **options: Any) -> Self:
        """`bundle` is the retrieval model's, `fitted` among the options the examples; the others are its predictor's.

        Raises:
            UsageError: when the bundle is missing or damaged.
        """
        fitted: FittedExamples = options.pop("fitted")
        return cls(RetrievalPredictor.load(bundle, **options), fitted)

    def __call__(self, batch: Batch) -> Batch:
        """Judge `batch["image"]`, uint8 `(rows, 240, 320, 3)`.

        Returns:
            product: the nearest example's, None where none is likely; product_score: the probability of that answer;
            product_top: at most five {"id", "score"}, the nearest first.
        """
        ranked = self.classifier(self.encoder.encode(batch["image"])[1])
        scores, names = self.classifier.shares(ranked), self.classifier.names
        named = ranked.right >= LEAST
        products = [names[first] if sure else None for first, sure in zip(ranked.order[:, 0], named, strict=True)]
        top = [
            [{"id": names[place], "score": float(scores[row, place])} for place in order[:TOP]]
            for row, order in enumerate(ranked.order)
        ]
        score = np.where(named, ranked.right, 1 - ranked.right).astype(np.float32)
        return {"product": objects(products), "product_score": score, "product_top": objects(top)}
