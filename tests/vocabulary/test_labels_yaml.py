"""The vocabulary: which spellings name a label, and what a labels.yaml may not say (R2)."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.errors import UsageError
from meteo_ray.vocabulary import Vocabulary, choose_vocabulary, load_vocabulary
from tests.conftest import ROOT

VOCABULARY = load_vocabulary()

# The project owner's own entries, word for word.
OWN_ELEMENTS = {
    "wind": ("风场", "wind field", ("风力", "风速")),
    "pressure": ("气压场", "pressure field", ("等压线", "气压")),
    "precipitation": ("降水", "precipitation", ("降雨", "雷达降水")),
}
OWN_PRODUCTS = {
    "24h_cn_2m_max_wind": ("24小时全国近地面2m最大风速", ("wind",)),
    "850hpa_pressure_wind_field": ("850hPa气压和风场分布图", ("pressure", "wind")),
}

SMALL = """\
elements:
  - {id: wind, zh: 风场, en: wind field, aliases: [风速]}
  - {id: pressure, zh: 气压场, en: pressure field}
products:
  - {id: gale, zh: 大风图, elements: [wind]}
"""


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "labels.yaml"
    path.write_text(text, "utf-8")
    return path


def test_the_owners_entries_stand_unchanged() -> None:
    for element_id, (zh, en, aliases) in OWN_ELEMENTS.items():
        element = VOCABULARY.element_by_id[element_id]
        assert (element.zh, element.en, element.aliases) == (zh, en, aliases)
    for product_id, (zh, elements) in OWN_PRODUCTS.items():
        product = VOCABULARY.product_by_id[product_id]
        assert (product.zh, product.elements) == (zh, elements)


def test_it_covers_what_forecasters_issue() -> None:
    assert len(VOCABULARY.element_ids) >= 29
    assert len(VOCABULARY.product_ids) >= 30


@given(st.sampled_from(VOCABULARY.elements), st.data())
def test_every_spelling_of_an_element_resolves_to_its_id(element, data) -> None:  # type: ignore[no-untyped-def]
    name = data.draw(st.sampled_from([element.id, element.zh, element.en, *element.aliases]))
    full_width = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name)
    for spelling in (name, name.upper(), name.title(), f"  {name}　", full_width):
        assert VOCABULARY.resolve_element(spelling) == element.id


@given(st.sampled_from(VOCABULARY.products), st.data())
def test_every_spelling_of_a_product_resolves_to_its_id(product, data) -> None:  # type: ignore[no-untyped-def]
    name = data.draw(st.sampled_from([product.id, product.zh, product.en, *product.aliases]))
    full_width = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in name)
    for spelling in (name, name.upper(), f"  {name}　", full_width):
        assert VOCABULARY.resolve_product(spelling) == product.id


def test_every_product_of_the_package_has_an_english_name_and_aliases() -> None:
    assert [product.id for product in VOCABULARY.products if not product.en or not product.aliases] == []


def test_a_product_needs_neither_english_name_nor_aliases(tmp_path: Path) -> None:
    product = load_vocabulary(write(tmp_path, SMALL)).products[0]
    assert (product.en, product.aliases, product.names) == (None, (), ("gale", "大风图"))


def test_a_product_may_show_any_elements(tmp_path: Path) -> None:
    vocabulary = load_vocabulary(write(tmp_path, SMALL.replace("[wind]}", "any}")))
    assert vocabulary.products[0].elements == ()
    assert "elements: any" in vocabulary.to_yaml()
    assert load_vocabulary(write(tmp_path, vocabulary.to_yaml())) == vocabulary


def test_an_unknown_label_comes_with_the_nearest_known_one() -> None:
    with pytest.raises(KeyError, match=r"unknown element 'presure'; did you mean 'pressure'"):
        VOCABULARY.resolve_element("presure")
    with pytest.raises(KeyError, match="24h_cn_2m_max_wind"):
        VOCABULARY.resolve_product("24h_cn_2m_maxwind")
    with pytest.raises(KeyError) as caught:
        VOCABULARY.resolve_element("zzqqxx")
    assert "did you mean" not in str(caught.value)


@given(st.sets(st.sampled_from(VOCABULARY.element_ids)))
def test_multi_hot_has_a_one_at_each_given_element(elements: set[str]) -> None:
    vector = VOCABULARY.multi_hot(elements)
    assert vector.dtype == np.float32
    assert vector.shape == (len(VOCABULARY.element_ids),)
    assert {name for name, value in zip(VOCABULARY.element_ids, vector, strict=True) if value == 1} == elements
    assert vector.sum() == len(elements)


def test_a_vocabulary_survives_writing_and_reading(tmp_path: Path) -> None:
    assert load_vocabulary(write(tmp_path, VOCABULARY.to_yaml())) == VOCABULARY


def test_a_byte_order_mark_is_accepted(tmp_path: Path) -> None:
    assert load_vocabulary(write(tmp_path, "\ufeff" + SMALL)).element_ids == ("wind", "pressure")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("id: pressure", "id: Wind", r"labels.yaml:3: element Wind: the name 'wind' already means wind"),
        ("[风速]", "[气压场]", r"labels.yaml:3: element pressure: the name '气压场' already means wind"),
        ("elements: [wind]", "elements: [rain]", r"labels.yaml:5: product gale: unknown element 'rain'"),
        ("elements: [wind]", "elements: []", r"labels.yaml:5: products.0.elements: .*at least 1 element; 'any' where"),
        ("elements: [wind]", "elements: all", r"labels.yaml:5: products.0.elements: .*at least 1 element; 'any' where"),
        ("products:", "products:\n  - {id: a, zh: 甲, aliases: [大风图], elements: any}", r":6: .*gale.*means a"),
        ("products:", "products:\n  - {id: a, zh: 甲, en: ＧＡＬＥ, elements: any}", r":6: .*gale.*means a"),
        ("en: pressure field", "colour: red", r"labels.yaml:3: elements.1.en: Field required"),
        ("id: gale", "id: 7", r"labels.yaml:5: products.0.id: .*string"),
        ("{id: gale", "{id: gale, {", r"not valid YAML.*line 5"),
        (SMALL, "", r"labels.yaml:1: file: .*dictionary"),
        (SMALL, "!!python/object/apply:os.system [true]", r"not valid YAML.*could not determine a constructor"),
        (SMALL, "[" * 5000, r"not valid YAML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in SMALL
    with pytest.raises(UsageError, match=message):
        load_vocabulary(write(tmp_path, SMALL.replace(old, new)))


def test_all_problems_of_a_file_are_named_at_once(tmp_path: Path) -> None:
    text = SMALL.replace("id: pressure", "id: wind").replace("elements: [wind]", "elements: [rain, hail]")
    with pytest.raises(UsageError) as caught:
        load_vocabulary(write(tmp_path, text))
    assert all(word in str(caught.value) for word in ("'wind'", "'rain'", "'hail'"))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nowhere\.yaml: cannot read"):
        load_vocabulary(tmp_path / "nowhere.yaml")


def test_the_real_charts_use_known_elements(real_charts: Path) -> None:
    lines = (real_charts / "labels.jsonl").read_text("utf-8").splitlines()
    used = {label for line in lines for label in json.loads(line)["labels"] or ()}
    assert used <= set(VOCABULARY.element_ids)


def test_a_vocabulary_can_be_built_in_memory() -> None:
    vocabulary = Vocabulary(VOCABULARY.elements[:2], ())
    assert vocabulary.element_position == {"wind": 0, "pressure": 1}


def test_the_file_that_a_flag_names_comes_before_the_one_beside_the_data(tmp_path: Path) -> None:
    flag = write(tmp_path, SMALL)
    data = tmp_path / "data"
    data.mkdir()
    assert choose_vocabulary(None, data) == choose_vocabulary(None) == VOCABULARY
    (data / "labels.yaml").write_text(SMALL.replace("gale", "storm"), "utf-8")
    assert choose_vocabulary(None, data).product_ids == ("storm",)
    assert choose_vocabulary(flag, data).product_ids == ("gale",)
    (data / "labels.yaml").unlink()
    (data / "labels.yaml").symlink_to("nowhere")
    with pytest.raises(UsageError, match="cannot read the vocabulary"):
        choose_vocabulary(None, data)


def test_the_documented_file_is_the_one_in_the_package() -> None:
    assert load_vocabulary(ROOT / "docs" / "labels.yaml") == VOCABULARY
