"""From charts to a trained model, an index and an answer, by the jobs and on Ray."""

import json
from pathlib import Path

import pytest

from jobs import index_archive, search_archive, train_retrieval
from meteo_ray.archive import run
from tests.archive.fakes import fake_models
from tests.archive.in_process import replace_ray
from tests.archive.test_run import config
from tests.pictures import write_index
from tests.retrieval.charts import PRODUCTS, chart_index, vocabulary, write_chart

TRAINING = {
    "retrieval.backbone": "resnet18",
    "retrieval.init": "none",
    "retrieval.input-size": "64,48",
    "retrieval.bits": 12,
    "retrieval.attention-size": 16,
    "retrieval.epochs": 2,
    "training.batch-size": 8,
    "training.data-workers": 1,
}


@pytest.mark.slow
def test_the_jobs_train_index_and_answer(ray_session, tmp_path: Path, monkeypatch):
    data, models = tmp_path / "data", tmp_path / "models"
    write_index(data, chart_index(data))
    (data / "labels.yaml").write_text(vocabulary().to_yaml(), "utf-8")
    flags = [part for name, value in TRAINING.items() for part in (f"--{name}", str(value))]
    assert train_retrieval.main(["--data", str(data), "--models", str(models), *flags]) == 0
    metrics = json.loads((models / "retrieval" / "metrics.json").read_text("utf-8"))
    assert 0 < metrics["map"] <= 1

    for number, product in enumerate(PRODUCTS):
        for copy in range(2):
            write_chart(tmp_path / "archive" / f"{product}_{copy}.png", product, 5000 + 10 * number + copy)
    with monkeypatch.context() as context:  # who classified it does not matter here
        replace_ray(context)
        run.classify(config(tmp_path / "archive", tmp_path / "out"), fake_models())
    assert index_archive.main(["--classified", str(tmp_path / "out"), "--models", str(models)]) == 0

    asked = tmp_path / "archive" / "wind_map_0.png"
    found = ["--index", str(tmp_path / "out"), "--image", str(asked), "--out", str(tmp_path / "found"), "--top", "3"]
    assert search_archive.main([*found, "--models", str(models)]) == 0
    (query,) = json.loads((tmp_path / "found" / "search.json").read_text("utf-8"))["queries"]
    assert query["neighbours"][0]["distance"] == 0
