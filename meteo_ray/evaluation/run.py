"""One evaluation from config to metrics file: what is there to score is found and checked first, then judged."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray import bundle
from meteo_ray.elements.predictor import ElementsPredictor
from meteo_ray.elements.task import count_labels, labelled_charts
from meteo_ray.errors import UsageError
from meteo_ray.evaluation.config import STAGES, EvaluateJob
from meteo_ray.evaluation.end_to_end import PRODUCT_BATCH, run_cascade
from meteo_ray.evaluation.stage_metrics import elements_metrics, gate_metrics, products_metrics
from meteo_ray.files import write_atomically
from meteo_ray.gate.baseline import gate_baseline
from meteo_ray.gate.predictor import GatePredictor
from meteo_ray.gate.robustness import gate_robustness
from meteo_ray.gate.rows import gate_rows
from meteo_ray.products.predictor import ProductsPredictor
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.streaming.index import read_index
from meteo_ray.streaming.judge import Judge, Judged
from meteo_ray.versions import versions
from meteo_ray.vocabulary import choose_vocabulary

logger = logging.getLogger("meteo_ray")

CASCADE = "cascade"


@dataclass(frozen=True)
class Outcome:
    """The document that goes into the metrics file, and the judgements that a report draws from."""

    document: dict[str, Any]
    judged: dict[str, Judged] = field(default_factory=dict)


class Evaluation:
    """Everything that can go wrong by the user's hand goes wrong on construction, before Ray starts.

    Raises:
        UsageError: data not prepared, a model missing or damaged, or nothing to score.
    """

    def __init__(self, job: EvaluateJob) -> None:
        self.job = job
        self.vocabulary = choose_vocabulary(job.labels, job.data)
        self.index = read_index(job.data.resolve(), job.index)
        self.data, self.models = job.data.resolve(), job.models.resolve()
        self.judge = Judge(job, self.vocabulary)
        self.rows = {stage: self._stage_rows(stage) for stage in (*STAGES, CASCADE)}
        self.absent = self._absent()
        self.predictors = {stage: self._load(stage) for stage in STAGES if self._needed(stage)}

    def run(self) -> Outcome:
        """Judge and score every stage that was asked for and is there."""
        judged: dict[str, Judged] = {}
        document: dict[str, Any] = {
            "split": self.job.split,
            "counts": {stage: rows.num_rows for stage, rows in self.rows.items()},
            "models": {stage: predictor.version for stage, predictor in self.predictors.items()},
            "seed": self.job.seed,
            "versions": versions(),
        }
        score: dict[str, Callable[[dict[str, Judged]], dict[str, Any]]] = {
            "gate": self._gate,
            "elements": self._elements,
            "products": self._products,
            CASCADE: self._cascade,
        }
        for stage in self.wanted:
            if stage in self.absent:
                logger.warning("%s: not evaluated: %s", stage, self.absent[stage])
                document[stage] = {"absent": self.absent[stage]}
            else:
                document[stage] = score[stage](judged)
        return Outcome(document, judged)

    @cached_property
    def wanted(self) -> tuple[str, ...]:
        return (*STAGES, CASCADE) if self.job.stage == "all" else (self.job.stage,)

    # -- stages ------------------------------------------------------------------------------------------------------

    def _gate(self, judged: dict[str, Judged]) -> dict[str, Any]:
        job, gate, rows = self.job, self.predictors["gate"], self.rows["gate"]
        judged["gate"] = self.judge("gate", gate, rows)
        found = gate_metrics(judged["gate"], gate.threshold, job.bootstrap_rounds, job.seed)
        if job.robustness:
            found["robustness"] = gate_robustness(
                gate, rows, self.data, job.degradations, gate.threshold, job.seed, job.data_workers
            )
        if job.baseline:
            train, validation = (gate_rows(self.index, split, split != TRAIN) for split in (TRAIN, VALIDATION))
            pixels = self.judge.pixels()
            found["baseline"] = gate_baseline(train, validation, rows, pixels, job.seed, job.data_workers)
        return found

    def _elements(self, judged: dict[str, Judged]) -> dict[str, Any]:
        predictor = self.predictors["elements"]
        judged["elements"] = self.judge("elements", predictor, self.rows["elements"])
        thresholds = predictor.thresholds
        return elements_metrics(
            judged["elements"], thresholds, self.vocabulary, self.job.bootstrap_rounds, self.job.seed
        )

    def _products(self, judged: dict[str, Judged]) -> dict[str, Any]:
        predictor = self.predictors["products"]
        judged["products"] = self._name_products(predictor, "products")
        found = self._score_products(judged["products"], predictor)
        if self.job.zero_shot:
            base = ProductsPredictor.zero_shot_of(self.models / "products", self.vocabulary)
            found["zero_shot"] = self._score_products(self._name_products(base, "products, zero-shot"), base)
        return found

    def _name_products(self, predictor: ProductsPredictor, label: str) -> Judged:
        """Products given the elements of the labels, so that stage 2's mistakes do not count here."""
        size = predictor.image_size
        return self.judge(label, predictor, self.rows["products"], size, ("elements",), PRODUCT_BATCH)

    def _score_products(self, judged: Judged, predictor: ProductsPredictor) -> dict[str, Any]:
        return products_metrics(
            judged, self.vocabulary, self.job.bootstrap_rounds, self.job.seed, predictor.minimum_match
        )

    def _cascade(self, judged: dict[str, Judged]) -> dict[str, Any]:
        gate, elements, products = (self.predictors[stage] for stage in STAGES)
        return run_cascade(self.judge, self.rows[CASCADE], gate, elements, products, self.vocabulary)

    # -- checks ------------------------------------------------------------------------------------------------------

    def _stage_rows(self, stage: str) -> pa.Table:
        """The rows of the split that carry the label which a stage is scored by."""
        if stage == "elements":
            rows = labelled_charts(self.index, self.job.split)
            count_labels(rows, self.vocabulary)  # refuses an index made with another vocabulary
            return rows
        if stage == "products":
            return self._product_rows()
        return gate_rows(self.index, self.job.split, skip_ambiguous=not self.job.include_ambiguous)

    def _product_rows(self) -> pa.Table:
        known = pc.and_(pc.equal(self.index["split"], self.job.split), pc.is_valid(self.index["product"]))
        rows = self.index.filter(pc.fill_null(known, False))
        unknown = sorted(set(rows["product"].to_pylist()) - set(self.vocabulary.product_ids))
        if unknown:
            raise UsageError(f"the index holds products that the vocabulary lacks: {', '.join(unknown)}")
        return rows

    def _absent(self) -> dict[str, str]:
        """Wanted stage -> why it cannot be scored. Raises UsageError when that leaves nothing, or was asked for."""
        found: dict[str, str] = {}
        for stage in self.wanted:
            missing = [name for name in _models_of(stage) if not (self.models / name / bundle.SUMS).is_file()]
            if missing:
                jobs = ", ".join(f"jobs/train_{name}.py" for name in missing)
                found[stage] = f"no {' and no '.join(missing)} model in {self.models}; train with {jobs}"
            elif not self.rows[stage].num_rows:
                found[stage] = f"no row of the {self.job.split} split carries its label"
        if len(found) == len(self.wanted):
            raise UsageError.of_problems("nothing to evaluate:", [f"{name}: {why}" for name, why in found.items()])
        return found

    def _needed(self, stage: str) -> bool:
        return any(stage in _models_of(wanted) for wanted in self.wanted if wanted not in self.absent)

    def _load(self, stage: str) -> Any:
        options = self.job.cascade.options(stage)
        if stage == "gate":
            options["min_recall"] = self.job.min_recall
        predictors: dict[str, Any] = {
            "gate": GatePredictor,
            "elements": ElementsPredictor,
            "products": ProductsPredictor,
        }
        return predictors[stage].load(self.models / stage, vocabulary=self.vocabulary, **options)


def write_document(path: Path, document: dict[str, Any]) -> None:
    """Write the metrics file whole or not at all. Raises UsageError when that cannot be done."""
    write_file(path, json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n", "--out")


def write_file(path: Path, text: str, flag: str) -> None:
    """Write beside the place and rename; folders are made. Raises UsageError naming the flag that gave the path."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text)
    except OSError as error:
        raise UsageError(f"{flag} {path}: cannot write: {error}") from None


def _models_of(stage: str) -> tuple[str, ...]:
    return STAGES if stage == CASCADE else (stage,)
