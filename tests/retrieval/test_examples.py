"""Products from a few examples: the folder, the answers, and when the answer is none."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from meteo_ray.errors import UsageError
from meteo_ray.retrieval.bundle import Background, unit
from meteo_ray.retrieval.examples.classifier import LEAST_DISTANCE, ExamplesClassifier, evidence, nearest
from meteo_ray.retrieval.examples.folder import ExampleImage, example_files, read_examples
from meteo_ray.retrieval.examples.predictor import ExamplesPredictor, FittedExamples
from tests.retrieval.charts import vocabulary, write_chart

CENTRES = unit(np.random.default_rng(0).standard_normal((12, 32)))


def around(centre: int, count: int, seed: int, spread: float = 0.1) -> np.ndarray:
    noise = np.random.default_rng([seed, centre]).standard_normal((count, 32))
    return unit(CENTRES[centre] + spread * noise)


def examples(products: int, each: int) -> tuple[np.ndarray, list[str]]:
    features = np.concatenate([around(product, each, 1) for product in range(products)])
    return features, [f"product {product}" for product in range(products) for _ in range(each)]


BACKGROUND = np.concatenate([around(centre, 5, 2) for centre in range(6, 12)])
OTHERS = [f"other {centre}" for centre in range(6, 12) for _ in range(5)]


@pytest.mark.parametrize("each", [1, 3, 5])
@pytest.mark.parametrize("products", [1, 4])
def test_charts_of_the_products_are_named_and_others_are_none(products, each):
    classifier = ExamplesClassifier.fit(*examples(products, each), BACKGROUND, OTHERS)
    for product in range(products):
        ranked = classifier(around(product, 20, 3))
        assert (ranked.order[:, 0] == product).all()
        assert (ranked.right > 0.5).mean() > 0.9
    assert (classifier(np.concatenate([around(centre, 20, 4) for centre in range(6, 12)])).right < 0.5).mean() > 0.9


def test_examples_alone_tell_what_none_looks_like():
    classifier = ExamplesClassifier.fit(*examples(4, 3), np.zeros((0, 32), np.float32), [])
    assert (classifier(around(0, 20, 3)).right > 0.5).mean() > 0.9
    assert (classifier(around(9, 20, 3)).right < 0.5).mean() > 0.9


def test_the_fewer_charts_are_of_none_the_sooner_a_product_is_named():
    shown = examples(4, 3)
    few, many = (ExamplesClassifier.fit(*shown, BACKGROUND, OTHERS, share) for share in (0.05, 0.95))
    doubtful = around(0, 50, 3, spread=0.6)
    assert (few(doubtful).right > many(doubtful).right).all()


def test_too_few_examples_are_refused():
    nothing = np.zeros((0, 32), np.float32)
    for products, each in ((1, 1), (1, 3), (3, 1)):
        with pytest.raises(UsageError, match="too few examples"):
            ExamplesClassifier.fit(*examples(products, each), nothing, [])


def test_scores_are_the_probability_first_and_shares_of_the_rest_after_it():
    classifier = ExamplesClassifier.fit(*examples(4, 3), BACKGROUND, OTHERS)
    ranked = classifier(around(2, 5, 3))
    scores = classifier.shares(ranked)
    np.testing.assert_allclose(scores[:, 2], ranked.right)
    np.testing.assert_allclose(scores.sum(axis=1), 1)
    alone = ExamplesClassifier.fit(*examples(1, 3), BACKGROUND, OTHERS)
    single = alone(around(0, 5, 3))
    np.testing.assert_allclose(alone.shares(single)[:, 0], single.right)


def test_evidence_is_nearness_and_lead():
    features = unit(np.array([[1.0, 0, 0], [0, 1, 0], [1, 1, 0]]))
    found = nearest(features[2:], features[:2], np.array([0, 0]), 2)
    np.testing.assert_allclose(found, [[np.sqrt(0.5), -1]], rtol=1e-6)
    near, far = 1 - np.sqrt(0.5) + LEAST_DISTANCE, 2 + LEAST_DISTANCE
    np.testing.assert_allclose(evidence(found), [[np.log(near), np.log(far / near)]], rtol=1e-6)
    np.testing.assert_allclose(evidence(found[:, :1]), [[np.log(near), 0]], rtol=1e-6)


def test_sub_folders_are_products_by_any_of_their_names(tmp_path: Path, caplog):
    write_chart(tmp_path / "wind_map 图" / "1.png", "wind_map", 1)
    write_chart(tmp_path / "a new one" / "1.png", "rain_map", 2)
    write_chart(tmp_path / "none" / "1.png", "snow_map", 3)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "README.txt").write_text("not a product")
    with caplog.at_level("WARNING", "meteo_ray"):
        found = example_files(tmp_path, vocabulary())
    assert caplog.messages == ["--examples: not in the vocabulary, taken as new products: a new one"]
    assert [file.product for file in found] == ["a new one", None, "wind_map"]
    images = list(read_examples(found))
    assert [image.product for image in images] == ["a new one", None, "wind_map"]
    assert images[0].pixels.shape == (240, 320, 3)


def test_case_and_width_of_a_sub_folders_name_do_not_matter(tmp_path: Path):
    for number, name in enumerate(("Ｗind_Map", "None", "A new one")):
        write_chart(tmp_path / name / "1.png", "wind_map", number)
    found = {file.path.parent.name: file.product for file in example_files(tmp_path, vocabulary())}
    assert found == {"Ｗind_Map": "wind_map", "None": None, "A new one": "A new one"}
    for name, product in (("wind_map", "wind_map"), ("none", "none"), ("a NEW one", "a NEW one")):
        write_chart(tmp_path / name / "1.png", "wind_map", 1)
        with pytest.raises(UsageError, match=f"mean the same product, {product}"):
            example_files(tmp_path, vocabulary())
        shutil.rmtree(tmp_path / name)


def test_a_sub_folder_whose_name_is_not_utf8_is_named(tmp_path: Path):
    write_chart(tmp_path / "wind_map" / "1.png", "wind_map", 1)
    os.mkdir(os.fsencode(tmp_path) + b"/" + "海冰".encode("gbk"))
    with pytest.raises(UsageError, match=r"the sub-folder .*\\udcba.* has a name that is not UTF-8"):
        example_files(tmp_path, vocabulary())


def test_folders_that_cannot_be_used_are_named(tmp_path: Path):
    with pytest.raises(UsageError, match="no such folder"):
        example_files(tmp_path / "gone", vocabulary())
    with pytest.raises(UsageError, match="no product here"):
        example_files(tmp_path, vocabulary())
    (tmp_path / "wind_map").mkdir()
    with pytest.raises(UsageError, match="wind_map: holds no example"):
        example_files(tmp_path, vocabulary())
    write_chart(tmp_path / "wind_map" / "1.png", "wind_map", 1)
    write_chart(tmp_path / "wind_map 图" / "1.png", "wind_map", 1)
    with pytest.raises(UsageError, match="mean the same product, wind_map"):
        example_files(tmp_path, vocabulary())
    (tmp_path / "wind_map 图" / "1.png").unlink()
    (tmp_path / "wind_map 图").rmdir()
    (tmp_path / "wind_map" / "2.png").write_text("no image")
    with pytest.raises(UsageError, match=r"2.png: no example chart"):
        list(read_examples(example_files(tmp_path, vocabulary())))


class Encoder:
    """Stands for RetrievalPredictor: a picture's features lie around the centre that its first pixel names."""

    version, device = "0123456789ab", None

    def __init__(self, background: Background) -> None:
        self.background = background

    def encode(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features = [around(int(image[0, 0, 0]), 1, int(image[0, 0, 1]))[0] for image in images]
        return np.zeros((len(images), 12), np.float32), np.stack(features)


def of_products(features: np.ndarray, labels: list[str]) -> Background:
    """A bundle's background; "" is a chart whose product is not known."""
    names = tuple(dict.fromkeys(filter(None, labels)))
    return Background(features, np.array([[label == name for name in names] for label in labels]), names)


def picture(centre: int, seed: int) -> np.ndarray:
    image = np.zeros((240, 320, 3), np.uint8)
    image[0, 0, :2] = centre, seed
    return image


def test_the_predictor_answers_in_the_columns_of_the_products_stage():
    # The background holds charts of product 0 too, and some of nobody knows which: they are no charts of none.
    features = np.concatenate([around(0, 5, 2), around(4, 20, 2), BACKGROUND])
    labels = ["product 0"] * 5 + [""] * 20 + OTHERS
    encoder = Encoder(of_products(features, labels))
    shown = [ExampleImage(f"product {n}", f"{n}{seed}", picture(n, seed)) for n in range(6) for seed in range(3)]
    none = ExampleImage(None, "x", picture(11, 9))
    fitted = FittedExamples.fit(encoder, [*shown, none])
    predictor = ExamplesPredictor(encoder, fitted)
    answer = predictor({"image": np.stack([picture(4, 50), picture(10, 51)])})
    assert answer["product"].tolist() == ["product 4", None]
    assert answer["product_score"].dtype == np.float32
    assert (answer["product_score"] > 0.5).all()
    assert answer["product_top"][0][0]["id"] == "product 4"
    assert len(answer["product_top"][0]) == 5
    assert FittedExamples.fit(encoder, shown).version != fitted.version
    assert FittedExamples.fit(encoder, [none, *shown]).version == fitted.version


def test_a_copy_of_an_example_teaches_nothing():
    encoder = Encoder(of_products(BACKGROUND, OTHERS))
    shown = [ExampleImage(f"product {n}", f"{n}{seed}", picture(n, seed)) for n in range(4) for seed in range(2)]
    none = ExampleImage(None, "x", picture(11, 9))
    alone, copied = (FittedExamples.fit(encoder, images) for images in ([*shown, none], [*shown, *shown, none, none]))
    assert copied.version == alone.version
    assert copied.classifier.weights == alone.classifier.weights
    assert len(copied.classifier.products) == len(shown)


@pytest.mark.parametrize("other", ["product 1", None])
def test_one_file_cannot_be_an_example_of_two_products(other):
    encoder = Encoder(of_products(BACKGROUND, OTHERS))
    first = ExampleImage("product 0", "same", picture(0, 1), "examples/product 0/a.png")
    second = ExampleImage(other, "same", picture(0, 1), "examples/elsewhere/b.png")
    with pytest.raises(UsageError, match=rf"product 0/a\.png \(product 0\) and .*b\.png \({other or 'none'}\); remove"):
        FittedExamples.fit(encoder, [first, second])
