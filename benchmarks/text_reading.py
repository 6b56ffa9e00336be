"""python benchmarks/text_reading.py --images DIR [--mode title page] [--timed 80] [--pages 3000] [--how NAME ...]

What does reading cost? For each mode: CPU seconds an image of the process that reads (its start apart, and other work
on the machine matters little), and with --pages the memory that this process holds after so many pages, the images of
the folder again and again: once with one process throughout, once replaced as by default. Prints a line of JSON for
each measurement.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from meteo_ray.imaging.decode import DecodeFailure, decode, read_bytes
from meteo_ray.text.config import TextSettings
from meteo_ray.text.reader import TextReader

MEGABYTE = 2**20

# Memory is told after these numbers of pages, and after the last.
TOLD_AT = (1, 100, 300, 1000, 3000)

# One process throughout, whatever it holds.
ENDLESS = {"images_per_child": 10**9, "resident_mb": 10**6}
PROCESSES: dict[str, dict[str, int]] = {"one": ENDLESS, "replaced": {}}


def main() -> int:
    options = parse_options()
    paths = sorted(path for path in options.images.rglob("*") if path.is_file())
    paths = [paths[position] for position in np.random.default_rng(0).permutation(len(paths))]
    for mode in options.mode:
        print(json.dumps({"mode": mode, **cost(mode, paths[: options.timed])}), flush=True)
        for how in options.how if options.pages else ():
            for told in memory(TextSettings(mode=mode, **PROCESSES[how]), paths, options.pages):
                print(json.dumps({"mode": mode, "how": how, **told}), flush=True)
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--mode", nargs="+", choices=("title", "page"), default=["title", "page"])
    parser.add_argument("--timed", type=int, default=80, help="images whose CPU time is measured")
    parser.add_argument("--pages", type=int, default=0, help="pages over which memory is watched")
    parser.add_argument("--how", nargs="+", choices=PROCESSES, default=[*PROCESSES], help="processes that read them")
    return parser.parse_args()


def decoded(paths: list[Path]) -> Iterator[np.ndarray]:
    """The pixels of files that are images."""
    for path in paths:
        try:
            yield np.asarray(decode(read_bytes(path)).image)
        except DecodeFailure as failure:
            print(f"{path.name}: {failure.reason}", file=sys.stderr)


def cost(mode: str, paths: list[Path]) -> dict[str, Any]:
    """CPU seconds an image, lines an image, and failures."""
    seconds, lines, failures = [], [], 0
    with TextReader(TextSettings(mode=mode, **ENDLESS)) as reader:
        reader.read(np.full((64, 64, 3), 255, dtype=np.uint8))
        start = cpu_seconds(reader)
        before = start
        for pixels in decoded(paths):
            reading = reader.read(pixels)
            failures += reading.failure is not None
            lines.append(len(reading.lines))
            after = cpu_seconds(reader)
            seconds.append(after - before if after >= before else after)  # a new process counts from 0
            before = after
    median, p95 = np.percentile(seconds, (50, 95))
    found = {"start_s": start, "median_s": median, "mean_s": np.mean(seconds), "p95_s": p95, "max_s": max(seconds)}
    rounded = {name: round(float(value), 3) for name, value in found.items()}
    return {"images": len(seconds), **rounded, "lines": round(float(np.mean(lines)), 1), "failures": failures}


def cpu_seconds(reader: TextReader) -> float:
    if reader.process_id is None:
        return 0.0
    times = psutil.Process(reader.process_id).cpu_times()
    return float(times.user + times.system)


def memory(settings: TextSettings, paths: list[Path], pages: int) -> Iterator[dict[str, Any]]:
    """What the process that reads holds after some pages, and the most that it has held after one."""
    peak = children = last = 0
    with TextReader(settings) as reader:
        for page, pixels in enumerate(decoded(list(islice(cycle(paths), pages))), start=1):
            reader.read(pixels)
            held = reader.resident_bytes
            children += reader.number not in (0, last)
            peak, last = max(peak, held), reader.number or last
            if page in TOLD_AT or page == pages:
                yield {
                    "pages": page,
                    "resident_mb": held // MEGABYTE,
                    "peak_mb": peak // MEGABYTE,
                    "processes": children,
                }


if __name__ == "__main__":
    sys.exit(main())
