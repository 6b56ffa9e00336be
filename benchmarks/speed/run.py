"""python -m benchmarks.speed.run [--quick] [--groups decode archive growth accelerator] [--models DIR] [--real DIR]

Measures the archive job against other ways to do the same and against what the machine could do at best, and writes
docs/benchmarks.md with its plots: what `make bench` does. Groups that were measured before stay in WORK/results.json,
so they can be measured one by one; --report draws the page anew without measuring anything.

--quick only says whether everything runs: one block and fewer formats. Leave the machine alone meanwhile.
"""

import argparse
import json
import logging
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.speed.bench import FULL, QUICK, Bench, machine
from benchmarks.speed.groups import accelerator, archive, decode
from benchmarks.speed.growth import growth
from benchmarks.speed.interleaved import Restless
from benchmarks.speed.report import write_report
from benchmarks.speed.sessions import ROOT, ContenderFailed
from meteo_ray.files import read_json, write_json

logger = logging.getLogger("benchmarks")

# Groups whose parts tell something alone: kept as soon as they are there.
BY_PART = ("decode", "archive")
GROUPS = {"decode": decode, "archive": archive, "growth": growth, "accelerator": accelerator}


def main() -> int:
    options = parse_options()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    logger.setLevel(logging.INFO)
    results = options.work / "results.json"
    found: dict[str, Any] = read_json(results) if results.is_file() else {}
    if not options.report:
        try:
            measure(options, found, results)
        except (ContenderFailed, Restless) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    if not found:
        print(f"error: {results}: nothing was measured yet; leave --report out", file=sys.stderr)
        return 2
    write_report(options.out, found)
    print(options.out)
    return 0


def measure(options: argparse.Namespace, found: dict[str, Any], results: Path) -> None:
    """Measure the groups asked for, and keep each as soon as it is there."""
    plan = QUICK if options.quick else FULL
    plan = replace(plan, blocks=options.blocks or plan.blocks)
    bench = Bench(options.work, plan, options.workers, options.models, options.real)
    for name in options.groups:
        logger.info("measuring: %s", name)
        before, started = machine(), time.monotonic()
        measured: dict[str, Any] = {}
        for part, value in GROUPS[name](bench):
            measured[part] = value
            if name in BY_PART:
                found[name] = _group(options, before, started, measured)
                write_json(results, found)
        found[name] = _group(options, before, started, measured)
        write_json(results, found)


def _group(
    options: argparse.Namespace, before: dict[str, Any], started: float, measured: dict[str, Any]
) -> dict[str, Any]:
    """What a group found, on what, and how busy the machine was."""
    after = machine()
    busy = {"load": [before["load"], after["load"]], "pressure": [before["pressure"], after["pressure"]]}
    return {
        "machine": before | busy,
        "quick": options.quick,
        "workers": options.workers,
        "models": "trained" if options.models else "untrained",
        "minutes": (time.monotonic() - started) / 60,
        "found": json.loads(json.dumps(measured)),
    }


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one block, fewer formats: says whether it runs")
    parser.add_argument("--groups", nargs="+", choices=list(GROUPS), default=list(GROUPS))
    parser.add_argument("--work", type=Path, default=ROOT / "bench_run", help="files, models, log and results.json")
    parser.add_argument("--models", type=Path, help="a folder of trained bundles; default: untrained ones are made")
    parser.add_argument("--real", type=Path, help="a folder of real charts, decoded beside the drawn ones")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="decoding processes of the contenders")
    parser.add_argument("--blocks", type=int, help="turns there and back: more of them narrow the intervals")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "benchmarks.md")
    parser.add_argument("--report", action="store_true", help="only write the page, from what was measured before")
    options = parser.parse_args()
    for name in ("models", "real"):
        if (place := getattr(options, name)) and not place.is_dir():
            parser.error(f"--{name} {place}: no such folder")
    for name in ("workers", "blocks"):
        if (count := getattr(options, name)) is not None and count < 1:
            parser.error(f"--{name} {count}: at least 1")
    return options


if __name__ == "__main__":
    sys.exit(main())
