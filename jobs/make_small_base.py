"""python jobs/make_small_base.py --out FOLDER

Writes a small, randomly initialised Gemma 3, to train the product stage where no Gemma weights are at hand: then
`python jobs/train_products.py` with `base_model: FOLDER`, `adaptation: full` and `quantize: none`.
"""

import logging
import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.errors import UsageError
from meteo_ray.products.config import SmallBaseJob
from meteo_ray.vocabulary import choose_vocabulary

logger = logging.getLogger("meteo_ray")


def make(config: SmallBaseJob) -> None:
    """Write the folder and say how large it became."""
    if config.out is None:
        raise UsageError("--out FOLDER is required: where the base model goes")
    vocabulary = choose_vocabulary(config.labels)
    from meteo_ray.products.small_base import make_small_base  # transformers takes seconds; --help should not

    make_small_base(config.out, vocabulary, config.base)
    size = sum(path.stat().st_size for path in config.out.iterdir())
    logger.info("%s: a random Gemma 3 of %.1f MB; it must be trained before it knows anything", config.out, size / 1e6)


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(SmallBaseJob, make, "Write a small, randomly initialised Gemma 3.", argv)


if __name__ == "__main__":
    sys.exit(main())
