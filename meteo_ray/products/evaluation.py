"""What the product stage is worth on a labelled split: ranking, chance, confusions, the zero-shot baseline (R36)."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.errors import UsageError
from meteo_ray.judging.judge import Judged
from meteo_ray.judging.stage_evaluation import Scored, SplitContext, StageEvaluation, cost
from meteo_ray.metrics import plots
from meteo_ray.metrics.bootstrap import bootstrap_interval
from meteo_ray.metrics.ranking import ranking_metrics
from meteo_ray.products.candidates import MINIMUM_MATCH, candidates, match
from meteo_ray.products.config import ProductsEvaluationSettings
from meteo_ray.products.predictor import ProductsPredictor
from meteo_ray.products.title_slices import misled, title_slices, under_own_titles
from meteo_ray.vocabulary import Vocabulary, element_ids

# A call of the predictor: as many as the archive job gives it.
BATCH = 8

# Confused pairs that are worth a line each.
MOST_CONFUSIONS = 30


class ProductsEvaluation(StageEvaluation):
    """On every chart whose product is known, given the elements of its labels."""

    headline: ClassVar = ("top1", "top3", "top5", "chance", "agreement", "ece")
    cascade_headline: ClassVar = ("product_accuracy", "product_accuracy_passed", "agreement", "with_product")
    batch_size: ClassVar = BATCH

    def rows(self, context: SplitContext) -> pa.Table:
        index = context.index
        known = pc.and_(pc.equal(index["split"], context.job.split), pc.is_valid(index["product"]))
        rows = index.filter(pc.fill_null(known, False))
        unknown = sorted(set(rows["product"].to_pylist()) - set(context.vocabulary.product_ids))
        if unknown:
            raise UsageError(f"the index holds products that the vocabulary lacks: {', '.join(unknown)}")
        return rows

    def score(self, context: SplitContext, predictor: ProductsPredictor, rows: pa.Table) -> Scored:
        job = cast(ProductsEvaluationSettings, context.job)
        judged = self._judge(context, predictor, rows, "products")
        found = self._metrics(context, predictor, judged)
        if job.zero_shot:
            base = ProductsPredictor.zero_shot_of(
                job.models.resolve() / "products",
                context.vocabulary,
                quantize=job.cascade.products_quantize,
                minimum_match=predictor.minimum_match,
                decoding=predictor.decoding,
            )
            found["zero_shot"] = self._metrics(context, base, self._judge(context, base, rows, "products, zero-shot"))
        if job.augmentation.enabled:
            titled = misled(judged) if job.own_titles else rows.slice(0, 0)
            told = self._judge(under_own_titles(context), predictor, titled, "products") if titled.num_rows else None
            found["slices"] = {"title": title_slices(judged, told)}
        return Scored(found, judged)

    def _judge(self, context: SplitContext, predictor: ProductsPredictor, rows: pa.Table, label: str) -> Judged:
        """Products given the elements of the labels, so that stage 2's mistakes do not count here."""
        return context.judge(label, predictor, rows, predictor.image_size, ("elements",), BATCH)

    def _metrics(self, context: SplitContext, predictor: ProductsPredictor, judged: Judged) -> dict[str, Any]:
        job = context.job
        return products_metrics(judged, context.vocabulary, job.bootstrap_rounds, job.seed, predictor.minimum_match)

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
        answers = [str(answer) for answer in judged.columns["product"]]
        right = [answer == target for answer, target in zip(answers, targets, strict=True)]
        return [
            plots.reliability_diagram(right, judged.columns["product_score"]),
            plots.confusion(targets, answers),
        ]


def products_metrics(
    judged: Judged, vocabulary: Vocabulary, rounds: int, seed: int, minimum_match: float = MINIMUM_MATCH
) -> dict[str, Any]:
    """`ranking_metrics` given the rows' own elements; chance, agreement, confusion and an interval of top1 (R36).

    `chance` is what drawing evenly among the candidates would reach. `agreement` is the mean share of the answered
    product's elements that the row shows.
    """
    targets = [str(product) for product in judged.rows["product"].to_pylist()]
    shown = [element_ids(elements) for elements in judged.rows["elements"].to_pylist()]
    ranked = [[entry["id"] for entry in top] for top in judged.columns["product_top"]]
    answers = [str(answer) for answer in judged.columns["product"]]
    right = np.array([answer == target for answer, target in zip(answers, targets, strict=True)])
    interval = bootstrap_interval(lambda hits, _: float(hits.mean()), right, right, seed, rounds) if rounds else None
    return {
        **ranking_metrics(targets, ranked, judged.columns["product_score"]),
        "chance": _mean(
            [_chance(target, row, vocabulary, minimum_match) for target, row in zip(targets, shown, strict=True)]
        ),
        "interval": {"top1": interval},
        "agreement": agreement(answers, shown, vocabulary),
        "equal_elements": _equal_elements(targets, answers, vocabulary),
        "confusions": _confusions(targets, answers),
        **cost(judged),
    }


def agreement(answers: Sequence[str], shown: Sequence[Sequence[str]], vocabulary: Vocabulary) -> float | None:
    """Mean share of the answered products' required elements that are among those shown; None without rows.

    Answers that require none (`elements: any`) agree with everything and are left out.
    """
    required = [(vocabulary.product_by_id[answer].elements, row) for answer, row in zip(answers, shown, strict=True)]
    return _mean([match(row, elements) for elements, row in required if elements])


def _chance(target: str, elements: Sequence[str], vocabulary: Vocabulary, minimum_match: float) -> float:
    listed = candidates(elements, vocabulary, minimum_match)
    return 1 / len(listed) if target in listed else 0.0


def _equal_elements(targets: Sequence[str], answers: Sequence[str], vocabulary: Vocabulary) -> dict[str, Any]:
    """How often products that require the very same elements are taken for each other (R36)."""
    required = {product.id: frozenset(product.elements) for product in vocabulary.products}
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
    return agreement([str(answer) for answer in named.columns["product"]], shown, vocabulary)


def _mean(values: Sequence[float]) -> float | None:
    return float(np.mean(values)) if len(values) else None
