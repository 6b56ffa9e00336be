"""python benchmarks/archive_names.py [--names 5000000] [--folders 50]

How long does an archive of many names keep the first image waiting, and what memory does its list take? No files are
made: the names stand for a listing. Prints one line of JSON for each number of names: seconds until the first rows can
be judged, until everything is listed, and until a finished run of as many rows has found out that nothing is new; with
the growth of this process's peak memory.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from meteo_ray.archive.ids import IdSet, id_numbers
from meteo_ray.archive.inputs.listing import Entry, entry
from meteo_ray.archive.inputs.listing_thread import Listing
from meteo_ray.archive.inputs.manifest import Manifest
from meteo_ray.archive.inputs.rounds import pending_rounds


class Names:
    """A source of names alone."""

    def __init__(self, names: int, folders: int) -> None:
        self.names, self.folders = names, folders

    def entries(self) -> Iterator[Entry]:
        for number in range(self.names):
            yield entry(
                f"{number % self.folders:04d}/chart_{number:09d}.png".encode(), 100_000, 1_700_000_000_000_000_000
            )


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def walk(folder: Path, source: Names) -> dict[str, Any]:
    """List, and give every row out once."""
    manifest, written, started, before = Manifest(folder), IdSet(), time.perf_counter(), peak_mb()
    listing, first, rounds = Listing(source, manifest), None, 0
    for pending in pending_rounds(manifest, written, listing):
        first = first or time.perf_counter() - started
        rounds += 1
        written.add(id_numbers(pending["image_id"]))
    listing.require_complete()
    listed = time.perf_counter() - started
    list(Manifest(folder).extend(source.entries()))
    again = time.perf_counter() - started - listed
    return {
        "names": source.names,
        "first_rows_s": round(first or 0.0, 2),
        "all_listed_s": round(listed, 1),
        "found_nothing_new_s": round(again, 1),
        "rounds": rounds,
        "memory_before_mb": round(before),
        "memory_grew_mb": round(peak_mb() - before),
        "manifest_mb": round(sum(shard.stat().st_size for shard in manifest.shards) / 2**20),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, nargs="+", default=[50_000, 5_000_000])
    parser.add_argument("--folders", type=int, default=50)
    parser.add_argument("--alone", action="store_true", help="measure in this process")
    arguments = parser.parse_args()
    for names in arguments.names:
        if not arguments.alone:  # a peak is a process's for good: each number has its own
            subprocess.run([sys.executable, __file__, "--alone", "--names", str(names)], check=True)
            continue
        with tempfile.TemporaryDirectory() as folder:
            print(json.dumps(walk(Path(folder), Names(names, arguments.folders))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
