"""The probes of the product stage change what they say they change, and their figures are measured alike."""

import json

import numpy as np
import pyarrow as pa
import pytest

from meteo_ray.batch import ANSWERED, Batch, objects
from meteo_ray.calibration.conditional_logit import ConditionalLogit
from meteo_ray.judging.judge import Judged
from meteo_ray.products.evaluation import products_metrics
from meteo_ray.products.predictor import READS, ProductsPredictor
from meteo_ray.products.probes import LABELLED, SURE, as_answered, asking_less, probes, voices
from meteo_ray.products.rows import as_batch, product_rows
from meteo_ray.products.title_slices import title_slices
from meteo_ray.products.verdict import ProductsVerdict
from meteo_ray.schema import VALIDATION
from meteo_ray.vocabulary import element_ids

HEARD = ProductsVerdict(ConditionalLogit({"shortlist": 1.0, "language_model": 0.2, "none": 0.0}))


@pytest.fixture(scope="module")
def predictor(base_folder, vocabulary) -> ProductsPredictor:
    bare = ProductsPredictor.from_base(base_folder, vocabulary, device="cpu", precision="fp32")
    return ProductsPredictor(bare.asking, HEARD, "probed", bare.language_model)


@pytest.fixture(scope="module")
def rows(answered_inputs) -> pa.Table:
    """Validation charts with labels, what earlier stages answered, and texts, as an evaluation has them."""
    return product_rows(answered_inputs.index, VALIDATION, answered_inputs)


def with_parts(predictor: ProductsPredictor, **changes) -> ProductsPredictor:
    known = {"verdict": predictor.verdict, "language_model": predictor.language_model, **changes}
    return ProductsPredictor(predictor.asking, known.pop("verdict"), "other", **known)


def batch_of(rows: pa.Table, predictor: ProductsPredictor) -> Batch:
    """What a predictor is given of the rows, on noise."""
    width, height = predictor.image_size
    pixels = np.random.default_rng(0).integers(0, 256, (rows.num_rows, height, width, 3), dtype=np.uint8)
    return {**as_batch(rows, *READS), "image": pixels}


def judged_by(predictor: ProductsPredictor, rows: pa.Table) -> Judged:
    return Judged(rows, predictor(batch_of(rows, predictor)), 1.0, 0)


class Told:
    """A predictor that keeps what it was told."""

    language_model = object()
    image_size = (8, 8)

    def __init__(self, vocabulary) -> None:
        self.vocabulary = vocabulary

    def __call__(self, batch: Batch) -> Batch:
        self.batch = batch
        return {}


def test_labels_are_never_told_as_answers(rows) -> None:
    asked = as_answered(rows)
    assert asked["elements"].to_pylist() == rows[f"{ANSWERED}elements"].to_pylist()
    assert asked[LABELLED].to_pylist() == rows["elements"].to_pylist()
    unasked = as_answered(rows.select([name for name in rows.column_names if not name.startswith(ANSWERED)]))
    assert not {"elements", "element_scores", "descriptors"} & set(unasked.column_names)


def test_each_probe_hides_what_it_is_named_after_and_nothing_else(rows, vocabulary) -> None:
    told = Told(vocabulary)
    found, asked = probes(told, rows, as_answered(rows)), as_answered(rows)
    assert set(found) == {"true_elements", "unseen", "unread"}
    whole = batch_of(asked, told)
    for name, hidden in (("unseen", {"image"}), ("unread", {"title", "text"})):
        assert found[name].rows.equals(asked)
        found[name](whole)
        same = {key for key in told.batch if key != "image" and told.batch[key] is whole[key]}
        assert same == {*READS} - hidden
        assert bool(told.batch["image"].any()) == (name != "unseen")
    right = found["true_elements"].rows
    labels = [set(element_ids(row)) for row in rows["elements"].to_pylist() if row is not None]
    assert [set(element_ids(row)) for row in right["elements"].to_pylist()] == labels
    shown = np.array(right["element_scores"].to_pylist()) > 0.5
    assert [{vocabulary.element_ids[place] for place in np.flatnonzero(row)} for row in shown] == labels
    assert np.unique(np.array(right["element_scores"].to_pylist())).tolist() == pytest.approx([1 - SURE, SURE])


def test_without_a_language_model_nobody_is_shown_a_black_picture(rows, predictor) -> None:
    """The shortlist sees no pixels but through descriptors, which the probe leaves as they are."""
    light = with_parts(predictor, language_model=None)
    assert set(probes(light, rows, as_answered(rows))) == {"true_elements", "unread"}


@pytest.mark.parametrize("none", [-1e6, 3.0])
def test_every_figure_counts_none_of_these_as_an_answer(none: float, rows, predictor, vocabulary) -> None:
    strict = ProductsVerdict(ConditionalLogit({"shortlist": 1.0, "language_model": 0.2, "none": none}))
    judged = judged_by(with_parts(predictor, verdict=strict), as_answered(rows))
    judged.columns["augmented"] = objects([json.dumps({"title": {"whose": "other"}})] * rows.num_rows)
    assert (None in judged.columns["product"].tolist()) == (none > 0)
    found = products_metrics(judged, vocabulary, rounds=0, seed=0)
    told = voices(predictor, judged)
    titled = title_slices(judged, None)["other"]
    assert [told["all"][name] for name in ("top1", "top5")] == [found[name] for name in ("top1", "top5")]
    assert {name: titled[name] for name in ("top1", "top3", "top5", "ece")} == {
        name: found[name] for name in ("top1", "top3", "top5", "ece")
    }
    assert told["shortlist"]["top1"] == np.mean(
        judged.columns["product_alone"] == np.array(rows["product"].to_pylist())
    )


def test_the_language_model_has_a_figure_of_its_own_on_what_it_was_asked(rows, predictor, vocabulary) -> None:
    asked = as_answered(rows)
    sure = predictor(batch_of(asked, predictor))["product_sure"]
    some = judged_by(with_parts(predictor, below=float(np.sort(sure)[3])), asked)
    said = some.columns["product_log_likelihood"]
    heard = np.flatnonzero(np.isfinite(said).any(axis=1))
    assert len(heard) == 3
    names = np.array(vocabulary.product_ids)[said[heard].argmax(axis=1)]
    right = np.mean(names == np.array(rows["product"].to_pylist())[heard])
    alone = voices(predictor, some)["language_model"]
    assert (alone["rows"], alone["top1"]) == (3, right)
    assert products_metrics(some, vocabulary, 0, 0)["language_model_top1"] == right
    light = judged_by(with_parts(predictor, language_model=None), asked)
    assert products_metrics(light, vocabulary, 0, 0)["language_model_top1"] is None
    assert "language_model" not in voices(predictor, light)


def test_the_curve_tells_what_asking_less_would_have_answered(rows, predictor) -> None:
    """Under the same least probability of a product."""
    asked, targets = as_answered(rows), rows["product"].to_pylist()
    sure = predictor(batch_of(asked, predictor))["product_sure"]
    for least in (0.0, float(np.median(sure))):
        for point in asking_less(judged_by(with_parts(predictor, least=least), asked)):
            columns = judged_by(with_parts(predictor, least=least, below=point["below"]), asked).columns
            right = [answer == target for answer, target in zip(columns["product"], targets, strict=True)]
            assert (point["asked"], point["top1"]) == (columns["product_asked"].mean(), np.mean(right))
