"""Rows that contradict or repeat each other, and images that are not there (R3)."""

from pathlib import Path

import pytest

from meteo_ray.preparation.cleaning import (
    compare_equal_images,
    contradiction,
    drop_repeated_paths,
    missing_images,
    misspelt_keys,
    product_warnings,
)
from meteo_ray.preparation.labels_file import LabelRow
from meteo_ray.vocabulary import load_vocabulary

FILE = Path("labels.jsonl")


def row(path: str = "a.png", is_meteo: bool = True, labels: list[str] | None = None, **columns: str) -> LabelRow:
    return LabelRow.model_validate({"path": path, "is_meteo": is_meteo, "labels": labels, **columns})


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (row(labels=["wind"]), None),
        (row(labels=None), None),
        (row(labels=["wind"], product="wind_rose"), None),
        (row(is_meteo=False), "is_meteo 1 and 0"),
        (row(labels=[]), r"labels ['wind'] and []"),
        (row(labels=["wind", "snow"]), r"labels ['wind'] and ['wind', 'snow']"),
    ],
)
def test_what_contradicts_a_wind_chart(second: LabelRow, words: str | None) -> None:
    assert contradiction(row(labels=["wind"]), second) == words


def test_two_products_contradict_and_label_order_does_not() -> None:
    first = row(labels=["wind", "snow"], product="wind_rose")
    assert (
        contradiction(first, row(labels=["snow", "wind"], product="snow_depth")) == "products wind_rose and snow_depth"
    )
    assert contradiction(first, row(labels=["snow", "wind"])) is None


def test_a_repeated_path_is_kept_once_and_reported_with_both_lines() -> None:
    rows, findings = drop_repeated_paths(FILE, [(1, row()), (2, row("b.png")), (5, row()), (9, row(is_meteo=False))])
    assert [r.path for r in rows] == ["a.png", "b.png"]
    assert findings.warnings == ["labels.jsonl:5: a.png was already labelled in line 1; ignored"]
    assert findings.errors == ["labels.jsonl:9: a.png: is_meteo 1 and 0; line 1 has the first"]


def test_equal_images_with_other_labels_are_an_error_and_with_the_same_a_warning() -> None:
    rows = [row("a.png"), row("b.png", is_meteo=False), row("c.png"), row("d.png"), row("e.png")]
    findings = compare_equal_images(rows, ["1", "1", "2", "2", "3"])
    assert findings.errors == ["a.png and b.png are the same image: is_meteo 1 and 0"]
    assert findings.warnings == ["the same image 2 times: c.png, d.png"]


def test_a_product_without_its_elements_is_a_warning() -> None:
    vocabulary = load_vocabulary()
    wrong = row("a.png", labels=["wind"], product="850hpa_pressure_wind_field")
    right = row("b.png", labels=["wind", "pressure"], product="850hpa_pressure_wind_field")
    unknown = row("c.png", labels=None, product="850hpa_pressure_wind_field")
    assert product_warnings([wrong, right, unknown], vocabulary) == [
        "a.png: product 850hpa_pressure_wind_field shows pressure, but labels do not say so"
    ]


def test_missing_images_are_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "there.png").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling.png").symlink_to("nowhere")
    (tmp_path / "link.png").symlink_to("there.png")
    names = ["there.png", "link.png", "folder", "dangling.png", "absent.png", "n" * 300]
    assert missing_images(tmp_path, [row(name) for name in names]) == {
        "folder",
        "dangling.png",
        "absent.png",
        "n" * 300,
    }


def test_a_key_that_looks_like_a_known_one_is_named_and_others_are_not():
    rows = [
        LabelRow(path="a.png", is_meteo=True, label=["wind"], title="Wind", kind="x"),
        LabelRow(path="b.png", is_meteo=True),
    ]
    (warning,) = misspelt_keys(rows)
    assert "'label'" in warning
    assert "did you mean 'labels'" in warning
