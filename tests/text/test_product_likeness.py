"""Names of products in what is written: word for word, misread, in other words; ambiguous parts of longer names."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.text.product_likeness import LIKENESS, product_likeness, words_of
from meteo_ray.vocabulary import Product, Vocabulary, load_vocabulary

VOCABULARY = load_vocabulary()


def likeness(title: str, text: str | None = None, vocabulary: Vocabulary = VOCABULARY) -> dict[str, dict[str, float]]:
    """By measure and product id."""
    found = product_likeness([title], [title if text is None else text], vocabulary)[0]
    return {
        name: dict(zip(vocabulary.product_ids, found[:, column].tolist(), strict=True))
        for column, name in enumerate(LIKENESS)
    }


def best(scores: dict[str, float]) -> str:
    return max(scores, key=scores.__getitem__)


def test_rows_products_and_measures() -> None:
    found = product_likeness(["a", ""], ["a b", ""], VOCABULARY)
    assert (found.shape, found.dtype) == ((2, len(VOCABULARY.products), len(LIKENESS)), np.float32)
    assert not found[1].any(), "nothing is written"
    assert product_likeness([], [], VOCABULARY).shape == (0, len(VOCABULARY.products), len(LIKENESS))
    assert product_likeness(["a"], ["a"], Vocabulary(VOCABULARY.elements, ())).shape == (1, 0, len(LIKENESS))


@given(st.sampled_from(VOCABULARY.products), st.data())
def test_every_name_of_a_product_is_found_in_a_title(product: Product, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(product.names))
    found = likeness(f"Some Office: {name.upper()}, 2026-07-01")
    assert found["title_named"][product.id] == found["text_named"][product.id] == 1
    assert found["title_words"][product.id] == pytest.approx(1)


def test_a_hyphen_in_a_name_with_chinese_characters_is_no_obstacle() -> None:
    for title in ("T-lnP图 54511", "T lnP 图", "TlnP图"):
        assert likeness(title)["title_named"]["skewt_sounding"] == 1


@given(st.text(max_size=60), st.text(max_size=200))
def test_whatever_is_written_is_between_nothing_and_all(title: str, text: str) -> None:
    found = product_likeness([title], [text], VOCABULARY)
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 1 + 1e-6


def test_a_name_within_a_longer_one_does_not_count() -> None:
    found = likeness("雷达拼图 全国雷达组合反射率拼图")["title_named"]
    assert [name for name, value in found.items() if value] == ["radar_mosaic"]
    found = likeness("500 hPa absolute vorticity")["title_named"]
    assert [name for name, value in found.items() if value] == ["500hpa_height_vorticity"]


def test_a_misread_title_is_most_like_its_name() -> None:
    found = likeness("5OO hPa Heigth and Vortlcity")
    assert not any(found["title_named"].values())
    assert best(found["title_alike"]) == "500hpa_height_vorticity"


def test_rare_words_of_a_name_count_more_than_common_ones() -> None:
    found = likeness("近海海面风和波高分布图")["title_words"]
    assert best(found) == "significant_wave_height"
    assert found["significant_wave_height"] > found["snow_depth"] > 0  # both end with 分布图


def test_plurals_and_chinese_pairs_are_words() -> None:
    assert words_of("backward trajectories 后向轨迹 cross 雨 pm2.5.") == {
        "backward", "trajectorie", "cross", "后向", "向轨", "轨迹", "雨", "pm2.5",
    }  # fmt: skip


def test_an_appended_product_is_found_and_changes_no_other_name() -> None:
    hail = Product(id="hail_map", zh="冰雹落区图", en="hail swath", elements="any")
    grown = Vocabulary(VOCABULARY.elements, (*VOCABULARY.products, hail))
    found = likeness("MRMS hail swath", vocabulary=grown)
    assert {best(scores) for scores in found.values()} == {"hail_map"}
