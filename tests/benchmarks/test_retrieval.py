"""What the retrieval benchmarks read and count."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from benchmarks.kept_results import Results
from benchmarks.retrieval import frozen_trunk
from benchmarks.retrieval.baselines import itq, lsh
from benchmarks.retrieval.data_sets import by_class, cub, prepared
from benchmarks.retrieval.few_examples import few_examples
from benchmarks.retrieval.paper import table
from benchmarks.retrieval.run import markdown
from benchmarks.retrieval.scores import among_themselves, of_codes, of_features, protocols
from meteo_ray.retrieval.examples.classifier import NONE_SHARE, ExamplesClassifier
from meteo_ray.retrieval.task import RetrievalTask
from meteo_ray.schema import TEST, TRAIN, VALIDATION
from meteo_ray.streaming.index import read_index
from meteo_ray.vocabulary import load_vocabulary
from tests.retrieval.charts import SMALL, vocabulary


def paint(file: Path, level: int) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((30, 40, 3), level, np.uint8)).save(file)


@pytest.fixture
def birds(tmp_path: Path) -> Path:
    """CUB's files, with two classes of 20 training and 3 test images each."""
    folder, lines = tmp_path / "CUB_200_2011", {"images": [], "image_class_labels": [], "train_test_split": []}
    names = ["001.Black_footed_Albatross", "002.Laysan_Albatross"]
    for number in range(46):
        label, train = number % 2, number < 40
        path = f"{names[label]}/bird_{number}.jpg"
        paint(folder / "images" / path, number)
        lines["images"].append(f"{number + 1} {path}")
        lines["image_class_labels"].append(f"{number + 1} {label + 1}")
        lines["train_test_split"].append(f"{number + 1} {int(train)}")
    lines["classes"] = [f"{number + 1} {name}" for number, name in enumerate(names)]
    for name, found in lines.items():
        (folder / f"{name}.txt").write_text("\n".join(found) + "\n", "utf-8")
    return folder


def test_cub_is_read_in_its_official_split(birds):
    images = cub(birds)
    assert [image.split for image in images].count(TRAIN) == 40
    assert [image.split for image in images].count(TEST) == 6
    assert images[1].path == "images/002.Laysan_Albatross/bird_1.jpg"
    assert images[1].label == "002.Laysan_Albatross"
    with pytest.raises(SystemExit, match=r"images\.txt: missing"):
        cub(birds / "images")


def test_a_data_set_becomes_a_folder_that_the_stage_trains_on(birds, tmp_path):
    made = prepared(birds, cub(birds), tmp_path / "made", seed=0)
    index, vocabulary = read_index(birds, made), load_vocabulary(made / "labels.yaml")
    splits = index["split"].to_pylist()
    assert {split: splits.count(split) for split in (TRAIN, VALIDATION, TEST)} == {TRAIN: 36, VALIDATION: 4, TEST: 6}
    task = RetrievalTask(SMALL, birds, vocabulary)
    rows = task.rows(index, TRAIN)
    assert rows.num_rows == 36
    batch = task.prepare(VALIDATION, 0)({name: np.array(rows[name].to_pylist(), object) for name in rows.column_names})
    assert batch["ok"].all()


def test_folders_by_class_are_read_in_their_splits(tmp_path):
    for split, count in (("train", 3), ("test", 2)):
        for label in ("A330", "Boeing 737"):
            for number in range(count):
                paint(tmp_path / split / label / f"{number}.png", number)
    (tmp_path / "train" / "A330" / "notes.txt").write_text("no image")
    images = by_class(tmp_path)
    assert len(images) == 10
    assert images[0].path == "train/A330/0.png"
    paint(tmp_path / "test" / "unheard of" / "0.png", 1)
    with pytest.raises(SystemExit, match="classes without training images: unheard of"):
        by_class(tmp_path)
    with pytest.raises(SystemExit, match="expected images in train/CLASS/"):
        by_class(tmp_path / "train")


LABELS = np.arange(40) % 4
CLASSES = np.eye(4, dtype=bool)[LABELS]
SIGNS = np.where(np.random.default_rng(0).standard_normal((4, 16)) >= 0, 1.0, -1.0)[LABELS]


def test_perfect_codes_score_one_by_every_protocol_and_codes_at_random_do_not():
    found = protocols(SIGNS[:20], CLASSES[:20], SIGNS[20:], CLASSES[20:], SIGNS[20:])
    assert found == {"unseen": pytest.approx(1), "network": pytest.approx(1), "solved": pytest.approx(1)}
    noise = np.random.default_rng(1).standard_normal((20, 16))
    assert protocols(noise, CLASSES[:20], SIGNS[20:], CLASSES[20:], None)["network"] < 0.6
    asked = LABELS == 2
    assert among_themselves(of_features(SIGNS), CLASSES, asked) == pytest.approx(1)


def test_codes_that_nobody_trained_keep_neighbours_near():
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((4, 40))
    train, test = (centres[np.arange(200) % 4] + 0.2 * rng.standard_normal((200, 40)) for _ in range(2))
    classes = np.eye(4, dtype=bool)[np.arange(200) % 4]
    for outputs in (itq(train.astype(np.float32), test.astype(np.float32), 12), lsh(train, test, 12, seed=0)):
        assert outputs.shape == (200, 12)
        assert among_themselves(of_codes(outputs), classes) > 0.7


def test_few_examples_are_counted_with_and_without_those_of_left_out_products():
    rng = np.random.default_rng(0)
    centres = rng.standard_normal((6, 32)).astype(np.float32)
    products = np.array([f"p{number}" for number in range(6)], dtype=object)[np.arange(60) % 6]
    test, shown = (
        centres[np.arange(60) % 6] + 0.1 * rng.standard_normal((60, 32)).astype(np.float32) for _ in range(2)
    )
    found = few_examples(test, products, shown, products, np.array(["p4", "p5"], dtype=object), each=3, seed=0)
    assert found["top1"] == found["mean_top1"] == found["top1_left_out"] == 1
    assert found["right_or_none"] > 0.9
    assert found["none_of_left_out"] > 0.9


def test_few_examples_are_counted_as_users_have_them_without_the_true_share_of_none(monkeypatch):
    shares = []
    fit = ExamplesClassifier.fit.__func__

    def watched(cls, features, products, background, others, none_share=NONE_SHARE):
        shares.append(none_share)
        return fit(cls, features, products, background, others, none_share)

    monkeypatch.setattr(ExamplesClassifier, "fit", classmethod(watched))
    rng = np.random.default_rng(0)
    products = np.array(["p0", "p1", "p2"], dtype=object)[np.arange(30) % 3]
    features = rng.standard_normal((30, 8)).astype(np.float32)
    few_examples(features, products, features, products, np.array(["p2"], dtype=object), each=3, seed=0)
    assert shares == [NONE_SHARE]


def test_results_of_other_settings_are_not_taken_for_these(tmp_path):
    file = tmp_path / "out" / "results.json"
    Results(file, {"epochs": 15, "data": tmp_path}).get("seed 0: pairwise", lambda: {"unseen": 0.1})
    again = Results(file, {"epochs": 15, "data": tmp_path})
    again.get("seed 0: pairwise", lambda: pytest.fail("taken twice"))
    assert "| seed 0: pairwise | unseen | 0.100 |" in markdown(again.measures)
    with pytest.raises(SystemExit, match=r"other settings \(epochs 15 then, 30 now\)"):
        Results(file, {"epochs": 30, "data": tmp_path})
    file.write_text('{"seed 0: pairwise": {"unseen": 0.1}}')  # as it was written before settings were
    with pytest.raises(SystemExit, match="which were not kept"):
        Results(file, {"epochs": 15})


def test_feature_maps_are_those_of_the_rows_whatever_their_order(tmp_path, monkeypatch):
    made = []

    def maps(data, rows, *_):
        made.append(rows.num_rows)
        return np.array([int(name) for name in rows["image_id"].to_pylist()], np.float16).reshape(-1, 1, 1, 1)

    monkeypatch.setattr(frozen_trunk, "_maps", maps)
    rows = pa.table({"image_id": ["1", "2", "3"], "sha256": ["a", "b", "c"]})

    def first(given: pa.Table) -> list[float]:
        found = frozen_trunk.feature_maps(tmp_path, given, vocabulary(), SMALL, tmp_path / "maps")
        return found.of(["1", "2", "3"]).ravel().tolist()

    draws = frozen_trunk.DRAWS + 1
    assert first(rows) == first(rows) == first(rows.take([2, 1, 0])) == [1, 2, 3]
    assert len(made) == 2 * draws
    first(pa.table({"image_id": ["1", "2", "3"], "sha256": ["a", "b", "d"]}))
    assert len(made) == 3 * draws


def test_feature_maps_that_could_not_be_written_are_not_there(tmp_path, monkeypatch):
    monkeypatch.setattr(frozen_trunk, "_maps", lambda *_: np.zeros((1, 1, 1, 1), np.float16))

    def cut(file, array) -> None:
        Path(file if isinstance(file, str | Path) else file.name).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", cut)
    with pytest.raises(OSError, match="No space"):
        frozen_trunk.feature_maps(
            tmp_path, pa.table({"image_id": ["1"], "sha256": ["a"]}), vocabulary(), SMALL, tmp_path / "maps"
        )
    assert not list((tmp_path / "maps").glob("*.npy"))


def test_the_papers_table_has_means_over_seeds():
    runs = {
        f"pairwise, 48 bits, seed {seed}": {
            epoch: {"solved": 0.8 + 0.02 * seed, "network": 0.7, "unseen": 0.6} for epoch in ("best", "last")
        }
        for seed in range(2)
    }
    assert "| pairwise, 48 bits | 81.00 ± 1.00 | 70.00 ± 0.00 | 60.00 ± 0.00 |" in table(runs)
