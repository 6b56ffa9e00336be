"""python jobs/prepare_data.py --data DIR [--split-by random|time|source|given] [--strict]

Checks labels.jsonl and every image that it names, groups duplicates, splits into training, validation and test, and
writes DIR/index: index.parquet, rejected.parquet and report.html.
"""

import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.preparation.config import PrepareData


def body(config: PrepareData) -> None:
    # Ray takes a second to import; --help and a wrong flag should not.
    from meteo_ray.preparation.prepare import build_index

    print(build_index(config).summary())


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(PrepareData, body, __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
