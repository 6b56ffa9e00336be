"""Four products that a small network learns within seconds: bands of two colours, one product a pair."""

import hashlib
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image

from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.retrieval.config import RetrievalTraining
from meteo_ray.schema import INDEX, SPLITS
from meteo_ray.vocabulary import Element, Product, Vocabulary

PRODUCTS = {
    "wind_map": ((220, 40, 40), (240, 240, 230), ["wind"]),
    "rain_map": ((40, 60, 220), (240, 240, 230), ["rain"]),
    "rain_and_wind": ((220, 40, 40), (40, 60, 220), ["rain", "wind"]),
    "snow_map": ((20, 20, 20), (240, 240, 230), ["snow"]),
}
SIZE = (80, 60)

SMALL = RetrievalTraining(
    backbone="resnet18",
    init="none",
    input_size=(64, 48),
    bits=12,
    attention_size=16,
    epochs=2,
    samples=16,
    head_rate=2e-3,
    warmup_epochs=0,
    augmentation=AugmentConfig(enabled=False),
)


def vocabulary() -> Vocabulary:
    elements = tuple(Element(id=name, zh=f"{name} zh", en=f"{name} en") for name in ("wind", "rain", "snow"))
    products = tuple(Product(id=name, zh=f"{name} 图", elements=tuple(shown)) for name, (*_, shown) in PRODUCTS.items())
    return Vocabulary(elements, products)


def chart(product: str, rng: np.random.Generator) -> np.ndarray:
    """Upright bands of the product's two colours, of a width drawn anew; uint8 `(60, 80, 3)`."""
    first, second, _ = PRODUCTS[product]
    width = int(rng.integers(6, 14))
    bands = np.where((np.arange(SIZE[0]) // width % 2 == 0)[None, :, None], first, second)
    noisy = np.broadcast_to(bands, (SIZE[1], SIZE[0], 3)) + rng.normal(0, 6, (SIZE[1], SIZE[0], 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def write_chart(file: Path, product: str, seed: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(chart(product, np.random.default_rng(seed))).save(file)
    return file


def chart_index(data: Path, per_split: int = 16) -> pa.Table:
    """Write `per_split` charts of each split under `data/images`, products by turns; the index of them comes back."""
    rows = []
    for number_of_split, split in enumerate(SPLITS):
        for number in range(per_split):
            product = list(PRODUCTS)[number % len(PRODUCTS)]
            path = f"images/{split}_{number}.png"
            file = write_chart(data / path, product, 1000 * number_of_split + number)
            rows.append(
                {
                    "image_id": hashlib.sha256(path.encode()).hexdigest()[:16],
                    "path": path,
                    "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
                    "is_meteo": True,
                    "elements": PRODUCTS[product][2],
                    "product": product,
                    "split": split,
                }
            )
    return pa.Table.from_pylist(rows, schema=INDEX)
