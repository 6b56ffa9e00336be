"""Data sets that papers on fine-grained retrieval report on, as prepared data folders, in their official splits."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from meteo_ray.files import image_id, sha256_of, write_parquet
from meteo_ray.progress import ProgressLine
from meteo_ray.schema import INDEX, TEST, TRAIN, VALIDATION
from meteo_ray.vocabulary import Element, Product, Vocabulary

# Training images that validate instead of training: nothing is chosen by the test images.
HELD_OUT = 0.1

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".gif", ".tif", ".tiff")


@dataclass(frozen=True)
class Labelled:
    """An image, relative to the data set's folder, its class and its official split, TRAIN or TEST."""

    path: str
    label: str
    split: str


def cub(folder: Path) -> list[Labelled]:
    """CUB-200-2011 as it is distributed: images/ and four lists beside it.

    5,994 training and 5,794 test images of 200 kinds of birds (Wah et al. 2011).
    """
    paths, classes = _pairs(folder / "images.txt"), _pairs(folder / "classes.txt")
    labels, trains = _pairs(folder / "image_class_labels.txt"), _pairs(folder / "train_test_split.txt")
    return [
        Labelled(f"images/{path}", classes[labels[number]], TRAIN if trains[number] == "1" else TEST)
        for number, path in paths.items()
    ]


def by_class(folder: Path) -> list[Labelled]:
    """`train/CLASS/` and `test/CLASS/`: Aircraft, Food101, NABirds or VegFru, sorted into their official splits."""
    found = []
    for split in (TRAIN, TEST):
        for path in sorted((folder / split).glob("*/*")):
            if path.suffix.lower() in SUFFIXES:
                found.append(Labelled(path.relative_to(folder).as_posix(), path.parent.name, split))
    if not {TRAIN, TEST} <= {image.split for image in found}:
        raise SystemExit(f"{folder}: expected images in train/CLASS/ and test/CLASS/")
    unknown = {image.label for image in found if image.split == TEST} - {i.label for i in found if i.split == TRAIN}
    if unknown:
        raise SystemExit(f"{folder}: classes without training images: {', '.join(sorted(unknown)[:5])}")
    return found


def _pairs(file: Path) -> dict[str, str]:
    if not file.is_file():
        raise SystemExit(f"{file}: missing; give the folder CUB_200_2011 as it is distributed")
    return dict(line.split(maxsplit=1) for line in file.read_text("utf-8").splitlines() if line.strip())


def prepared(folder: Path, images: Iterable[Labelled], out: Path, seed: int) -> Path:
    """OUT/index.parquet and OUT/labels.yaml, for --data FOLDER --index OUT --labels OUT/labels.yaml; OUT comes back.

    A tenth of each class's training images become validation. Classes are products; nothing is copied.
    """
    listed = _held_out(list(images), seed)
    out.mkdir(parents=True, exist_ok=True)
    (out / "labels.yaml").write_text(vocabulary_of(image.label for image in listed).to_yaml(), "utf-8")
    line, rows = ProgressLine("images", len(listed)), []
    for image in listed:
        rows.append(
            {
                "image_id": image_id(image.path),
                "path": image.path,
                "sha256": sha256_of(folder / image.path),
                "is_meteo": True,
                "product": product_id(image.label),
                "split": image.split,
            }
        )
        line.update(1)
    line.close()
    write_parquet(out / "index.parquet", pa.Table.from_pylist(rows, schema=INDEX))
    return out


def _held_out(images: list[Labelled], seed: int) -> list[Labelled]:
    rng = np.random.default_rng(seed)
    by_label: dict[str, list[int]] = {}
    for place, image in enumerate(images):
        if image.split == TRAIN:
            by_label.setdefault(image.label, []).append(place)
    held: set[int] = set()
    for places in by_label.values():
        held |= set(rng.permutation(places)[: round(HELD_OUT * len(places))].tolist())
    return [
        Labelled(image.path, image.label, VALIDATION) if place in held else image for place, image in enumerate(images)
    ]


def vocabulary_of(labels: Iterable[str]) -> Vocabulary:
    """The classes as products that may show anything."""
    names = sorted(set(labels))
    products = tuple(Product.model_validate({"id": product_id(name), "zh": name, "elements": "any"}) for name in names)
    return Vocabulary((Element(id="object", zh="object", en="object"),), products)


def product_id(label: str) -> str:
    """A class's name as an id: names that differ in what an id cannot hold stay apart by their digest."""
    plain = "".join(letter if letter.isalnum() else "_" for letter in label.lower())
    return f"{plain}_{hashlib.sha256(label.encode()).hexdigest()[:6]}"
