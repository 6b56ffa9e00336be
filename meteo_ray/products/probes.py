"""What the product stage owes to what: true elements instead of detected ones, no picture, no text, each voice alone.

A figure that stands alone says little: a model that never looks at the chart can come near it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from meteo_ray.batch import ANSWERED, Batch
from meteo_ray.judging.judge import Judged
from meteo_ray.metrics.ranking import ranking_metrics
from meteo_ray.products.answers import answers_of, behind_none, ranked_answers, said_by_language_model
from meteo_ray.products.predictor import ProductsPredictor
from meteo_ray.products.questions import evidence_of
from meteo_ray.products.rows import as_batch
from meteo_ray.products.shortlist import Evidence
from meteo_ray.vocabulary import Vocabulary, element_ids

LABELLED = "labelled_elements"
"""The column of the labels, where `elements` holds what the element stage answered."""

# How sure of a labelled element a probe is: as a calibrated stage at its best, and never so sure that one element alone
# decides.
SURE = 0.97

# Points of the curve of cost and quality.
POINTS = 21


@dataclass(frozen=True)
class Probe:
    """A predictor that is told something else, and the rows that it is asked about."""

    predictor: ProductsPredictor
    rows: pa.Table
    label: str
    unseen: bool = False
    unread: bool = False

    @property
    def image_size(self) -> tuple[int, int]:
        return self.predictor.image_size

    def __call__(self, batch: Batch) -> Batch:
        hidden = ("title", "text") if self.unread else ()
        told = {name: values for name, values in batch.items() if name not in hidden}
        return self.predictor({**told, "image": np.zeros_like(batch["image"])} if self.unseen else told)


def as_answered(rows: pa.Table) -> pa.Table:
    """Rows whose `elements` and the rest are what earlier stages answered; labels in LABELLED alone.

    Without answers nothing is known of the elements: a label is never told as if somebody had found it.
    """
    rows = rows.rename_columns([LABELLED if name == "elements" else name for name in rows.column_names])
    return rows.rename_columns([name.removeprefix(ANSWERED) for name in rows.column_names])


def probes(predictor: ProductsPredictor, rows: pa.Table, asked: pa.Table) -> dict[str, Probe]:
    """true_elements: told the labelled elements; unseen: a black picture for the language model, all else told, that is
    descriptors of the picture too, so without such a model nothing would be hidden and it is left out; unread: as if no
    text had been read, though elements were found with it."""
    labelled = as_answered(with_labels_as_answers(rows, predictor.vocabulary))
    unseen = {"unseen": Probe(predictor, asked, "black pictures", unseen=True)}
    return {
        "true_elements": Probe(predictor, labelled, "true elements"),
        **(unseen if predictor.language_model is not None else {}),
        "unread": Probe(predictor, asked, "without text", unread=True),
    }


def with_labels_as_answers(rows: pa.Table, vocabulary: Vocabulary) -> pa.Table:
    """The rows whose elements are labelled, as if the element stage had been right and SURE."""
    rows = rows.filter(rows["elements"].is_valid())
    shown = [set(element_ids(row)) for row in rows["elements"].to_pylist()]
    scores = [[SURE if name in row else 1 - SURE for name in vocabulary.element_ids] for row in shown]
    kept = [name for name in rows.column_names if name not in (f"{ANSWERED}elements", f"{ANSWERED}element_scores")]
    rows = rows.select(kept).append_column(f"{ANSWERED}elements", rows["elements"])
    return rows.append_column(f"{ANSWERED}element_scores", pa.array(scores, pa.list_(pa.float32())))


def voices(predictor: ProductsPredictor, judged: Judged) -> dict[str, dict[str, Any]]:
    """top1 and top5 of each voice of the shortlist, of the language model, of the whole shortlist, of all together.

    elements: by the element stage's scores; text: by names and words; looks: a linear probe of the element stage's
    descriptors; language_model: on the charts that it was asked about. These rank products alone; `shortlist` and `all`
    answer "none of these" too, which counts as wrong, as in all other figures.
    """
    known = evidence_of(as_batch(judged.rows, "image_id", "element_scores", "descriptors", "title", "text"))
    shortlist, rows = predictor.asking.shortlist, judged.rows.num_rows
    alone = {
        "elements": Evidence(element_scores=known.element_scores),
        "text": Evidence(pages=known.pages),
        "looks": Evidence(descriptors=known.descriptors),
    }
    targets = [str(product) for product in judged.rows["product"].to_pylist()]
    found = {
        name: _ranked(shortlist.candidates(shortlist.scores(*part), 5), targets)
        for name, part in alone.items()
        if rows and _tells(part)
    }
    said_of, said = said_by_language_model(judged, predictor.vocabulary.product_ids)
    if said:
        found["language_model"] = _ranked(said, said_of)
    if rows:
        ranked = shortlist.candidates(shortlist.scores(*known), 5)
        found["shortlist"] = _ranked(behind_none(answers_of(judged, "product_alone"), ranked), targets)
        found["all"] = _ranked(ranked_answers(judged), targets)
    return found


def _tells(part: Evidence) -> bool:
    """Whether anything is known of any chart."""
    given = part.element_scores is not None or part.descriptors is not None
    return given or (part.pages is not None and any(page is not None for page in part.pages))


def asking_less(judged: Judged) -> list[dict[str, float]]:
    """top1 and the share of charts put to the language model, by the shortlist's sureness below which it is asked.

    Empty where nothing was asked: then there is nothing to save.
    """
    asked = np.asarray(judged.columns.get("product_asked", ()), dtype=bool)
    if not asked.any():
        return []
    targets = judged.rows["product"].to_pylist()
    both, alone = (
        np.array([answer == target for answer, target in zip(judged.columns[name], targets, strict=True)])
        for name in ("product", "product_alone")
    )
    sure = np.asarray(judged.columns["product_sure"], dtype=np.float64)
    curve = []
    for below in [*np.unique(np.quantile(sure, np.linspace(0, 1, POINTS))), np.inf]:
        put = asked & (sure < below)
        top1 = float(np.where(put, both, alone).mean())
        curve.append({"below": min(float(below), 1.0), "asked": float(put.mean()), "top1": top1})
    return curve


def _ranked(ranked: Sequence[Sequence[str]], targets: Sequence[str]) -> dict[str, Any]:
    found = ranking_metrics(targets, ranked, np.zeros(len(targets)))
    return {"rows": len(targets), "top1": found["top1"], "top5": found["top5"]}
