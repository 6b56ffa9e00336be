"""The predictor on the untrained base model: columns, candidates, batches, both voices, and what it refuses."""

import shutil
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from bitsandbytes.nn import Linear4bit

from meteo_ray import bundle
from meteo_ray.archive.cascade.loaded_model import LoadedModel
from meteo_ray.archive.cascade.models import Model
from meteo_ray.batch import Batch, objects
from meteo_ray.calibration.conditional_logit import ConditionalLogit
from meteo_ray.errors import UsageError
from meteo_ray.judging.settings import CascadeSettings, JudgingJob
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.bundle import write_bundle
from meteo_ray.products.calibration import ProductsCalibration
from meteo_ray.products.config import CANDIDATES, ProductsEvaluationSettings, ProductsTraining
from meteo_ray.products.evaluation import ProductsEvaluation
from meteo_ray.products.language_model import LanguageModel
from meteo_ray.products.lora_adapter import add_adapter
from meteo_ray.products.predictor import ProductsPredictor
from meteo_ray.products.questions import AskingQuestions, Question, evidence_of, titles_of
from meteo_ray.products.shortlist import Shortlist
from meteo_ray.products.small_base import make_small_base
from meteo_ray.products.stage import PRODUCTS
from meteo_ray.products.verdict import ProductsVerdict
from meteo_ray.vocabulary import Product, Vocabulary

from .conftest import TINY

ELEMENTS = [["wind"], [{"id": "snow", "score": 0.9}, {"id": "precipitation", "score": 0.6}], [], ["temperature"]]
BESIDES = {
    *("product_candidates", "product_alone", "product_sure", "product_asked"),
    *("product_listed", "product_log_likelihood", "product_tokens"),
}
OPTIONS = {"precision": "fp32", "micro_batch": 3}


@pytest.fixture(scope="module")
def predictor(base_folder, vocabulary) -> ProductsPredictor:
    return ProductsPredictor.from_base(base_folder, vocabulary, device="cpu", **OPTIONS)


@pytest.fixture
def batch(predictor: ProductsPredictor) -> Batch:
    """Four charts: the first of a title, the second of elements with scores, the third of nothing known."""
    width, height = predictor.image_size
    rng, vocabulary = np.random.default_rng(1), predictor.vocabulary
    scores = [np.clip(vocabulary.multi_hot([name]), 0.05, 0.9).tolist() for name in ("wind", "snow", "wind")]
    return {
        "image": rng.integers(0, 256, (len(ELEMENTS), height, width, 3), dtype=np.uint8),
        "elements": objects(ELEMENTS),
        "element_scores": objects([*scores[:2], None, None]),
        "title": objects([vocabulary.product_by_id["wind_rose"].zh, None, None, ""]),
        "text": objects(["中央气象台", None, None, ""]),
    }


def asked_of(predictor: ProductsPredictor, batch: Batch) -> list[Question]:
    shown = [[entry["id"] if isinstance(entry, dict) else entry for entry in row] for row in batch["elements"]]
    return predictor.asking(evidence_of(batch), shown, titles_of(batch))[0]


def test_what_is_stored_gives_the_answers_again(predictor, batch) -> None:
    columns = predictor(batch)
    asked = np.isfinite(columns["product_log_likelihood"]).sum(axis=1)
    found = predictor.verdict.probabilities(columns["product_listed"], columns["product_log_likelihood"], asked)
    np.testing.assert_allclose(found.max(axis=1), columns["product_score"], atol=1e-5)


def test_an_archive_takes_answers_though_most_products_were_not_asked_about(predictor, batch) -> None:
    asking = AskingQuestions(predictor.asking.shortlist, 2, with_title=True)
    few = ProductsPredictor(asking, predictor.verdict, "v", predictor.language_model)
    assert np.isneginf(few(batch)["product_log_likelihood"]).any()
    answers = LoadedModel(Model("products", "v", PRODUCTS.judging, lambda: few))(batch)
    assert [answer["product"] for answer in answers] == few(batch)["product"].tolist()


def test_where_no_product_is_likely_enough_none_is_named(predictor, batch) -> None:
    strict = ProductsPredictor(predictor.asking, predictor.verdict, "v", predictor.language_model, least=1.0)
    columns = strict(batch)
    assert columns["product"].tolist() == [None] * 4
    assert columns["product_top"].tolist() == predictor(batch)["product_top"].tolist()


def test_a_blend_weighs_the_language_model() -> None:
    verdict = ProductsVerdict(ConditionalLogit({"shortlist": 1.0, "language_model": 0.5, "none": 0.0}))
    assert verdict.blended(3.0).to_json() == {"shortlist": 1.0, "language_model": 1.5, "none": 0.0}


def test_answers_are_candidates_ranked_by_confidence(predictor, batch) -> None:
    columns = predictor(batch)
    assert set(columns) == {*PRODUCTS.judging.columns.names, *BESIDES}
    assert columns["product_score"].dtype == np.float32
    assert columns["product_asked"].tolist() == [True] * 4
    for row, question in enumerate(asked_of(predictor, batch)):
        top = columns["product_top"][row]
        scores = [entry["score"] for entry in top]
        assert columns["product_candidates"][row] == question.candidates
        assert len(question.candidates) == CANDIDATES
        assert len(top) == 5
        assert {entry["id"] for entry in top} <= set(question.candidates)
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) <= 1 + 1e-6
        assert columns["product"][row] == top[0]["id"]
        assert columns["product_score"][row] == pytest.approx(scores[0])
    assert columns["product_alone"][0] == "wind_rose"


def test_what_is_put_to_the_language_model_is_counted_in_its_own_tokens(predictor, batch) -> None:
    """By the library's own processor: text and picture in one."""
    processor, encoder = predictor.language_model.base.processor, predictor.language_model._encoder
    expected = []
    for pixels, row in zip(batch["image"], asked_of(predictor, batch), strict=True):
        prompt = encoder.prompt(row.elements, row.candidates, row.title)
        text = prompt.replace(processor.full_image_sequence, processor.boi_token)
        whole = processor(text=text, images=[pixels], add_special_tokens=False)["input_ids"][0]
        expected.append(len(whole) + sum(len(encoder.encode_answer(name)) for name in row.answers))
    assert predictor(batch)["product_tokens"].tolist() == expected


def test_log_likelihoods_give_the_same_ranking(predictor, batch) -> None:
    columns = predictor(batch)
    for row, scores in enumerate(predictor.language_model.score(batch["image"], asked_of(predictor, batch))):
        assert max(scores, key=scores.__getitem__) == columns["product"][row]


def other(predictor: ProductsPredictor, **changes) -> ProductsPredictor:
    """The same but for some of its parts."""
    parts = {
        "asking": predictor.asking,
        "verdict": predictor.verdict,
        "version": "other",
        "language_model": predictor.language_model,
    }
    return ProductsPredictor(**{**parts, **changes})


def with_options(predictor: ProductsPredictor, **options) -> LanguageModel:
    known = predictor.language_model
    return LanguageModel(known.model, known.base, predictor.vocabulary, known.device, **{**OPTIONS, **options})


def test_a_beam_as_wide_as_the_candidates_finds_the_same_answer(predictor, batch) -> None:
    wide = with_options(predictor, beam_width=20)
    found = wide.beam_search(batch["image"], asked_of(predictor, batch))
    assert [next(iter(ranked)) for ranked in found] == predictor(batch)["product"].tolist()


def test_a_fainter_voice_changes_confidence_but_not_the_answer(predictor, batch) -> None:
    faint = ProductsVerdict(ConditionalLogit({"shortlist": 0.0, "language_model": 0.1, "none": -1e6}))
    columns = other(predictor, verdict=faint)(batch)
    assert columns["product"].tolist() == predictor(batch)["product"].tolist()
    assert (columns["product_score"] < predictor(batch)["product_score"]).all()


def test_no_rows_give_no_rows(predictor, batch) -> None:
    assert all(len(column) == 0 for column in predictor({name: column[:0] for name, column in batch.items()}).values())


def test_nothing_but_pixels_is_enough(predictor, batch) -> None:
    columns = predictor({"image": batch["image"]})
    assert all(name in predictor.vocabulary.product_by_id for name in columns["product"])
    empty = np.full(4, np.nan)
    missing = dict.fromkeys(("elements", "element_scores", "descriptors", "title", "text"), empty)
    assert predictor({"image": batch["image"], **missing})["product"].tolist() == columns["product"].tolist()


def test_images_of_another_size_are_refused(predictor, batch) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \(rows, 32, 32, 3\)"):
        predictor({**batch, "image": batch["image"][:, :-1]})


def test_a_log_likelihood_that_is_no_number_is_never_an_answer(predictor, batch, monkeypatch) -> None:
    model = with_options(predictor)
    monkeypatch.setattr(model, "score", lambda images, questions: [{"wind_rose": float("nan")} for _ in questions])
    with pytest.raises(FloatingPointError, match="not a number"):
        other(predictor, language_model=model)(batch)


@pytest.fixture(scope="module")
def many_bases(vocabulary, tmp_path_factory) -> list[GemmaBase]:
    folder = tmp_path_factory.mktemp("bases")
    for seed in range(5):
        make_small_base(folder / str(seed), vocabulary, TINY.model_copy(update={"seed": seed}))
    return [GemmaBase.open(folder / str(seed)) for seed in range(5)]


def test_three_beams_answer_three_candidates_as_exact_scores_do(many_bases, vocabulary) -> None:
    """Three answers never have more than three beginnings at once, so three beams lose none of them."""
    rng = np.random.default_rng(7)
    asking = AskingQuestions(Shortlist.untrained(vocabulary), 3, with_title=True)
    verdict = ProductsVerdict(ConditionalLogit({"shortlist": 0.2, "language_model": 0.3, "none": 0.0}))
    rows, listed = 12, set()
    for base in many_bases:
        model = base.load_model()
        scores = rng.uniform(0.01, 0.99, (rows, len(vocabulary.elements)))
        batch = {
            "image": rng.integers(0, 256, (rows, 32, 32, 3), dtype=np.uint8),
            "elements": objects([[vocabulary.element_ids[best] for best in row.argsort()[-2:]] for row in scores]),
            "element_scores": objects(scores.tolist()),
        }
        exact, beam = (
            ProductsPredictor(
                asking,
                verdict,
                kind,
                LanguageModel(model, base, vocabulary, torch.device("cpu"), decoding=kind, precision="fp32"),
            )(batch)
            for kind in ("exact", "beam")
        )
        assert beam["product"].tolist() == exact["product"].tolist()
        listed |= {tuple(names) for names in exact["product_candidates"]}
        for ours, theirs in zip(beam["product_top"], exact["product_top"], strict=True):
            assert len(theirs) == 3
            assert [entry["id"] for entry in ours] == [entry["id"] for entry in theirs]
            scores = [entry["score"] for entry in ours]
            assert scores == pytest.approx([entry["score"] for entry in theirs], abs=1e-4)
    assert len(listed) >= 10


def test_a_beam_lists_what_it_found_best_first(predictor, batch) -> None:
    narrow = other(predictor, language_model=with_options(predictor, decoding="beam"))
    for top in narrow(batch)["product_top"]:
        assert 1 <= len(top) <= 3
        scores = [entry["score"] for entry in top]
        assert scores == sorted(scores, reverse=True)
        assert sum(scores) == pytest.approx(1.0)


class CountingModel:
    """Prefers the last candidate and keeps the questions that it was asked."""

    image_size = (32, 32)

    def __init__(self) -> None:
        self.asked: list[Question] = []
        self.images: list[np.ndarray] = []

    def choose(self, images: np.ndarray, questions: Sequence[Question]) -> list[dict[str, float]]:
        self.asked += questions
        self.images += list(images)
        return [{name: float(place) for place, name in enumerate(row.answers)} for row in questions]

    def tokens(self, questions: Sequence[Question]) -> list[int]:
        return [100] * len(questions)


@pytest.mark.parametrize("asked", [0, 2, 3, 4])
def test_charts_of_which_the_shortlist_is_sure_are_left_to_it(asked: int, predictor, batch) -> None:
    sure = predictor(batch)["product_sure"]
    below = float(np.sort(sure)[asked]) if asked < len(sure) else None
    model = CountingModel()
    columns = other(predictor, language_model=model, below=below)(batch)
    unsure = sure < (np.inf if below is None else below)
    assert unsure.sum() == len(model.asked) == asked
    assert columns["product_asked"].tolist() == unsure.tolist()
    assert columns["product_tokens"].tolist() == [100 * int(put) for put in unsure]
    assert all(np.array_equal(*pair) for pair in zip(model.images, batch["image"][unsure], strict=True))
    for row, question in enumerate(asked_of(predictor, batch)):
        alone = columns["product_alone"][row]
        assert columns["product"][row] == (question.candidates[-1] if unsure[row] else alone)
        if not unsure[row]:
            assert columns["product_score"][row] == pytest.approx(float(sure[row]), rel=1e-6)


def test_none_of_these_is_an_answer_without_an_id(predictor, batch) -> None:
    turned = ProductsVerdict(ConditionalLogit({"shortlist": 1.0, "language_model": 0.1, "none": 30.0}))
    columns = other(predictor, verdict=turned)(batch)
    assert columns["product"].tolist() == [None] * 4
    assert (columns["product_score"] > 0.9).all()
    for top in columns["product_top"]:
        assert len(top) == 5
        assert all(entry["id"] in predictor.vocabulary.product_by_id and entry["score"] < 0.1 for entry in top)


def written(folder, base: GemmaBase, vocabulary: Vocabulary, adaptation: str = "lora") -> None:
    """A bundle of untrained parts."""
    model = base.load_model()
    if adaptation == "lora":
        add_adapter(model, rank=2, alpha=4)
    config = ProductsTraining(
        base_model=str(base.folder), adaptation=adaptation, quantize="none", lora_rank=2, lora_alpha=4, candidates=7
    )
    calibration = ProductsCalibration(ProductsVerdict.untrained(), 0)
    with bundle.writing(folder) as scratch:
        write_bundle(scratch, model, base, config, Shortlist.untrained(vocabulary), calibration)


def test_the_cascades_settings_reach_the_predictor(base, vocabulary, tmp_path) -> None:
    for adaptation in ("lora", "full"):
        written(tmp_path / adaptation, base, vocabulary, adaptation)
    asked = CascadeSettings(
        products_decoding="beam", products_quantize="nf4", products_candidates=4, products_below=0.7
    )
    options = PRODUCTS.judging.given_options(JudgingJob(models=tmp_path, cascade=asked))
    loaded = PRODUCTS.judging.load(tmp_path / "lora", device="cpu", **options)
    assert (loaded.language_model.decoding, loaded.asking.most, loaded.below) == ("beam", 4, 0.7)
    assert any(isinstance(module, Linear4bit) for module in loaded.language_model.model.modules())
    plain = PRODUCTS.judging.given_options(JudgingJob(models=tmp_path))
    loaded = PRODUCTS.judging.load(tmp_path / "lora", device="cpu", **plain)
    assert (loaded.language_model.decoding, loaded.asking.most, loaded.below) == ("exact", 7, None)
    assert not any(isinstance(module, Linear4bit) for module in loaded.language_model.model.modules())
    PRODUCTS.judging.check(tmp_path / "lora", **options)
    for refuses in (PRODUCTS.judging.check, PRODUCTS.judging.load):
        with pytest.raises(UsageError, match=r"leave --cascade\.products-quantize out"):
            refuses(tmp_path / "full", **options)


def test_a_bare_base_is_asked_as_the_settings_say(base_folder, vocabulary, tmp_path) -> None:
    settings = CascadeSettings(products_candidates=4, products_decoding="beam")
    job = ProductsEvaluationSettings(models=tmp_path, data=tmp_path, base_model=str(base_folder), cascade=settings)
    loaded = PRODUCTS.judging.replaced(job)(vocabulary=vocabulary)
    assert (loaded.language_model.decoding, loaded.asking.most) == ("beam", 4)
    assert PRODUCTS.judging.replaced(job.model_copy(update={"base_model": None})) is None


def test_a_base_that_was_moved_is_found_where_the_settings_say(base_folder, vocabulary, batch, tmp_path) -> None:
    here, there = tmp_path / "base", tmp_path / "moved"
    shutil.copytree(base_folder, here)
    written(tmp_path / "products", GemmaBase.open(here), vocabulary)
    before = ProductsPredictor.load(tmp_path / "products", device="cpu")(batch)
    here.rename(there)
    lost = JudgingJob(models=tmp_path)
    for refuses in (PRODUCTS.judging.check, PRODUCTS.judging.load):
        with pytest.raises(UsageError, match=rf"{here}, which is not there any more.* --products-base FOLDER"):
            refuses(tmp_path / "products", **PRODUCTS.judging.given_options(lost))
        nowhere = PRODUCTS.judging.given_options(lost.model_copy(update={"products_base": str(tmp_path / "nowhere")}))
        with pytest.raises(UsageError, match=rf"'{tmp_path}/nowhere'.* --products-base FOLDER") as refusal:
            refuses(tmp_path / "products", **nowhere)
        assert "--products.base-model" not in str(refusal.value)  # which only a training knows
    found = PRODUCTS.judging.given_options(lost.model_copy(update={"products_base": str(there)}))
    PRODUCTS.judging.check(tmp_path / "products", **found)
    after = PRODUCTS.judging.load(tmp_path / "products", device="cpu", **found)(batch)
    np.testing.assert_array_equal(before["product_log_likelihood"], after["product_log_likelihood"])
    assert ProductsPredictor.zero_shot_of(tmp_path / "products", device="cpu", base_model=there).language_model


def test_without_its_language_model_the_others_answer_as_if_there_were_none(
    base_folder, vocabulary, batch, tmp_path
) -> None:
    """`--cascade.products-blend 0`: no base is looked for, and nothing is asked of it."""
    shutil.copytree(base_folder, tmp_path / "base")
    written(tmp_path / "products", GemmaBase.open(tmp_path / "base"), vocabulary)
    shutil.rmtree(tmp_path / "base")
    job = JudgingJob(models=tmp_path, cascade=CascadeSettings(products_blend=0.0))
    PRODUCTS.judging.check(tmp_path / "products", **PRODUCTS.judging.given_options(job))
    alone = PRODUCTS.judging.load(tmp_path / "products", device="cpu", **PRODUCTS.judging.given_options(job))
    columns = alone(batch)
    assert columns["product"].tolist() == columns["product_alone"].tolist()
    assert not columns["product_asked"].any()
    np.testing.assert_allclose(columns["product_score"], columns["product_sure"], rtol=1e-6)


@pytest.mark.parametrize("adaptation", ["lora", "full"])
def test_the_zero_shot_baseline_is_of_no_other_base(adaptation: str, vocabulary, tmp_path) -> None:
    """Told before anything is judged."""
    make_small_base(tmp_path / "base", vocabulary, TINY)
    written(tmp_path / "products", GemmaBase.open(tmp_path / "base"), vocabulary, adaptation)
    job = ProductsEvaluationSettings(models=tmp_path, data=tmp_path, zero_shot=True)
    ProductsEvaluation._require_language_model(job)
    make_small_base(tmp_path / "base", vocabulary, TINY.model_copy(update={"seed": 3}))
    for refused in (
        lambda: ProductsEvaluation._require_language_model(job),
        lambda: ProductsPredictor.zero_shot_of(tmp_path / "products", device="cpu"),
    ):
        with pytest.raises(UsageError, match=r"not the base model that the model in .* was trained from"):
            refused()
    shutil.rmtree(tmp_path / "base")
    with pytest.raises(UsageError, match="not there any more"):
        ProductsEvaluation._require_language_model(job)


def test_products_that_came_up_after_training_are_asked_about(base, vocabulary, batch, tmp_path) -> None:
    written(tmp_path / "products", base, vocabulary)
    new = Product(id="meteor_map", zh="流星分布图", en="meteor distribution", elements="any")
    grown = Vocabulary(vocabulary.elements, (*vocabulary.products, new))
    titled = {**batch, "title": objects([new.zh] * 4), "text": objects([new.zh] * 4)}
    for load in (ProductsPredictor.load, ProductsPredictor.zero_shot_of):
        columns = load(tmp_path / "products", vocabulary=grown, device="cpu")(titled)
        assert all(new.id in names for names in columns["product_candidates"])
        assert set(columns["product_alone"]) == {new.id}
    renamed = grown.products[0].model_copy(update={"zh": "另一个名字"})
    other_names = Vocabulary(vocabulary.elements, (renamed, *grown.products[1:]))
    with pytest.raises(UsageError, match="trained with other names"):
        ProductsPredictor.load(tmp_path / "products", "cpu", other_names)


def test_the_zero_shot_baseline_speaks_the_bundles_names(base, vocabulary, batch, tmp_path) -> None:
    """Those of a vocabulary of one's own too, when none is given."""
    new = Product(id="meteor_map", zh="流星分布图", en="meteor distribution", elements="any")
    written(tmp_path / "products", base, Vocabulary(vocabulary.elements, (*vocabulary.products, new)))
    titled = {**batch, "title": objects([new.zh] * 4), "text": objects([new.zh] * 4)}
    columns = ProductsPredictor.zero_shot_of(tmp_path / "products", device="cpu")(titled)
    assert all(new.id in names for names in columns["product_candidates"])
