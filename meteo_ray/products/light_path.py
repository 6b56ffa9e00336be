"""The part of the product stage that needs no language model: fitted in seconds, alone or before Gemma is trained."""

from typing import Any

import numpy as np
import pyarrow as pa

from meteo_ray import bundle
from meteo_ray.batch import ANSWERED
from meteo_ray.files import write_json
from meteo_ray.products.bundle import STAGE, write_bundle
from meteo_ray.products.calibration import Heard, ProductsCalibration
from meteo_ray.products.config import ProductsTraining
from meteo_ray.products.detected_scores import DetectedScores
from meteo_ray.products.questions import evidence_of
from meteo_ray.products.rows import EVIDENCE, as_batch, product_rows
from meteo_ray.products.shortlist import Evidence, Shortlist, ShortlistSettings
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.text.table import texts_mode, texts_path
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.vocabulary import Vocabulary, element_ids


def evidence(rows: pa.Table) -> Evidence:
    """What is known of `product_rows` beside their pixels."""
    return evidence_of(as_batch(rows, "image_id", *EVIDENCE), ANSWERED)


def fit_shortlist(
    training: pa.Table, validation: pa.Table, vocabulary: Vocabulary, config: ProductsTraining
) -> Shortlist:
    """Fit on `product_rows` of both splits."""
    products = [rows["product"].to_pylist() for rows in (training, validation)]
    settings = ShortlistSettings(none_share=config.none_share)
    return Shortlist.fit(vocabulary, evidence(training), products[0], evidence(validation), products[1], settings)


def fit_detected_scores(validation: pa.Table, vocabulary: Vocabulary) -> DetectedScores | None:
    """How the element stage errs on validation charts whose elements are labelled; None where nothing tells."""
    scores = evidence(validation).element_scores
    labelled = [row for row, elements in enumerate(validation["elements"].to_pylist()) if elements is not None]
    if scores is None or not labelled:
        return None
    rows = [row for row in labelled if np.isfinite(scores[row]).all()]
    names = vocabulary.element_ids[: scores.shape[1]]
    shown, named = (
        np.array([[name in set(element_ids(elements[row])) for name in names] for row in rows], dtype=bool)
        for elements in (validation[column].to_pylist() for column in ("elements", f"{ANSWERED}elements"))
    )
    return DetectedScores.fit(names, scores[rows], named, shown) if rows else None


def train_light_path(config: ProductsTraining, inputs: TaskInputs) -> dict[str, Any]:
    """Fit and write a bundle without a language model; its metrics come back.

    Raises:
        UsageError: when a split has no charts of known product, or a folder that is no bundle stands in the way.
    """
    training, validation = (product_rows(inputs.index, split, inputs) for split in (TRAIN, VALIDATION))
    target = inputs.models / STAGE
    bundle.require_free(target)
    shortlist = fit_shortlist(training, validation, inputs.vocabulary, config)
    heard = heard_of_shortlist(shortlist, validation, config)
    calibration = ProductsCalibration.fit(heard, config.none_share)
    with bundle.writing(target) as scratch:
        write_bundle(scratch, None, None, config, shortlist, calibration, details(shortlist, inputs))
        metrics = calibration.metrics(heard, inputs.vocabulary.product_ids)
        write_json(scratch / bundle.METRICS, metrics)
    return metrics


def cross_fitted(shortlist: Shortlist, validation: pa.Table, config: ProductsTraining) -> np.ndarray:
    """What the shortlist says of validation charts, float32 `(rows, products + 1)`, each by coefficients that were
    fitted on others."""
    settings = ShortlistSettings(none_share=config.none_share)
    return shortlist.cross_fitted(evidence(validation), validation["product"].to_pylist(), settings)


def details(shortlist: Shortlist, inputs: TaskInputs) -> dict[str, Any]:
    """What a bundle records of the answers and texts that it was made with: others may suit it less."""
    mode = texts_mode(texts_path(inputs.data, inputs.index_folder)) if shortlist.words is not None else None
    return {"text_mode": mode, "answered_by": dict(inputs.answered_by)}


def heard_of_shortlist(shortlist: Shortlist, validation: pa.Table, config: ProductsTraining) -> Heard:
    """What the shortlist alone says of validation charts, see `cross_fitted`."""
    products, ids = validation["product"].to_pylist(), shortlist.vocabulary.product_ids
    listed = cross_fitted(shortlist, validation, config)
    target = np.array([ids.index(product) for product in products], dtype=np.int64)
    return Heard(listed, np.full((len(target), len(ids)), -np.inf), target)
