"""A classified archive of painted charts, an untrained retrieval model, and the graph without Ray."""

from collections.abc import Generator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pytest
import torch

from meteo_ray import bundle
from meteo_ray.archive import run
from meteo_ray.archive.cascade.models import Model
from meteo_ray.archive.cascade.read_images import ReadImages
from meteo_ray.archive.cascade.registry import Registry
from meteo_ray.archive.config import Reading
from meteo_ray.archive.inputs.source import LocalSource
from meteo_ray.retrieval.bundle import Background, write_bundle
from meteo_ray.retrieval.model import RetrievalDimensions, RetrievalModel
from meteo_ray.similar import indexing
from meteo_ray.similar.config import IndexJob
from meteo_ray.similar.encode_charts import EncodeCharts
from tests.archive.fakes import fake_models, paint_archive
from tests.archive.in_process import replace_ray
from tests.archive.test_run import config
from tests.retrieval.charts import SMALL, vocabulary

CHARTS, OTHERS = 6, 3


class InProcess:
    """Stands for similar.pipeline.Encoding."""

    def __init__(self, source: LocalSource, model: Model, reading: Reading, block_rows: int) -> None:
        registry = Registry()
        self._read = ReadImages(source, reading.limits(), registry, registry, block_rows, False)
        self._encode = EncodeCharts(model, 1, registry)

    def encode(self, listed: pa.Table) -> Generator[pa.Table, None, None]:
        for batch in self._read(listed):
            yield self._encode(batch)


def write_retrieval(models: Path, seed: int = 0) -> Path:
    """MODELS/retrieval as training writes it, of a network that knows nothing yet."""
    torch.manual_seed(seed)
    dimensions = RetrievalDimensions.of(SMALL)
    model = RetrievalModel(dimensions)
    features = np.eye(4, 512, dtype=np.float32)
    background = Background(features, np.eye(4, dtype=bool), tuple(vocabulary().product_ids))
    with bundle.writing(models / "retrieval") as folder:
        write_bundle(folder, model.state_dict(), dimensions, SMALL, vocabulary(), background)
    return models


@pytest.fixture
def classified(tmp_path, monkeypatch) -> SimpleNamespace:
    """archive, out (classified), models; jobs run in this process."""
    replace_ray(monkeypatch)
    monkeypatch.setattr(indexing, "Encoding", InProcess)
    monkeypatch.setattr(indexing.cluster, "connect", lambda: None)
    archive = paint_archive(tmp_path / "archive", CHARTS, OTHERS)
    run.classify(config(archive, tmp_path / "out"), fake_models())
    return SimpleNamespace(archive=archive, out=tmp_path / "out", models=write_retrieval(tmp_path / "models"))


def index_job(made: SimpleNamespace, **values) -> IndexJob:
    defaults = {"models": made.models, "classified": made.out, "block_rows": 4}
    return IndexJob(**{**defaults, **values})
