"""python jobs/read_text.py --data DIR [--text.mode title|page]

Reads what is written on the images of a prepared data folder and writes DIR/index/texts.parquet: title, text, valid
time, level and centre of each. Training lets it vote beside the networks from then on. Images that were read before are
not read again.
"""

import sys
from collections.abc import Sequence

from meteo_ray.cli import run_job
from meteo_ray.preparation.config import ReadText


def body(config: ReadText) -> None:
    # Ray and torch take seconds to import; --help and a wrong flag should not.
    from meteo_ray.preparation.texts import read_texts

    print(read_texts(config).summary())


def main(argv: Sequence[str] | None = None) -> int:
    return run_job(ReadText, body, __doc__ or "", argv)


if __name__ == "__main__":
    sys.exit(main())
