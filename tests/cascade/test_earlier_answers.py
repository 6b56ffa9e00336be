"""What a stage that learns from earlier stages' answers is given."""

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from meteo_ray.batch import ANSWERED
from meteo_ray.cascade import earlier_answers
from meteo_ray.cascade.earlier_answers import with_earlier_answers
from meteo_ray.errors import UsageError
from meteo_ray.stages import CASCADE, stage_named
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.vocabulary import load_vocabulary
from tests.archive.untrained import write_models
from tests.pictures import picture_index, write_index


@pytest.fixture(scope="module")
def learner():
    """The product stage, as one that reads scores and learns from them where the product is known."""
    products = stage_named("products")
    judging = replace(products.judging, reads=("elements", "element_scores"))
    return replace(products, judging=judging, learns_from_answers_on="product")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> TaskInputs:
    root = tmp_path_factory.mktemp("answers")
    index = picture_index(root / "data", per_split=4)
    product = [load_vocabulary().product_ids[0] if row % 2 else None for row in range(index.num_rows)]
    place = index.column_names.index("product")
    index = index.set_column(place, "product", pa.array(product, pa.string()))
    write_index(root / "data", index)
    models = write_models(root / "models")
    return TaskInputs(root / "data", models, root / "cache", index, load_vocabulary())


def test_answers_stand_beside_labels_where_the_product_is_known(ray_session, inputs, learner):
    found = with_earlier_answers(learner, inputs, CASCADE).index
    assert found["image_id"].equals(inputs.index["image_id"])
    assert found["elements"].equals(inputs.index["elements"])
    known = np.array([product is not None for product in found["product"].to_pylist()])
    scores = found[f"{ANSWERED}element_scores"].to_pylist()
    assert [row is not None for row in scores] == known.tolist()
    assert {len(row) for row in scores if row is not None} == {len(inputs.vocabulary.elements)}
    assert all(0 <= score <= 1 for row in scores if row is not None for score in row)


def test_answers_are_kept_for_the_same_model_and_rows(ray_session, inputs, learner, monkeypatch):
    first = with_earlier_answers(learner, inputs, CASCADE).index

    def asked_again(*arguments, **options):
        raise AssertionError("the model is asked again")

    monkeypatch.setattr(earlier_answers, "judge", asked_again)
    assert with_earlier_answers(learner, inputs, CASCADE).index.equals(first)
    with pytest.raises(AssertionError, match="asked again"):
        with_earlier_answers(learner, replace(inputs, index=inputs.index.slice(2)), CASCADE)


@pytest.mark.parametrize(("use_gpu", "place"), [(None, {}), (False, {"device": "cpu"})])
def test_a_gpu_that_the_training_leaves_alone_is_left_alone(inputs, learner, tmp_path, use_gpu, place):
    class Loaded(Exception):
        pass

    def load(folder, vocabulary, **options):
        raise Loaded(options)

    cascade = {**CASCADE, "elements": replace(CASCADE["elements"], load=load)}
    with pytest.raises(Loaded) as loaded:
        with_earlier_answers(learner, replace(inputs, cache=tmp_path), cascade, use_gpu)
    assert loaded.value.args == (place,)


def test_a_stage_that_learns_from_labels_is_left_alone(inputs):
    assert with_earlier_answers(stage_named("gate"), inputs, CASCADE) is inputs


def test_a_missing_model_is_named_with_the_job_that_makes_it(inputs, learner, tmp_path):
    with pytest.raises(UsageError, match=r"no elements model in .*jobs/train_elements\.py"):
        with_earlier_answers(learner, replace(inputs, models=tmp_path), CASCADE)
