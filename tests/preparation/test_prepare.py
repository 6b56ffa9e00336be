"""jobs/prepare_data.py from labels and images to an index on disk, and what it refuses (R1-R4)."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from jobs.prepare_data import main
from meteo_ray.batch import concatenate
from meteo_ray.errors import UsageError
from meteo_ray.files import image_id
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.preparation.config import PrepareData
from meteo_ray.preparation.prepare import build_index
from meteo_ray.schema import INDEX, INDEX_REJECTED, SPLITS, VALIDATION
from meteo_ray.streaming.index import read_index
from meteo_ray.streaming.pixels import PreparePixels
from meteo_ray.streaming.stream import stream
from tests.preparation.folder import data_folder, picture, row, write_labels

COUNT = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve sound images and their labels; read only."""
    folder = tmp_path_factory.mktemp("data")
    data_folder(folder, COUNT)
    return folder


@pytest.fixture
def data(folder: Path, tmp_path: Path) -> Path:
    """A copy of it to spoil."""
    return shutil.copytree(folder, tmp_path / "data")


def rows_of(data: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (data / "labels.jsonl").read_text("utf-8").splitlines()]


def test_an_index_is_written_as_promised(data: Path, ray_session: None, capsys: pytest.CaptureFixture[str]) -> None:
    rows = rows_of(data)
    rows[1] |= {"time": "2024-07-01T08:00:00+08:00", "source": "office", "language": "zh", "labels": ["风速"]}
    del rows[3]["labels"]
    write_labels(data, rows)
    assert main(["--data", str(data)]) == 0
    assert f"{COUNT} images in the index, 0 left out" in capsys.readouterr().out
    index = read_index(data)
    assert index.schema.equals(INDEX)
    assert sorted(path.name for path in (data / "index").iterdir()) == [
        "index.parquet",
        "rejected.parquet",
        "report.html",
    ]
    found = index.to_pylist()
    assert [r["path"] for r in found] == [r["path"] for r in rows]
    assert [r["is_meteo"] for r in found] == [bool(r["is_meteo"]) for r in rows]
    assert found[1]["image_id"] == image_id("images/001.png")
    assert (found[1]["elements"], found[1]["source"], json.loads(found[1]["extra"])) == (
        ["wind"],
        "office",
        {"language": "zh"},
    )
    assert found[1]["time"].isoformat() == "2024-07-01T00:00:00"
    assert (found[2]["elements"], found[3]["elements"]) == ([], None)
    assert {(r["width"], r["height"], r["format"]) for r in found} == {(200, 150, "PNG")}
    assert {r["split"] for r in found} == set(SPLITS)
    assert len({r["sha256"] for r in found}) == len({r["duplicate_group"] for r in found}) == COUNT


def test_the_same_index_and_validation_pixels_whatever_the_number_of_workers(
    folder: Path, tmp_path: Path, ray_session: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meteo_ray.streaming.stream.BLOCK_ROWS", 2)
    batches = {}
    for workers in (1, 3):
        index = tmp_path / str(workers)
        assert main(["--data", str(folder), "--index", str(index), "--workers", str(workers), "--seed", "5"]) == 0
        rows = read_index(folder, index)
        validation = rows.filter(pc.equal(rows["split"], VALIDATION)).select(["path", "sha256", "image_id", "product"])
        fixed = PreparePixels(folder, seed=5, epoch=None, augmentation=AugmentConfig(), size=(80, 60))
        batches[workers] = concatenate(list(stream(validation, fixed, 2, workers)))
    for name in ("index.parquet", "rejected.parquet"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "3" / name).read_bytes()
    for name, column in batches[1].items():
        np.testing.assert_array_equal(batches[3][name], column, err_msg=name)
    assert len(batches[1]["image"]) > 0
    assert not (folder / "index").exists()


def test_unusable_images_are_left_out_with_their_reasons(
    data: Path, ray_session: None, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "images/000.png").write_bytes(b"")
    (data / "images/001.png").write_text("not an image")
    (data / "images/002.png").unlink()
    whole = (data / "images/003.png").read_bytes()
    (data / "images/003.png").write_bytes(whole[: len(whole) // 2])
    assert main(["--data", str(data)]) == 0
    assert f"{COUNT - 4} images in the index, 4 left out" in capsys.readouterr().out
    rejected = pq.read_table(data / "index/rejected.parquet")
    assert rejected.schema.equals(INDEX_REJECTED)
    reasons = ["empty", "unidentified", "missing", "truncated"]
    assert rejected.to_pylist() == [{"path": f"images/00{n}.png", "reason": r} for n, r in enumerate(reasons)]
    assert read_index(data).num_rows == COUNT - 4
    page = (data / "index/report.html").read_text("utf-8")
    assert all(reason in page for reason in reasons)


@pytest.mark.parametrize("spoil", [Path.unlink, lambda path: path.write_bytes(b"")])
def test_strict_fails_on_an_unusable_image(
    data: Path, spoil: Any, ray_session: None, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(data / "images/000.png")
    assert main(["--data", str(data), "--strict"]) == 2
    assert "images/000.png" in capsys.readouterr().err
    assert not (data / "index").exists()


def test_copies_share_a_group_and_a_split_and_are_reported(data: Path, ray_session: None) -> None:
    rows = rows_of(data)
    shutil.copy(data / "images/001.png", data / "images/copy.png")
    picture(1).save(data / "images/again.jpg", quality=80)
    write_labels(data, [*rows, row("images/copy.png"), row("images/again.jpg")])
    prepared = build_index(PrepareData(data=data))
    members = [
        r for r in prepared.index.to_pylist() if r["path"] in ("images/001.png", "images/copy.png", "images/again.jpg")
    ]
    assert len({r["duplicate_group"] for r in members}) == 1
    assert len({r["split"] for r in members}) == 1
    assert prepared.warnings == ["the same image 2 times: images/001.png, images/copy.png"]


def test_equal_images_with_contradictory_labels_are_refused(data: Path, ray_session: None) -> None:
    shutil.copy(data / "images/001.png", data / "images/copy.png")
    write_labels(data, [*rows_of(data), row("images/copy.png", is_meteo=0)])
    with pytest.raises(UsageError, match=r"images/001.png and images/copy.png are the same image: is_meteo 1 and 0"):
        build_index(PrepareData(data=data))
    assert not (data / "index").exists()


def test_given_splits_that_leak_are_refused_unless_allowed(data: Path, ray_session: None) -> None:
    rows = [{**r, "split": SPLITS[number % 3]} for number, r in enumerate(rows_of(data))]
    shutil.copy(data / "images/001.png", data / "images/copy.png")
    write_labels(data, [*rows, row("images/copy.png", split="test")])
    with pytest.raises(UsageError, match=r"the same image: images/001.png \(validation\) and images/copy.png \(test\)"):
        build_index(PrepareData(data=data, split_by="given"))
    build_index(PrepareData(data=data, split_by="given", allow_leakage=True))
    assert read_index(data)["split"].to_pylist() == [*(SPLITS[n % 3] for n in range(COUNT)), "test"]


def test_a_second_run_replaces_the_first(data: Path, ray_session: None) -> None:
    build_index(PrepareData(data=data))
    write_labels(data, rows_of(data)[:6])
    build_index(PrepareData(data=data))
    assert read_index(data).num_rows == 6
    assert [path.name for path in data.iterdir() if path.name.startswith(".")] == []


@pytest.fixture
def no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise AssertionError("Ray was started before the labels were checked")

    monkeypatch.setattr("meteo_ray.preparation.image_probe.connect", refuse)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--data is required (or METEO_RAY_DATA)"),
        (["--data", "nowhere"], "--data nowhere: no such folder"),
        (["--data", "{empty}"], "labels.jsonl: no such file"),
        (["--data", "{data}", "--labels", "nowhere.yaml"], "nowhere.yaml: cannot read the vocabulary"),
        (["--data", "{data}", "--split-by", "size"], "--split-by"),
        (["--data", "{data}", "--split-by", "source"], "--split-by source needs rows of at least 3 sources"),
        (["--dta", "{data}"], "unrecognized arguments: --dta"),
        (["--data", "{data}", "--fractions.train", "0.5"], "must add up to 1"),
    ],
)
def test_wrong_usage_is_one_message_before_ray_starts(
    folder: Path, tmp_path: Path, arguments: list[str], message: str, no_ray: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(data=folder, empty=tmp_path) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error


def test_every_problem_of_labels_and_vocabulary_in_one_run(
    data: Path, no_ray: None, capsys: pytest.CaptureFixture[str]
) -> None:
    vocabulary = data / "labels.yaml"
    vocabulary.write_text("elements:\n  - {id: wind, zh: 风}\nproducts: []\n", "utf-8")
    with (data / "labels.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"path": "../out.png", "is_meteo": 1}\n{broken\n{"path": "images/000.png", "is_meteo": 1}\n')
    assert main(["--data", str(data), "--labels", str(vocabulary)]) == 2
    error = capsys.readouterr().err
    for words in ("labels.yaml:2: elements.0.en", ":13: path: ", ":14:2: not valid JSON", "line 1 has the first"):
        assert words in error
    assert not (data / "index").exists()


def test_a_label_file_without_rows_or_without_any_image_is_refused(tmp_path: Path, no_ray: None) -> None:
    write_labels(tmp_path, [])
    with pytest.raises(UsageError, match="holds no rows"):
        build_index(PrepareData(data=tmp_path))
    write_labels(tmp_path, [row("a.png"), row("b.png")])
    with pytest.raises(UsageError, match=r"none of the 2 labelled images can be used:\n  a.png: missing"):
        build_index(PrepareData(data=tmp_path))


def test_the_data_folder_may_come_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("METEO_RAY_DATA", str(tmp_path / "from the environment"))
    assert main([]) == 2
    assert "from the environment: no such folder" in capsys.readouterr().err


def test_reading_an_unprepared_or_foreign_index_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"run: python jobs/prepare_data.py --data"):
        read_index(tmp_path)
    (tmp_path / "index").mkdir()
    pq.write_table(INDEX_REJECTED.empty_table(), tmp_path / "index/index.parquet")
    with pytest.raises(UsageError, match="another version"):
        read_index(tmp_path)
    (tmp_path / "index/index.parquet").write_bytes(b"PAR1")
    with pytest.raises(UsageError, match="cannot read the index"):
        read_index(tmp_path)
