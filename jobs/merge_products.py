"""python jobs/merge_products.py --models MODELS --out FOLDER [--base-model FOLDER]

Merges the adapter of MODELS/products into its base model and writes an ordinary Gemma 3 folder in bfloat16: for other
programs, or as `--products.base-model` of a later training. Takes twice the base's size in memory for a moment.
"""

import logging
import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.errors import UsageError
from meteo_ray.products.config import MergeProductsJob

logger = logging.getLogger("meteo_ray")


def merge(config: MergeProductsJob) -> None:
    """Merge, compare, write, and say how near the answers are."""
    for name in ("models", "out"):
        if getattr(config, name) is None:
            raise UsageError(f"--{name} is required")
    assert config.models is not None
    assert config.out is not None
    from meteo_ray.products.merge import merge_adapter  # transformers takes seconds; --help should not

    found = merge_adapter(config.models / "products", config.out, config.base_model)
    logger.info(
        "%s: the merged base model; its logits differ by %.2f %% of their spread from the adapted one's, the adapter "
        "had moved them by %.1f %%",
        config.out,
        100 * found.error,
        100 * found.effect,
    )


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(MergeProductsJob, merge, "Merge the products adapter into its base model.", argv)


if __name__ == "__main__":
    sys.exit(main())
