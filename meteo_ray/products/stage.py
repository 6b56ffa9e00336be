"""The product stage as the rest of the system knows it."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from meteo_ray.judging.settings import JudgingJob
from meteo_ray.products.config import NO_BASE, TrainProductsJob
from meteo_ray.schema import SCORED_ID, TRAIN, VALIDATION
from meteo_ray.stage import Demo, Judging, PreparingJob, Stage

if TYPE_CHECKING:
    from meteo_ray.products.base_model import Quantize
    from meteo_ray.products.evaluation import ProductsEvaluation
    from meteo_ray.products.predictor import ProductsPredictor
    from meteo_ray.products.task import ProductsTask
    from meteo_ray.training.inputs import TaskInputs


def _task(job: TrainProductsJob, inputs: "TaskInputs") -> "ProductsTask":
    from meteo_ray.products.task import ProductsTask

    return ProductsTask(job.products, inputs, job.training.seed, job.training.use_gpu)


def _require(job: TrainProductsJob, inputs: "TaskInputs") -> None:
    """Charts of known products in both splits, a place for the bundle, and the base model."""
    from meteo_ray import bundle
    from meteo_ray.errors import UsageError
    from meteo_ray.products.base_model import GemmaBase
    from meteo_ray.products.bundle import STAGE
    from meteo_ray.products.rows import product_rows

    for split in (TRAIN, VALIDATION):
        product_rows(inputs.index, split, inputs)
    target = inputs.models / STAGE
    bundle.require_free(target)
    if job.products.base_model != NO_BASE:
        GemmaBase.open(job.products.base_model)
    elif (target / bundle.WEIGHTS).is_file() and not job.fresh:
        raise UsageError(
            f"{target}: a language model was trained there, which --products.base-model {NO_BASE} would replace: give "
            "another --models, or --fresh if it may go"
        )


def _without_network(job: TrainProductsJob) -> "Callable[[TaskInputs], dict[str, Any]] | None":
    if job.products.base_model != NO_BASE:
        return None
    from meteo_ray.products.light_path import train_light_path

    return partial(train_light_path, job.products)


def _load(*arguments: Any, **options: Any) -> "ProductsPredictor":
    from meteo_ray.products.predictor import ProductsPredictor

    return ProductsPredictor.load(*arguments, **options)


def _options(job: JudgingJob) -> dict[str, Any]:
    return {
        "most": job.cascade.products_candidates,
        "below": job.cascade.products_below,
        "blend": job.cascade.products_blend,
        "least": job.cascade.products_least,
        "decoding": job.cascade.products_decoding,
        "quantize": job.cascade.products_quantize,
        "base_model": job.products_base,
    }


def _check(
    bundle: Path,
    *,
    quantize: "Quantize | None" = None,
    blend: float = 1.0,
    base_model: str | None = None,
    **others: Any,
) -> None:
    from meteo_ray.products.bundle import require_base, require_current, require_quantizable

    require_current(bundle)
    require_quantizable(bundle, quantize)
    if blend > 0:  # else the language model is not asked
        require_base(bundle, base_model)


def _stand_in(job: JudgingJob) -> "Callable[..., ProductsPredictor] | None":
    base_model = getattr(job, "base_model", None)  # evaluation alone has the setting
    if base_model is None:
        return None
    from meteo_ray.products.predictor import ProductsPredictor

    return partial(
        ProductsPredictor.from_base,
        base_model,
        quantize=job.cascade.products_quantize or "none",
        most=job.cascade.products_candidates,
        decoding=job.cascade.products_decoding,
        below=job.cascade.products_below,
        least=job.cascade.products_least,
    )


def _evaluation() -> "ProductsEvaluation":
    from meteo_ray.products.evaluation import ProductsEvaluation

    return ProductsEvaluation()


def _small_base(out: Path) -> Path:
    """Where the demo keeps its stand-in for Gemma."""
    return out / "base"


def _small_base_arguments(out: Path) -> tuple[str, ...]:
    return "--out", str(_small_base(out))


PRODUCTS = Stage(
    name="products",
    job=TrainProductsJob,
    make_task=_task,
    without_network=_without_network,
    require=_require,
    learns_from_answers_on="product",
    training_headline=("top1", "top3", "top5", "ece", "shortlist_top1", "language_model_top1", "below"),
    objectives=("log_probability", "top1", "top3", "top5"),
    judging=Judging(
        columns=pa.schema(
            [("product", pa.string()), ("product_score", pa.float32()), ("product_top", pa.list_(SCORED_ID))]
        ),
        tells=(pa.field("product_tokens", pa.int64()),),
        load=_load,
        options=_options,
        check=_check,
        stand_in=_stand_in,
        evaluation=_evaluation,
        needs=("gate", "elements"),
        reads=("elements", "element_scores", "descriptors", "title", "text"),
        own_pixels=True,
        sections=("elements", "products"),
        tallies={"product": "products"},
        counts={"product_tokens": "tokens"},
        histograms={"product_score": "product score"},
    ),
    demo=Demo(
        table=(
            ("top-1", "top1"),
            ("  chance among candidates", "chance"),
            ("  top-5", "top5"),
        ),
        cascade_table=(("charts with the right product", "product_accuracy"),),
        before=(PreparingJob("make a small stand-in for Gemma", "make_small_base", _small_base_arguments),),
        flags=lambda out: ("--products.base-model", str(_small_base(out))),
    ),
)
