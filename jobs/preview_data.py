"""python jobs/preview_data.py --data DIR --out DIR [--split train|validation|test] [--per-class N]

Writes contact sheets by class (chart or not, element, product) of images as they are and as augmentation alters them,
so that a person sees what the models see.
"""

import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.preparation.config import PreviewData


def body(config: PreviewData) -> None:
    # Torch takes seconds to import; --help and a wrong flag should not.
    from meteo_ray.preparation.preview import write_preview

    sheets = write_preview(config)
    print(f"{len(sheets)} contact sheets in {config.out}")


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(PreviewData, body, __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
