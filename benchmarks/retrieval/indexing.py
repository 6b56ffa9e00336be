"""python -m benchmarks.retrieval.indexing --archive DIR --models DIR --out DIR

How long does an index take beside plain gate and elements? Classifies the archive with these two, then gives its charts
codes; starting Ray is part of both, as it is for a user. Prints a Markdown table.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path
from time import perf_counter

import pyarrow.parquet as pq

from meteo_ray.similar.store import CHARTS, FOLDER

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    options = _options()
    shutil.rmtree(options.out / FOLDER, ignore_errors=True)
    common = ("--models", options.models)
    cascade = ("--archive", options.archive, "--out", options.out, "--stages", "gate,elements", "--overwrite")
    judging = _seconds("classify_archive", *cascade, *common)
    indexing = _seconds("index_archive", "--classified", options.out, *common)
    files = sum(pq.read_metadata(part).num_rows for part in (options.out / "predictions").glob("part-*.parquet"))
    charts = pq.read_metadata(options.out / FOLDER / CHARTS).num_rows
    print("| | images | seconds | images a second |\n|---|---:|---:|---:|")
    print(f"| gate and elements | {files} | {judging:.1f} | {files / judging:.2f} |")
    print(f"| codes of the charts | {charts} | {indexing:.1f} | {charts / indexing:.2f} |")
    return 0


def _seconds(job: str, *arguments: object) -> float:
    started = perf_counter()
    subprocess.run([sys.executable, str(ROOT / "jobs" / f"{job}.py"), *map(str, arguments)], check=True)
    return perf_counter() - started


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("archive", "models", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
