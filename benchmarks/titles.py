"""python benchmarks/titles.py --real DIR [--mode title page]

How often are titles and valid times of real charts read right? The truth was written down by eye from 60 charts
(benchmarks/titles_of_real_charts.jsonl). A title counts as read where it and the truth, normalised and without spaces,
are alike to 90 % (rapidfuzz's ratio): an odd letter may be wrong, a line too many or too few may not be.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from rapidfuzz.fuzz import ratio

from meteo_ray.imaging.decode import decode
from meteo_ray.imaging.page_pixels import page_pixels
from meteo_ray.text.config import TextSettings
from meteo_ray.text.facts import valid_time_of
from meteo_ray.text.normalise import normalised
from meteo_ray.text.reader import TextReader
from meteo_ray.text.title import title_of

TRUTH = Path(__file__).with_name("titles_of_real_charts.jsonl")
ALIKE = 90


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=Path, required=True)
    parser.add_argument("--mode", nargs="+", choices=("title", "page"), default=("title", "page"))
    options = parser.parse_args()
    truth = [json.loads(line) for line in TRUTH.read_text("utf-8").splitlines()]
    for mode in options.mode:
        with TextReader(TextSettings(mode=mode)) as reader:
            found = [read(reader, options.real, row) for row in truth]
        print(json.dumps({"mode": mode, **{name: shares(found, name) for name in found[0]}}))
    return 0


def read(reader: TextReader, real: Path, row: dict[str, Any]) -> dict[str, bool | None]:
    """Whether each fact was read right; None where nothing of the kind is printed or was claimed."""
    lines = reader.read(page_pixels(decode((real / row["path"]).read_bytes()).image)).lines
    title, time = plain(title_of(lines)), valid_time_of(lines)
    said = time.strftime("%Y-%m-%dT%H:%MZ") if time else None
    return {
        "title": ratio(plain(row["title"]), title) >= ALIKE if row["title"] else None,
        "no_title": None if row["title"] else not title,
        "valid_time": said == row["valid_time"] if row["valid_time"] else None,
        "no_valid_time": None if row["valid_time"] else said is None,
    }


def plain(text: str) -> str:
    return normalised(text).replace(" ", "")


def shares(found: list[dict[str, bool | None]], name: str) -> str:
    asked = [row[name] for row in found if row[name] is not None]
    return f"{sum(map(bool, asked))} of {len(asked)}"


if __name__ == "__main__":
    sys.exit(main())
