"""python benchmarks/near_duplicates.py DATA [--copies-of-every 3]

How well do perceptual hashes of several sizes find copies of charts, and how often do they mistake two charts for one?
Prints the Markdown table behind `HASH_SIZE` and `MAX_DISTANCE` in preparation/duplicates.py. DATA is a labelled folder;
rows of different `title`, labels or is_meteo count as different pictures.
"""

import argparse
import io
import sys
from collections.abc import Callable
from pathlib import Path

import imagehash
import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from meteo_ray.imaging.decode import decode, read_bytes
from meteo_ray.imaging.fit import fit
from meteo_ray.preparation.labels_file import LabelRow
from meteo_ray.preparation.prepare import read_checked_labels

HASH_SIZES = (8, 12, 16, 24)
SHARES = (1 / 32, 1 / 16, 3 / 32, 1 / 8, 5 / 32)  # of the bits that may differ: 8, 16, 24, 32, 40 of 256


def saved_as_jpeg(image: Image.Image, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


def scaled(image: Image.Image, factor: float) -> Image.Image:
    size = (max(64, round(image.width * factor)), max(64, round(image.height * factor)))
    return image.resize(size, Image.Resampling.LANCZOS)


COPIES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "JPEG 40": lambda image: saved_as_jpeg(image, 40),
    "half size": lambda image: scaled(image, 0.5),
    "0.7 size, JPEG 75": lambda image: saved_as_jpeg(scaled(image, 0.7), 75),
}


def hashes(image: Image.Image) -> dict[int, np.ndarray]:
    """Hash size -> bits, bool `(size * size,)`."""
    fitted = Image.fromarray(fit(image))
    return {size: imagehash.phash(fitted, hash_size=size).hash.ravel() for size in HASH_SIZES}


def different(first: LabelRow, second: LabelRow) -> bool:
    titles = [row.extra.get("title") for row in (first, second)]
    return titles[0] != titles[1] or (first.is_meteo, first.labels) != (second.is_meteo, second.labels)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--copies-of-every", type=int, default=3, help="copy each n-th image only")
    arguments = parser.parse_args()
    _, rows, _ = read_checked_labels(arguments.data)
    originals: list[dict[int, np.ndarray]] = []
    copies: dict[str, list[tuple[int, dict[int, np.ndarray]]]] = {name: [] for name in COPIES}
    for number, row in enumerate(rows):
        image = decode(read_bytes(arguments.data / row.path)).image
        originals.append(hashes(image))
        if number % arguments.copies_of_every == 0:
            for name, copy in COPIES.items():
                copies[name].append((number, hashes(copy(image))))
    print_table(rows, originals, copies)
    return 0


def print_table(
    rows: list[LabelRow],
    originals: list[dict[int, np.ndarray]],
    copies: dict[str, list[tuple[int, dict[int, np.ndarray]]]],
) -> None:
    found = " | ".join(f"found: {name}" for name in copies)
    print(f"| bits | may differ | {found} | pairs of files | of different charts | largest group |")
    print("|" + "---:|" * (5 + len(copies)))
    first, second = np.triu_indices(len(rows), 1)
    for size in HASH_SIZES:
        bits = np.stack([entry[size] for entry in originals]).astype(np.int32)
        # Differing bits of all pairs by one matrix product: a xor b = a + b - 2ab.
        ones = bits.sum(axis=1)
        distance = (ones[:, None] + ones[None] - 2 * bits @ bits.T)[first, second]
        for share in SHARES:
            limit = round(share * size * size)
            near = np.flatnonzero(distance <= limit)
            wrong = sum(different(rows[first[pair]], rows[second[pair]]) for pair in near)
            graph = coo_array((np.ones(len(near)), (first[near], second[near])), shape=(len(rows), len(rows)))
            largest = np.bincount(connected_components(graph, directed=False)[1]).max()
            recall = [np.mean([(h[size] != originals[n][size]).sum() <= limit for n, h in c]) for c in copies.values()]
            shown = " | ".join(f"{value:.3f}" for value in recall)
            print(f"| {size * size} | {limit} | {shown} | {len(near)} | {wrong} | {largest} |")


if __name__ == "__main__":
    sys.exit(main())
