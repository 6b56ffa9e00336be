"""Chinese letters are drawn, not boxes."""

from pathlib import Path

import numpy as np
import pytest

from meteo_ray.errors import UsageError
from meteo_ray.imaging import fonts


def glyph(letter: str) -> np.ndarray:
    mask = fonts.hei_font(32).getmask(letter)
    return np.array(mask).reshape(mask.size[1], mask.size[0])


def test_chinese_letters_differ_from_each_other_and_from_the_missing_letter():
    shapes = [glyph(letter) for letter in ("风", "速", "\U0010fffd")]
    assert fonts.hei_font_path().is_file()
    for first, second in ((0, 1), (0, 2), (1, 2)):
        assert shapes[first].shape != shapes[second].shape or (shapes[first] != shapes[second]).any()


def test_without_a_typeface_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(fonts, "_packaged_candidates", list)
    monkeypatch.setattr(fonts, "_SYSTEM", ())
    with pytest.raises(UsageError, match="fonts-noto-cjk"):
        fonts.hei_font_path()


def test_a_system_typeface_stands_in(monkeypatch, tmp_path):
    other = tmp_path / "other.otf"
    other.write_bytes(Path(fonts.hei_font_path()).read_bytes()[:100])
    monkeypatch.setattr(fonts, "_packaged_candidates", list)
    monkeypatch.setattr(fonts, "_SYSTEM", (str(tmp_path / "absent.ttf"), str(other)))
    assert fonts.hei_font_path() == other
