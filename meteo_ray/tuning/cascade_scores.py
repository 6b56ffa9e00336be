"""What the models of a cascade say of a split, kept on disk, and how good the outcome is under any thresholds.

Images are judged once. Thresholds, the blend of language model and shortlist and the least likelihood of a product
decide on what was said then; a trial is a few array operations, no model and no Ray. One thing is left out: the
language model is told the elements that were found, which follow their thresholds; what it says is kept as it was under
the calibrated ones. The sweep therefore ends with an evaluation of the real cascade.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from meteo_ray.calibration.votes import unstacked
from meteo_ray.cascade.over_rows import READING, run_cascade
from meteo_ray.elements.answers import multi_hot
from meteo_ray.evaluation.config import END_TO_END, EvaluateJob
from meteo_ray.evaluation.run import Evaluation
from meteo_ray.judging.judge import Judged
from meteo_ray.judging.settings import CascadeSettings
from meteo_ray.metrics.checks import f1_parts
from meteo_ray.products.verdict import PRIOR, ProductsVerdict, answered
from meteo_ray.stages import CASCADE
from meteo_ray.tuning.config import SPEED

# What `quality` is made of, and what can be improved instead.
QUALITY, RIGHT, ELEMENTS_F1 = "quality", "right", "element_f1"
MEASURES = {
    QUALITY: "mean of right and element_f1",
    RIGHT: "share of images that come out right: others turned away, charts given their product",
    ELEMENTS_F1: "micro-F1 of the elements of all charts; one that is turned away shows none",
    SPEED: "images a second through all models, as they were timed",
}


@dataclass(frozen=True)
class CascadeScores:
    """What was said of `images` (all whose is_meteo is known); stages after the gate of `judged`, positions in those.

    gate_score, gate_alone (of the pixels, no text heard), gate_passes (under the settings of the job) and is_meteo:
    `(images,)`. element_scores and element_thresholds: `(judged, labels)`. Elements are known of `tagged`, `(images,)`,
    and shown `(images, labels)`. product: `(images,)`, the place of the right one, -1 where it is not known. listed
    `(judged, products + 1)`, log_likelihood `(judged, products)`, candidates `(judged,)`: how many were asked about.
    verdict: its coefficients. seconds: of one image, by gate and elements, and of one question to the language model.
    """

    gate_score: NDArray[np.float32]
    gate_alone: NDArray[np.float32]
    gate_passes: NDArray[np.bool_]
    is_meteo: NDArray[np.bool_]
    judged: NDArray[np.int64]
    element_scores: NDArray[np.float32]
    element_thresholds: NDArray[np.float64]
    tagged: NDArray[np.bool_]
    shown: NDArray[np.bool_]
    product: NDArray[np.int64]
    listed: NDArray[np.float32]
    log_likelihood: NDArray[np.float32]
    candidates: NDArray[np.int64]
    verdict: NDArray[np.float64]
    seconds: NDArray[np.float64]

    @classmethod
    def of(cls, job: EvaluateJob) -> Self:
        """What the cascade says under the settings of `job`; those it turns away are not judged further.

        Raises:
            UsageError: like `Evaluation`.
        """
        evaluation = Evaluation(job)
        rows = evaluation.rows_of(END_TO_END)
        return cls._of(run_cascade(evaluation.context.judge, rows, CASCADE, evaluation.predictors, evaluation.stages),
                       evaluation.predictors)  # fmt: skip

    @classmethod
    def wide(cls, job: EvaluateJob, least_gate: float) -> Self:
        """Of everything that the gate gives at least `least_gate`, so that other thresholds can be tried on it."""
        as_asked = cls.of(job)
        plain = {"element_threshold_scale": 1.0, "products_below": None, "products_blend": 1.0, "products_least": 0.0}
        values = {f"cascade.{name}": value for name, value in {**plain, "gate_threshold": least_gate}.items()}
        found = cls.of(job.with_values(min_recall=None, **values))
        return replace(found, gate_passes=as_asked.gate_passes)

    @classmethod
    def _of(cls, found: dict[str, Judged], predictors: Mapping[str, Any]) -> Self:
        gate, elements, products = (found[name] for name in ("gate", "elements", "products"))
        place = {image: number for number, image in enumerate(gate.rows["image_id"].to_pylist())}
        labels = gate.rows["elements"].to_pylist()
        names, ids = predictors["elements"].element_ids, predictors["products"].vocabulary.product_ids
        known = {name: number for number, name in enumerate(ids)}
        coefficients = predictors["products"].verdict.to_json()
        ordered = _in_order_of(elements, products)
        said = _column(products, "product_log_likelihood", len(ids))
        return cls(
            gate_score=gate.columns["gate_score"],
            gate_alone=_without_text(gate, predictors["gate"].verdict),
            gate_passes=np.asarray(gate.columns["is_meteo"], dtype=bool),
            is_meteo=np.array(gate.rows["is_meteo"].to_pylist(), dtype=bool),
            judged=np.array([place[image] for image in elements.rows["image_id"].to_pylist()], dtype=np.int64),
            element_scores=_column(elements, "element_scores", len(names)),
            element_thresholds=_column(elements, "element_thresholds", len(names)),
            tagged=np.array([row is not None for row in labels], dtype=bool),
            shown=multi_hot([row or [] for row in labels], names),
            product=np.array([known[name] if name else -1 for name in gate.rows["product"].to_pylist()], np.int64),
            listed=_column(products, "product_listed", len(ids) + 1)[ordered],
            log_likelihood=said[ordered],
            candidates=np.array([len(asked) for asked in products.columns.get("product_candidates", ())], np.int64)[
                ordered
            ],
            verdict=np.array([coefficients[name] for name in PRIOR]),
            seconds=np.array(
                [*(part.seconds_per_image or 0.0 for part in (gate, elements)), _seconds_a_question(products, said)]
            ),
        )

    def measures(self, settings: CascadeSettings) -> dict[str, float]:
        """MEASURES by name, under these settings."""
        passes = self.gate_passes if settings.gate_threshold is None else self._passes(settings.gate_threshold)
        behind = passes[self.judged]
        answers, asked = self._products(settings)
        found = {
            RIGHT: self._right(passes, answers),
            ELEMENTS_F1: self._element_f1(behind, settings.element_threshold_scale),
            SPEED: self._images_per_second(behind, asked),
        }
        return {QUALITY: (found[RIGHT] + found[ELEMENTS_F1]) / 2, **found}

    def _passes(self, threshold: float) -> NDArray[np.bool_]:
        """As in `cascade.over_rows.with_text_heard`: text is read of what passes by its pixels or may."""
        by_pixels = self.gate_alone.astype(np.float64)
        read = (by_pixels >= threshold) | (by_pixels >= READING.undecided_from)
        return np.asarray(read & (self.gate_score.astype(np.float64) >= threshold))

    def _products(self, settings: CascadeSettings) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Answers and who was asked, `(judged,)`."""
        coefficients = dict(zip(PRIOR, self.verdict.tolist(), strict=True))
        verdict = ProductsVerdict.from_json(coefficients).blended(settings.products_blend)
        below = settings.products_below
        sure = self.listed.max(axis=1, initial=0.0)
        asked = np.asarray(np.isfinite(self.log_likelihood).any(axis=1))
        if below is not None and below < 1:
            asked &= sure < below
        if not settings.products_blend:
            asked[:] = False  # as in `ProductsPredictor.load`
        said = np.where(asked[:, None], self.log_likelihood, -np.inf)
        return answered(verdict.probabilities(self.listed, said, self.candidates), settings.products_least), asked

    def _right(self, passes: NDArray[np.bool_], answers: NDArray[np.int64]) -> float:
        """Of the images whose answer is known."""
        given = np.full(len(passes), -2, dtype=np.int64)
        given[self.judged] = answers
        with_product = self.product >= 0
        right = (~self.is_meteo & ~passes).sum() + (passes & with_product & (given == self.product)).sum()
        return float(right / max((~self.is_meteo).sum() + with_product.sum(), 1))

    def _element_f1(self, behind: NDArray[np.bool_], scale: float) -> float:
        called = np.zeros_like(self.shown)
        thresholds = np.minimum(self.element_thresholds * scale, 1.0)
        called[self.judged] = (self.element_scores.astype(np.float64) >= thresholds) & behind[:, None]
        f1 = f1_parts(self.shown[self.tagged].ravel(), called[self.tagged].ravel())["f1"]
        return float(f1 or 0.0)

    def _images_per_second(self, behind: NDArray[np.bool_], asked: NDArray[np.bool_]) -> float:
        gate, elements, question = self.seconds
        total = gate * len(self.gate_score) + elements * behind.sum() + question * (behind & asked).sum()
        return float(len(self.gate_score) / max(total, 1e-9))

    def save(self, path: Path) -> None:
        np.savez(path, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def read(cls, path: Path) -> Self:
        with np.load(path, allow_pickle=False) as file:
            return cls(**{field.name: file[field.name] for field in fields(cls)})


def _column(judged: Judged, name: str, width: int) -> np.ndarray:
    """`(rows, width)`; a stage to which nothing was left has no columns."""
    found: np.ndarray = judged.columns.get(name, np.zeros((0, width), np.float32))
    return found


def _without_text(gate: Judged, verdict: Any) -> NDArray[np.float32]:
    """Gate scores `(rows,)` of the pixels alone."""
    votes = unstacked(gate.columns["gate_votes"], verdict.voters)
    found: NDArray[np.float32] = verdict(votes, [None] * gate.rows.num_rows)["gate_score"]
    return found


def _seconds_a_question(products: Judged, log_likelihood: np.ndarray) -> float:
    """What was not asked costs next to nothing: all of the time is that of the questions."""
    asked = int(np.isfinite(log_likelihood).any(axis=1).sum())
    return products.seconds / asked if asked else 0.0


def _in_order_of(elements: Judged, products: Judged) -> NDArray[np.int64]:
    """Positions in `products` of the rows of `elements`: both judge what passed, and read the same files."""
    place = {image: number for number, image in enumerate(products.rows["image_id"].to_pylist())}
    return np.array([place[image] for image in elements.rows["image_id"].to_pylist()], dtype=np.int64)
