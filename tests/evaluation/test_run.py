"""jobs/evaluate.py on a small folder: what it writes, what it refuses, and what it says about absent stages."""

import csv
import importlib.util
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.evaluation.config import EvaluateJob
from meteo_ray.evaluation.report import summary, write_report
from meteo_ray.evaluation.run import Evaluation, write_document
from meteo_ray.files import write_json
from meteo_ray.stages import CASCADE
from meteo_ray.streaming.index import read_index
from meteo_ray.text.table import texts_path, write_texts
from tests.evaluation.conftest import FakeElements, FakeProducts
from tests.pictures import write_index

ROOT = Path(__file__).resolve().parents[2]


def evaluate_main(argv: list[str]) -> int:
    """The job's `main`, from its file: jobs/ is no package."""
    spec = importlib.util.spec_from_file_location("evaluate_job", ROOT / "jobs" / "evaluate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main(argv)


def make_job(prepared, out: Path, **values) -> EvaluateJob:
    common = {"data": prepared.data, "models": prepared.models, "data_workers": 1, "bootstrap_rounds": 20}
    return EvaluateJob(out=out, **{**common, "augmentation": {"enabled": False}, **values})


@pytest.fixture
def all_stages(prepared, tmp_path, monkeypatch):
    """The models folder with stand-ins for elements and products."""
    models = shutil.copytree(prepared.models, tmp_path / "models")
    for stage in ("elements", "products"):
        (models / stage).mkdir()
        (models / stage / bundle.SUMS).touch()
    for stage, fake in (("elements", FakeElements), ("products", FakeProducts)):
        shutil.copyfile(prepared.models / "gate" / bundle.LABELS, models / stage / bundle.LABELS)
        write_json(models / stage / bundle.CONFIG, {"stage": stage, "bundle_version": bundle.BUNDLE_VERSION})
        monkeypatch.setitem(CASCADE, stage, replace(CASCADE[stage], load=fake.load))
    return models


def test_every_stage_and_the_cascade(prepared, all_stages, tmp_path, ray_session):
    job = make_job(prepared, tmp_path / "metrics.json", models=all_stages)
    evaluation = Evaluation(job)
    outcome = evaluation.run()
    write_document(job.out, outcome.document)
    found = json.loads(job.out.read_text("utf-8"))

    assert (found["split"], found["counts"]) == ("test", {"gate": 19, "elements": 10, "products": 10, "cascade": 19})
    gate = found["gate"]
    assert (gate["positives"], gate["negatives"], gate["unreadable"]) == (10, 9, 0)
    assert gate["auc"] > 0.9
    assert gate["interval"]["auc"][0] <= gate["auc"] <= gate["interval"]["auc"][1]
    assert {name: part["rows"] for name, part in gate["slices"]["source"].items()} == {"source 0": 10, "source 1": 9}
    assert gate["slices"]["kind"]["easy"]["positives"] == 0
    assert gate["slices"]["language"]["zh"]["false_alarm_rate"] is None

    elements = found["elements"]
    assert (elements["map"], elements["micro_f1"]) == (1.0, 1.0)
    assert elements["interval"]["micro_f1"] == [1.0, 1.0]
    assert elements["ece"] < elements["element_ece"]["pressure"] == pytest.approx(0.4)
    assert elements["voters"] == {name: {"rows": 10, "map": 1.0} for name in ("network", "pixels")}
    assert elements["baselines"] == {"blind": {"rows": 10, "map": 1.0, "micro_f1": 1.0, "macro_f1": 1.0}}
    assert (elements["text"]["read"], gate["text"]["read"]) == (0.0, 0.0)
    assert gate["voters"]["network"] == {"rows": 19, "auc": pytest.approx(gate["auc"])}
    assert found["products"]["top1"] == 1.0
    assert 0 < found["products"]["chance"] < 1
    cascade = found["cascade"]
    passed_charts = cascade["passed"] - cascade["false_alarms"]
    assert cascade["product_accuracy"] == pytest.approx(passed_charts / 10)
    assert cascade["gate_f1"] == pytest.approx(gate["f1"])
    assert set(cascade["seconds_per_image"]) == {"gate", "elements", "products", "total"}

    page = tmp_path / "evaluation.html"
    write_report(page, outcome, evaluation.context.judge.pixels())
    text = page.read_text("utf-8")
    assert "http://" not in text
    assert "https://" not in text
    assert text.count("data:image/png") == 8  # three of the gate, two of the elements, three of the products
    assert "Where the network sees an element" in text
    assert "Shown by no row, and left out of the means" in text
    table = list(csv.DictReader((tmp_path / "evaluation_elements.csv").read_text("utf-8").splitlines()))
    assert (table[0]["element"], table[0]["support"], table[0]["ap"]) == ("wind", "10", "1.0")
    assert (len(table), table[1]["ap"]) == (len(FakeElements.element_ids), "")


def test_the_job_scores_the_gate_with_baseline_and_robustness(prepared, tmp_path, ray_session, capsys):
    out, page = tmp_path / "new" / "metrics.json", tmp_path / "page.html"
    arguments = ["--data", str(prepared.data), "--models", str(prepared.models), "--out", str(out)]
    arguments += ["--report", str(page), "--baseline", "--robustness", "--degradations.images", "8"]
    arguments += ["--bootstrap-rounds", "0", "--data-workers", "1", "--no-augmentation.enabled"]
    assert evaluate_main(arguments) == 0
    found = json.loads(out.read_text("utf-8"))
    assert "absent" in found["elements"]
    assert "absent" in found["cascade"]
    assert found["gate"]["interval"]["auc"] is None

    table = {entry["name"]: entry for entry in found["gate"]["robustness"]}
    assert list(table)[:5] == ["none", "scale 0.5", "scale 0.25", "scale 0.125", "jpeg 95"]
    assert "logo" in table
    assert {entry["rows"] for entry in table.values()} == {8}
    assert table["none"]["auc"] >= 0.75
    assert (found["gate"]["baseline"]["positives"], found["gate"]["baseline"]["train_rows"]) == (10, 20)
    assert "Gradient boosting" in page.read_text("utf-8")
    printed = capsys.readouterr().out
    assert "gate: auc" in printed
    assert "elements: not evaluated: no elements model" in printed


def test_unreadable_and_ambiguous_rows(prepared, tmp_path, ray_session):
    data = shutil.copytree(prepared.data, tmp_path / "data")
    (data / "images" / "test_0.png").write_bytes(b"changed since it was indexed")
    job = make_job(
        prepared, tmp_path / "m.json", data=data, cache=tmp_path / "cache", stage="gate", include_ambiguous=True
    )
    found = Evaluation(job).run().document["gate"]
    assert (found["rows"], found["unreadable"], found["positives"], found["negatives"]) == (19, 1, 9, 10)


def test_the_same_evaluation_gives_the_same_numbers(prepared, tmp_path, ray_session):
    job = make_job(prepared, tmp_path / "m.json", stage="gate", augmentation={"enabled": True})
    first, second = (Evaluation(job).run().document["gate"] for _ in range(2))
    timed = {"seconds_per_image"}
    assert {name: first[name] for name in first if name not in timed} == {
        name: second[name] for name in second if name not in timed
    }


def test_images_as_they_are_are_measured_beside_the_altered_ones(prepared, tmp_path, ray_session):
    altered = make_job(prepared, tmp_path / "m.json", stage="gate", augmentation={"enabled": True}, robustness=True)
    outcome = Evaluation(altered).run()
    plain = Evaluation(make_job(prepared, tmp_path / "m.json", stage="gate")).run().document["gate"]
    found = outcome.document["gate"]
    assert found["as_they_are"]["auc"] == plain["auc"]
    assert found["as_they_are"] == {name: plain[name] for name in found["as_they_are"]}
    assert found["ece"] != plain["ece"]
    assert "robustness" in found
    assert "as_they_are" not in plain
    write_report(tmp_path / "page.html", outcome, Evaluation(altered).context.judge.pixels())
    assert "Images altered, and as they are" in (tmp_path / "page.html").read_text("utf-8")
    assert f"images as they are: auc {plain['auc']:.4f}" in summary(outcome.document)


@pytest.mark.parametrize("own_titles", [True, False])
def test_products_are_measured_by_the_title_drawn(prepared, all_stages, tmp_path, ray_session, own_titles):
    values = {"models": all_stages, "stage": "products", "cache": tmp_path / "cache", "own_titles": own_titles}
    job = make_job(prepared, tmp_path / "m.json", augmentation={"enabled": True}, **values)
    evaluation = Evaluation(job)
    outcome = evaluation.run()
    products = outcome.document["products"]
    titles = products["slices"]["title"]
    assert list(titles) == ["own", "other", "none"][0 if own_titles else 1 :]
    assert titles["other"]["rows"] + titles["none"]["rows"] == products["rows"] == 10
    assert titles["other"]["rows"] > 0
    if own_titles:
        assert titles["own"] == titles["other"]  # the stand-in does not look at pixels
    assert "slices" not in products["as_they_are"]
    write_report(tmp_path / "page.html", outcome, evaluation.context.judge.pixels())
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<h3>By title</h3>" in page
    assert ("was read, not recognised" in page) == own_titles
    plain = Evaluation(make_job(prepared, tmp_path / "m.json", **values)).run().document["products"]
    assert "slices" not in plain


def test_what_was_read_is_not_heard_when_told_so(prepared, tmp_path):
    data = shutil.copytree(prepared.data, tmp_path / "data")
    lines = {"title": "Wind", "text": "Wind", "valid_time": None, "level": None, "centre": None}
    first = read_index(data)["sha256"].to_pylist()[0]
    write_texts(texts_path(data), [{"sha256": first, **lines}])
    for heard in (True, False):
        job = make_job(prepared, tmp_path / "m.json", data=data, stage="gate", split="train", text=heard)
        rows = Evaluation(job).rows["gate"]
        texts = [row["text"] for row in rows.to_pylist() if row["sha256"] == first]
        assert texts == (["Wind"] if heard else [None])


ARTEFACTS = {"crop_share": 0.0, "title_share": 0.0, "noise_share": 0.0, "artefacts_share": 0.5}


def surest_chart(prepared, folder) -> str:
    """The path of the test split's chart with the highest score: a label that denies it must look wrong."""
    judged = (
        Evaluation(make_job(prepared, folder / "m.json", stage="gate", augmentation=ARTEFACTS))
        .run()
        .scored["gate"]
        .judged
    )
    scores = judged.columns["gate_score"] * np.array(judged.rows["is_meteo"].to_pylist())
    return judged.rows["path"][int(scores.argmax())].as_py()


def test_wrong_labels_and_augmented_slices_reach_the_page(prepared, tmp_path, ray_session):
    """A chart that the test split calls something else is found by a gate that learned from sound labels."""
    wrong = surest_chart(prepared, tmp_path)
    rows = [{**row, "is_meteo": row["is_meteo"] and row["path"] != wrong} for row in prepared.index.to_pylist()]
    write_index(tmp_path, pa.Table.from_pylist(rows, schema=prepared.index.schema))
    before = {path: path.read_bytes() for path in prepared.data.rglob("*.parquet")}
    job = make_job(
        prepared,
        tmp_path / "m.json",
        stage="gate",
        index=tmp_path / "index",
        cache=tmp_path / "cache",
        augmentation=ARTEFACTS,
    )
    evaluation = Evaluation(job)
    outcome = evaluation.run()
    gate = outcome.document["gate"]
    assert (gate["label_errors"][0]["path"], gate["label_errors"][0]["given"]) == (wrong, False)
    parts = gate["slices"]["augmentation"]
    assert parts["artefacts applied"]["rows"] + parts["artefacts not applied"]["rows"] == gate["rows"]
    assert parts["artefacts applied"]["rows"] > 0
    write_report(tmp_path / "page.html", outcome, evaluation.context.judge.pixels())
    text = (tmp_path / "page.html").read_text("utf-8")
    assert f"Labels that the model doubts: {gate['label_errors_found']}" in text
    assert 'alt="Labels of gate that the model doubts"' in text
    assert "artefacts not applied" in text
    assert {path: path.read_bytes() for path in before} == before


def test_a_stage_asked_for_by_name_must_be_there(prepared, tmp_path, capsys):
    arguments = ["--data", str(prepared.data), "--models", str(prepared.models), "--out", str(tmp_path / "m.json")]
    assert evaluate_main([*arguments, "--stage", "elements"]) == 2
    assert "jobs/train_elements.py" in capsys.readouterr().err
    assert evaluate_main([*arguments, "--stage", "cascade"]) == 2
    assert "no elements and no products model" in capsys.readouterr().err
    assert not (tmp_path / "m.json").exists()


def test_nothing_to_score_is_a_users_mistake(prepared, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    with pytest.raises(UsageError, match=r"jobs/prepare_data\.py"):
        Evaluation(make_job(prepared, tmp_path / "m.json", data=data))
    write_index(data, prepared.index.filter(pa.compute.equal(prepared.index["split"], "train")))
    with pytest.raises(UsageError, match="no row of the test split carries its label"):
        Evaluation(make_job(prepared, tmp_path / "m.json", data=data))


def test_an_index_of_another_vocabulary_is_refused(prepared, tmp_path):
    labels = tmp_path / "labels.yaml"
    labels.write_text("elements:\n- {id: rain, zh: 雨, en: rain}\nproducts: []\n", "utf-8")
    with pytest.raises(UsageError, match="wind"):
        Evaluation(make_job(prepared, tmp_path / "m.json", labels=labels))


def test_a_metrics_file_is_written_whole_or_not_at_all(tmp_path):
    path = tmp_path / "metrics.json"
    write_document(path, {"split": "test"})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_document(path, {"split": float("nan")})
    assert json.loads(path.read_text()) == {"split": "test"}
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(UsageError, match="--out"):
        write_document(path / "below" / "m.json", {})


def test_the_summary_names_what_is_missing():
    gate = {"auc": 0.91234, "f1": None, "baseline": {"auc": 0.75, "train_rows": 9}}
    text = summary({"split": "test", "gate": gate, "elements": {"absent": "no model"}})
    assert text.splitlines() == [
        "test split",
        "  gate: auc 0.9123",
        "    boosting on descriptors, for comparison: auc 0.7500",
        "  elements: not evaluated: no model",
    ]


def test_the_summary_has_a_line_for_the_baselines():
    baselines = {"blind": {"rows": 4, "map": 0.25, "micro_f1": 0.0}, "trees": {"rows": 4, "map": 0.5}}
    text = summary({"split": "test", "elements": {"map": 0.75, "baselines": baselines}})
    assert text.splitlines()[1:] == [
        "  elements: map 0.7500",
        "    for comparison: blind map 0.2500  micro_f1 0.0000; trees map 0.5000",
    ]
