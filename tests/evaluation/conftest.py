"""A prepared data folder with a trained gate, and stand-ins for the two stages behind it."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from meteo_ray import bundle
from meteo_ray.batch import Batch, objects
from meteo_ray.calibration.votes import Scale, VoteScales
from meteo_ray.elements.calibration import ElementsCalibration, LabelCalibration
from meteo_ray.elements.verdict import ElementsVerdict
from meteo_ray.gate.config import GateTraining
from meteo_ray.gate.task import GateTask
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.products.questions import AskingQuestions
from meteo_ray.products.shortlist import Shortlist
from meteo_ray.schema import TRAIN, VALIDATION
from meteo_ray.training.task import Progress
from meteo_ray.vocabulary import element_ids, load_vocabulary
from tests.pictures import picture_index, row_batch, write_index

PRODUCT = "24h_cn_2m_max_wind"


def parallel_alone(labels: int) -> ElementsCalibration:
    """One voter, whose scores already are log-odds, and thresholds of 0.5."""
    scales = VoteScales({"parallel": Scale((1.0,) * labels, (0.0,) * labels)})
    return ElementsCalibration(scales, (LabelCalibration(1.0, 0.0, 0.5, 5, False),) * labels)


class FakeElements:
    """Sees wind everywhere, and pressure with a score below its threshold."""

    version = "fake-elements"
    verdict = ElementsVerdict(load_vocabulary(), parallel_alone(len(load_vocabulary().elements)))
    element_ids = verdict.vocabulary.element_ids

    @classmethod
    def load(cls, bundle: Path, **options) -> "FakeElements":
        return cls()

    def __call__(self, batch: Batch) -> Batch:
        rows = len(batch["image"])
        scores = np.zeros((rows, len(self.element_ids)), dtype=np.float32)
        scores[:, :2] = (0.9, 0.4)
        elements, sequence = np.empty(rows, dtype=object), np.empty(rows, dtype=object)
        for row in range(rows):
            elements[row], sequence[row] = [{"id": "wind", "score": 0.9}], ["wind"]
        columns = {"element_scores": scores, "element_thresholds": np.full(scores.shape, 0.5)}
        columns["element_votes"] = scores[:, None, :] - np.float32(0.5)
        return {"elements": elements, "element_sequence": sequence, **columns}

    def heat_maps(self, images: list[np.ndarray], labels: list[int]) -> list[np.ndarray]:
        return [np.eye(3, 4, dtype=np.float32) for _ in images]


class FakeProducts:
    """Right on every chart whose elements it is told; takes images of a size of its own."""

    version = "fake-products"
    image_size = (64, 64)
    language_model = object()
    vocabulary = load_vocabulary()
    asking = AskingQuestions(Shortlist.untrained(vocabulary), most=4, with_title=True)

    @classmethod
    def load(cls, bundle: Path, **options) -> "FakeProducts":
        return cls()

    def __call__(self, batch: Batch) -> Batch:
        assert batch["image"].shape[1:] == (64, 64, 3)
        names = [PRODUCT if "wind" in element_ids(row) else "surface_analysis" for row in batch["elements"]]
        top = np.empty(len(names), dtype=object)
        top[:] = [[{"id": name, "score": 0.7}, {"id": "radar_mosaic", "score": 0.1}] for name in names]
        return {
            "product": np.array(names, dtype=object),
            "product_score": np.full(len(names), 0.7, dtype=np.float32),
            "product_top": top,
            "product_candidates": objects([[name, "radar_mosaic"] for name in names]),
            "product_alone": np.full(len(names), PRODUCT, dtype=object),
            "product_sure": np.linspace(0.2, 0.9, len(names), dtype=np.float32),
            "product_asked": np.ones(len(names), dtype=bool),
        }


def train_gate(data: Path, index, folder: Path) -> None:
    """A gate that has seen the training pictures a few times, exported with its validation outputs."""
    torch.manual_seed(0)
    config = GateTraining(init="none", input_size=(80, 60), augmentation=AugmentConfig(enabled=False))
    task = GateTask(config, data, load_vocabulary())
    batches = {}
    for split in (TRAIN, VALIDATION):
        batches[split] = task.collate(task.prepare(split, 0)(row_batch(task.rows(index, split))))
    model = task.build()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    for step in range(30):
        optimizer.zero_grad()
        task.loss(model, batches[TRAIN], Progress(0, step, step / 30)).total.backward()
        optimizer.step()
    model.eval()
    with torch.inference_mode():
        outputs = task.outputs(model, batches[VALIDATION])
    with bundle.writing(folder) as scratch:
        task.export(model, outputs, scratch)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> SimpleNamespace:
    """`data` with an index and a logo, `models` with a trained gate, and the `index`."""
    root = tmp_path_factory.mktemp("evaluation")
    data, models = root / "data", root / "models"
    index = picture_index(data, per_split=10)
    write_index(data, index)
    (data / "logos").mkdir()
    Image.new("RGBA", (40, 40), (200, 0, 0, 255)).save(data / "logos" / "logo.png")
    train_gate(data, index, models / "gate")
    return SimpleNamespace(data=data, models=models, index=index)
