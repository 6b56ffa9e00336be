"""What the product stage is worth on a labelled split: ranking, chance, confusions, the zero-shot baseline (R36)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.bundle import SUMS
from meteo_ray.judging.judge import Judged
from meteo_ray.judging.stage_evaluation import Scored, SplitContext, StageEvaluation, cost
from meteo_ray.metrics import plots
from meteo_ray.metrics.bootstrap import bootstrap_interval
from meteo_ray.metrics.ranking import ranking_metrics
from meteo_ray.products.answers import answers_of, ranked_answers, said_by_language_model
from meteo_ray.products.bundle import STAGE, base_before_training
from meteo_ray.products.calibration import NONE_OF_THESE
from meteo_ray.products.candidates import match
from meteo_ray.products.config import ProductsEvaluationSettings
from meteo_ray.products.predictor import READS, ProductsPredictor
from meteo_ray.products.probes import LABELLED, Probe, as_answered, asking_less, probes, voices
from meteo_ray.products.rows import require_known
from meteo_ray.products.title_slices import misled, title_slices, under_own_titles
from meteo_ray.schema import TRAIN
from meteo_ray.vocabulary import Vocabulary, element_ids

# A call of the predictor: as many as the archive job gives it.
BATCH = 8

# What is told of a probe.
PROBED = ("rows", "top1", "top5", "candidate_recall", "none_of_these", "language_model_top1")

# Confused pairs that are worth a line each.
MOST_CONFUSIONS = 30


class ProductsEvaluation(StageEvaluation):
    """On every chart whose product is known, given what the element stage answers, as in use."""

    headline: ClassVar = ("top1", "top3", "top5", "chance", "majority", "candidate_recall", "agreement", "ece")
    cascade_headline: ClassVar = ("product_accuracy", "product_accuracy_passed", "agreement", "with_product")
    batch_size: ClassVar = BATCH

    def rows(self, context: SplitContext) -> pa.Table:
        index = context.index
        known = pc.and_(pc.equal(index["split"], context.job.split), pc.is_valid(index["product"]))
        rows = index.filter(pc.fill_null(known, False))
        require_known(rows, context.vocabulary)
        self._require_language_model(cast(ProductsEvaluationSettings, context.job))
        return context.with_texts(rows)

    @staticmethod
    def _require_language_model(job: ProductsEvaluationSettings) -> None:
        """Raises UsageError when a language model is to be scored before its training, and the bundle has none or the
        base is not there as it was."""
        folder = job.models.resolve() / STAGE
        if job.zero_shot and ((folder / SUMS).is_file() or job.base_model is not None):
            base_before_training(folder, job.products_base)

    def score(self, context: SplitContext, predictor: ProductsPredictor, rows: pa.Table) -> Scored:
        job = cast(ProductsEvaluationSettings, context.job)
        asked = as_answered(rows)
        judged = self._judge(context, predictor, asked, "products")
        found = self._metrics(context, judged) | {"majority": majority(context, judged)}
        if job.probes:
            found |= {name: self._probe(context, probe) for name, probe in probes(predictor, rows, asked).items()}
            found["voices"] = voices(predictor, judged)
            found["asking_less"] = asking_less(judged)
        if job.zero_shot:
            base = ProductsPredictor.zero_shot_of(
                job.models.resolve() / "products",
                context.vocabulary,
                quantize=job.cascade.products_quantize,
                most=job.cascade.products_candidates,
                base_model=job.products_base,
                decoding=job.cascade.products_decoding,
            )
            found["zero_shot"] = self._metrics(context, self._judge(context, base, asked, "products, zero-shot"))
        if job.augmentation.enabled:
            titled = misled(judged) if job.own_titles else asked.slice(0, 0)
            told = self._judge(under_own_titles(context), predictor, titled, "products") if titled.num_rows else None
            found["slices"] = {"title": title_slices(judged, told)}
        return Scored(found, judged)

    def _judge(self, context: SplitContext, predictor: Any, rows: pa.Table, label: str) -> Judged:
        reads = tuple(name for name in READS if name in rows.column_names)
        return context.judge(label, predictor, rows, predictor.image_size, reads, BATCH)

    def _probe(self, context: SplitContext, probe: Probe) -> dict[str, Any]:
        metrics = self._metrics(context, self._judge(context, probe, probe.rows, f"products, {probe.label}"))
        return {name: metrics[name] for name in PROBED}

    def _metrics(self, context: SplitContext, judged: Judged) -> dict[str, Any]:
        return products_metrics(judged, context.vocabulary, context.job.bootstrap_rounds, context.job.seed)

    def end_to_end(self, judged: Mapping[str, Judged], vocabulary: Vocabulary) -> dict[str, Any]:
        """How the cascade ends for charts whose product is known.

        Returns:
            product_accuracy: share of them that got it in the end; turned away is wrong.
            product_accuracy_passed: the same among those that passed.
            agreement: mean share of the answered products' elements that were detected.
            with_product: how many there are.
        """
        gated, named = judged["gate"], judged["products"]
        right, with_product = _product_hits(gated, named)
        passed = int(pc.sum(pc.is_valid(named.rows["product"])).as_py() or 0)
        return {
            "product_accuracy": right / with_product if with_product else None,
            "product_accuracy_passed": right / passed if passed else None,
            "agreement": _agreement(named, vocabulary),
            "with_product": with_product,
        }

    def plots(self, scored: Scored) -> list[str]:
        judged = scored.judged
        if not judged.rows.num_rows:
            return []
        targets = [str(product) for product in judged.rows["product"].to_pylist()]
        answers = answers_of(judged)
        right = [answer == target for answer, target in zip(answers, targets, strict=True)]
        curve = scored.metrics.get("asking_less")
        return [
            plots.reliability_diagram(right, judged.columns["product_score"]),
            plots.confusion(targets, answers),
            *([plots.cost_and_quality(curve)] if curve else []),
        ]


def products_metrics(judged: Judged, vocabulary: Vocabulary, rounds: int, seed: int) -> dict[str, Any]:
    """`ranking_metrics`; chance, candidate_recall, agreement, confusion, an interval of top1 and what it took (R36).

    `chance` is what drawing evenly among the candidates would reach, `candidate_recall` the share of charts whose
    product was among them, `language_model_top1` top1 of what the language model alone would choose where it was asked,
    None where it was not. `agreement` is the mean share of the answered product's elements that the chart shows by its
    label. "None of these" counts as a wrong answer.
    """
    targets = [str(product) for product in judged.rows["product"].to_pylist()]
    answers = answers_of(judged)
    right = np.array([answer == target for answer, target in zip(answers, targets, strict=True)])
    interval = (
        bootstrap_interval(lambda hits, _: float(hits.mean()), right, right, seed, rounds)
        if rounds and len(right)
        else None
    )
    listed = [list(names) for names in judged.columns.get("product_candidates", ())]
    hits = [target in names for target, names in zip(targets, listed, strict=True)]
    spoken = said_by_language_model(judged, vocabulary.product_ids)
    return {
        **ranking_metrics(targets, ranked_answers(judged), judged.columns.get("product_score", np.zeros(0))),
        "chance": _mean([hit / len(names) for hit, names in zip(hits, listed, strict=True)]),
        "candidate_recall": _mean(hits),
        "none_of_these": _mean([answer == NONE_OF_THESE for answer in answers]),
        "asked": _mean(list(judged.columns.get("product_asked", ()))),
        "language_model_top1": ranking_metrics(*spoken, np.zeros(len(spoken[0])))["top1"],
        "interval": {"top1": interval},
        "agreement": agreement(answers, labelled_elements(judged), vocabulary),
        "equal_elements": _equal_elements(targets, answers, vocabulary),
        "confusions": _confusions(targets, answers),
        "tokens_per_second": tokens_per_second(judged),
        **cost(judged),
    }


def tokens_per_second(judged: Judged) -> float | None:
    """Tokens that were put to the language model in a second of the stage's work, all stages before it left out (R36);
    None where it was not asked."""
    tokens = int(np.sum(judged.columns.get("product_tokens", 0)))
    return tokens / judged.seconds if tokens else None


def majority(context: SplitContext, judged: Judged) -> float | None:
    """top1 of the answer that is the same for every chart: the product of most training charts."""
    training = context.index.filter(pc.equal(context.index["split"], TRAIN))["product"].drop_null().to_pylist()
    targets = judged.rows["product"].to_pylist()
    if not training or not targets:
        return None
    commonest = Counter(sorted(training)).most_common(1)[0][0]
    return _mean([target == commonest for target in targets])


def labelled_elements(judged: Judged) -> list[list[str]]:
    """What each chart shows by its label, by its answer where there is none."""
    name = LABELLED if LABELLED in judged.rows.column_names else "elements"
    return [element_ids(row) for row in judged.rows[name].to_pylist()]


def agreement(answers: Sequence[str], shown: Sequence[Sequence[str]], vocabulary: Vocabulary) -> float | None:
    """Mean share of the answered products' required elements that are among those shown.

    "None of these" and products that may show any elements agree with whatever is shown, and are left out; None where
    no other answer is left.
    """
    required = {product.id: product.elements for product in vocabulary.products}
    pairs = [(row, required[answer]) for answer, row in zip(answers, shown, strict=True) if required.get(answer)]
    return _mean([match(row, elements) for row, elements in pairs])


def _equal_elements(targets: Sequence[str], answers: Sequence[str], vocabulary: Vocabulary) -> dict[str, Any]:
    """How often products that require the very same elements are taken for each other (R36)."""
    required = {product.id: frozenset(product.elements) for product in vocabulary.products} | {NONE_OF_THESE: None}
    sizes = Counter(required.values())
    pairs = [(t, a) for t, a in zip(targets, answers, strict=True) if sizes[required[t]] > 1]
    return {
        "rows": len(pairs),
        "top1": _mean([target == answer for target, answer in pairs]),
        "confused_within": _mean(
            [target != answer and required[target] == required[answer] for target, answer in pairs]
        ),
    }


def _confusions(targets: Sequence[str], answers: Sequence[str]) -> list[dict[str, Any]]:
    """Wrong answers, the most frequent pairs first."""
    pairs = Counter((target, answer) for target, answer in zip(targets, answers, strict=True) if target != answer)
    return [{"product": t, "answered": a, "rows": n} for (t, a), n in pairs.most_common(MOST_CONFUSIONS)]


def _product_hits(gated: Judged, named: Judged) -> tuple[int, int]:
    """Charts whose product came out right, and charts whose product is known."""
    answers = dict(zip(named.rows["image_id"].to_pylist(), named.columns.get("product", ()), strict=True))
    known = gated.rows.filter(pc.is_valid(gated.rows["product"]))
    pairs = zip(known["image_id"].to_pylist(), known["product"].to_pylist(), strict=True)
    return sum(answers.get(image_id) == product for image_id, product in pairs), known.num_rows


def _agreement(named: Judged, vocabulary: Vocabulary) -> float | None:
    if not named.rows.num_rows:
        return None
    shown = [element_ids(row) for row in named.rows["elements"].to_pylist()]
    return agreement(answers_of(named), shown, vocabulary)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
