"""A vocabulary of four colours, pictures that show them as bands, and a small network trained on these."""

import hashlib
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch
from PIL import Image

from meteo_ray import bundle
from meteo_ray.batch import Batch
from meteo_ray.elements.config import ElementsTraining
from meteo_ray.elements.task import ElementsTask
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.schema import INDEX, TRAIN, VALIDATION
from meteo_ray.training.task import Progress
from meteo_ray.vocabulary import Element, Product, Vocabulary

COLOURS = {"wind": (220, 40, 40), "pressure": (40, 60, 220), "rain": (40, 200, 60), "snow": (20, 20, 20)}
PAPER = (200, 200, 190)
# wind is the commonest, snow the rarest.
COMBINATIONS = (["wind"], ["pressure", "wind"], ["rain", "pressure", "wind"], ["snow", "wind"], ["rain"], [])
SIZE = (80, 60)

SMALL = ElementsTraining(
    backbone="resnet18",
    init="none",
    input_size=(64, 48),
    joint_size=128,
    embedding_size=128,
    hidden_size=128,
    full_epochs=1,
    borrowed_positives=3,
    augmentation=AugmentConfig(enabled=False),
)


def colour_vocabulary() -> Vocabulary:
    elements = tuple(Element(id=name, zh=f"{name} zh", en=f"{name} en") for name in COLOURS)
    return Vocabulary(elements, (Product(id="chart", zh="图", elements=("wind",)),))


def picture(names: list[str], rng: np.random.Generator) -> np.ndarray:
    """Four upright bands in random order: one for each name's colour, paper for the rest; uint8 (60, 80, 3)."""
    colours = [COLOURS[name] for name in names] + [PAPER] * (len(COLOURS) - len(names))
    bands = np.repeat(np.array(colours)[rng.permutation(len(colours))], SIZE[0] // len(COLOURS), axis=0)
    noisy = np.broadcast_to(bands, (SIZE[1], SIZE[0], 3)) + rng.normal(0, 6, (SIZE[1], SIZE[0], 3))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def colour_index(data: Path, per_split: int) -> pa.Table:
    rng = np.random.default_rng(0)
    (data / "images").mkdir(parents=True)
    rows = []
    for split in (TRAIN, VALIDATION):
        for number in range(per_split):
            names = COMBINATIONS[number % len(COMBINATIONS)]
            path = f"images/{split}_{number}.png"
            Image.fromarray(picture(names, rng)).save(data / path)
            rows.append(index_row(data, path, split, names))
    return pa.Table.from_pylist(rows, schema=INDEX)


def index_row(data: Path, path: str, split: str, names: list[str] | None, is_meteo: bool | None = True) -> dict:
    file = data / path
    return {
        "image_id": hashlib.sha256(path.encode()).hexdigest()[:16],
        "path": path,
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else "",
        "is_meteo": is_meteo,
        "elements": names,
        "split": split,
    }


def as_batch(rows: pa.Table) -> Batch:
    """A table as Ray Data hands it to a prepare callable."""
    batch = {}
    for name in rows.column_names:
        column = np.empty(rows.num_rows, dtype=object)
        column[:] = rows[name].to_pylist()
        batch[name] = column
    return batch


@pytest.fixture(scope="session")
def colours(tmp_path_factory) -> SimpleNamespace:
    """`data` folder and its `index`: 18 pictures in each of train and validation."""
    data = tmp_path_factory.mktemp("colours") / "data"
    return SimpleNamespace(data=data, index=colour_index(data, per_split=18))


def overfit(task: ElementsTask, batch: dict[str, torch.Tensor], steps: int = 32) -> torch.nn.Module:
    """The task's network after `steps` AdamW steps on one batch, in eval mode."""
    torch.manual_seed(0)
    model = task.build()
    optimizer = torch.optim.AdamW(model.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps, pct_start=0.2)
    for step in range(steps):
        optimizer.zero_grad()
        task.loss(model, batch, Progress(0, step, step / steps)).total.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


@pytest.fixture(scope="session")
def trained(colours, tmp_path_factory) -> SimpleNamespace:
    """A network that knows the 18 training pictures by heart; its `outputs` on them and its exported `bundle`."""
    task = ElementsTask(SMALL, colours.data, colour_vocabulary())
    rows = task.rows(colours.index, TRAIN)
    prepared = task.prepare(TRAIN, 0)(as_batch(rows))
    tensors = task.collate(prepared)
    model = overfit(task, tensors)
    with torch.inference_mode():
        outputs = task.outputs(model, tensors)
    folder = tmp_path_factory.mktemp("models") / "elements"
    with bundle.writing(folder) as scratch:
        metrics = task.export(model, outputs, scratch)
    return SimpleNamespace(prepared=prepared, outputs=outputs, bundle=folder, metrics=metrics)


@pytest.fixture
def copied(trained, tmp_path) -> Path:
    """The trained bundle to damage; `seal` makes its sums right again."""
    return shutil.copytree(trained.bundle, tmp_path / "elements")


def seal(folder: Path) -> None:
    (folder / bundle.SUMS).unlink()
    bundle._write_sums(folder)
