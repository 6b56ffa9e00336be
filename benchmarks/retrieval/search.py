"""python -m benchmarks.retrieval.search [--codes 10000000] [--bits 48] [--threads 2]

How long does exact search take? Random codes, one query at a time, the nearest 20; in words of 64 bits, as the index
keeps them, and in as many bytes as they have. Prints a Markdown table with the memory that each takes.
"""

import argparse
import sys
from time import perf_counter

import faiss
import numpy as np
import psutil

from meteo_ray.retrieval.codes import code_bytes
from meteo_ray.similar.hamming_index import HammingIndex

QUERIES, TOP = 50, 20
BLOCK = 1_000_000


def main() -> int:
    options = _options()
    faiss.omp_set_num_threads(options.threads)
    size = code_bytes(options.bits)
    print("| index | codes | median ms a query | slowest | MB of memory |\n|---|---:|---:|---:|---:|")
    for name in ("64-bit words", f"{size} bytes"):
        before = psutil.Process().memory_info().rss
        index = HammingIndex() if name == "64-bit words" else faiss.IndexBinaryFlat(8 * size)
        rng = np.random.default_rng(0)
        for start in range(0, options.codes, BLOCK):
            index.add(rng.integers(0, 256, (min(BLOCK, options.codes - start), size), dtype=np.uint8))
        taken = []
        for _ in range(QUERIES):
            query = rng.integers(0, 256, (1, size), dtype=np.uint8)
            started = perf_counter()
            index.search(query, TOP)
            taken.append(1000 * (perf_counter() - started))
        memory = (psutil.Process().memory_info().rss - before) / 1e6
        print(f"| {name} | {options.codes} | {np.median(taken):.1f} | {max(taken):.1f} | {memory:.0f} |", flush=True)
        del index
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--codes", type=int, default=10_000_000)
    parser.add_argument("--bits", type=int, default=48)
    parser.add_argument("--threads", type=int, default=2)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
