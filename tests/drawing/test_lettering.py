"""What is written on a drawing: every line that can be seen, with its place, and not a pixel changed by noting it."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw

from meteo_ray.drawing import page, text
from meteo_ray.drawing.charts import CHARTS
from meteo_ray.drawing.compose import DATA, Order, draw
from meteo_ray.drawing.lettering import MOST_LINES, Picture, Words, pixel_box, text_lines
from meteo_ray.drawing.listening import ListeningCanvas, plain
from meteo_ray.drawing.logos import draw_logos
from meteo_ray.drawing.lookalikes import LOOKALIKES
from meteo_ray.drawing.pen import Pen, new_pen
from meteo_ray.drawing.surround import PAGES, surround
from meteo_ray.preparation.given_lines import given_lines
from tests.drawing.test_drawings import small_style


def pictured(name: str, seed: int, **looks: Any) -> Picture:
    style, story, rng = small_style(seed)
    style = replace(style, **looks)
    if name in CHARTS:
        return page.draw_page(CHARTS[name].draw, [CHARTS[name].titles[0]], style, story, rng)[0]
    entry = LOOKALIKES[name]
    if entry.draw is not None:
        return page.draw_page(entry.draw, [entry.titles[0]], style, story, rng)[0]
    assert entry.paint is not None
    return entry.paint(style, rng)


def under(picture: Picture, words: Words) -> np.ndarray:
    """The grey pixels of the words' box."""
    return np.asarray(picture.image.convert("L").crop(pixel_box((words.left, words.top, words.right, words.bottom))))


def written(figure: Figure) -> list[str]:
    canvas = ListeningCanvas(figure)
    canvas.draw()
    return [words.text for words in canvas.words()]


@pytest.mark.parametrize("chinese", [True, False])
def test_a_centred_title_stands_where_dark_pixels_are(chinese: bool) -> None:
    picture = pictured("height_500", 3, title="centre", background="white", chinese=chinese)
    name = CHARTS["height_500"].titles[0][0 if chinese else 1]
    title = next(words for words in picture.words if words.text.startswith(name))
    grey = under(picture, title)
    assert grey.min() < 100
    assert grey.max() > 200
    assert (title.left + title.right) / 2 == pytest.approx(180, abs=60)
    assert title.bottom < 60


@pytest.mark.parametrize("name", ["calendar_page", "dialogue", "load_graph", "big_words"])
def test_words_of_painted_pictures_have_ink_in_their_boxes(name: str) -> None:
    picture = pictured(name, 2)
    assert picture.words
    for words in picture.words:
        assert np.ptp(under(picture, words)) > 20, words


@pytest.mark.parametrize("is_meteo", [True, False])
def test_rows_say_what_is_written_within_the_image_the_same_each_time(is_meteo: bool) -> None:
    for number in range(2):
        order = Order(3, DATA, is_meteo, number)
        row = draw(order).row
        assert row == draw(order).row
        lines = json.loads(json.dumps(row))["text_lines"]
        assert len(given_lines(row) or ()) == len(lines) <= MOST_LINES
        assert lines == sorted(lines, key=lambda line: (line["top"], line["left"], line["text"]))
        for line in lines:
            assert line["text"].strip()
            assert 0 <= line["left"] < line["right"] <= 1
            assert 0 <= line["top"] < line["bottom"] <= 1


CHANGED = ("height_500", "station_plot", "wind_rose", "sea_level_pressure", "meteogram", "ppi_reflectivity",
           "table_page", "equations", "logo_sheet", "sign_photo", "flow_diagram", "scatter")  # fmt: skip


@pytest.mark.parametrize("name", CHANGED)
def test_noting_what_is_written_changes_no_pixel(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noted = pictured(name, 5)

    class Deaf(FigureCanvasAgg):
        def words(self) -> tuple[Words, ...]:
            return ()

    monkeypatch.setattr(page, "ListeningCanvas", Deaf)
    monkeypatch.setattr(Pen, "text", ImageDraw.ImageDraw.text)
    bare = pictured(name, 5)
    assert noted.image.tobytes() == bare.image.tobytes()
    assert noted.words
    assert not bare.words


@pytest.mark.parametrize("name", PAGES)
def test_a_page_around_a_picture_moves_its_words(name: str) -> None:
    picture = Picture(Image.new("RGB", (300, 200), "white"), (Words("title", 100, 50, 180, 70, 12),))
    ImageDraw.Draw(picture.image).rectangle((100, 50, 179, 69), fill="black")
    whole = surround(picture, name, True, np.random.default_rng(0))
    title = next(words for words in whole.words if words.text == "title")
    assert np.mean(under(whole, title) < 100) > 0.75
    assert len(whole.words) > 1 or name in ("none", "scan")


def test_words_keep_their_place_on_a_resized_picture() -> None:
    word = next(picture for picture in draw_logos(0) if picture.words)
    half = word.resized((word.image.width // 2, word.image.height // 2))
    assert [(words.text, words.right) for words in half.words] == [
        (words.text, pytest.approx(words.right / 2, abs=1)) for words in word.words
    ]


def test_a_pen_leaves_out_what_nobody_can_read() -> None:
    pen, face = new_pen((200, 100), "white"), text.font(16)
    pen.text((10, 5), "seen", "black", face)
    pen.text((10, 30), "faint", "#fafafa", face)
    pen.text((10, 200), "outside", "black", face)
    pen.text((10, 92), "cut below", "black", face)
    pen.text((10, 50), "hidden", "black", face)
    pen.rectangle((0, 48, 90, 75), fill="white")
    pen.text((100, 30), " ", "black", face)
    assert [words.text for words in pen.picture().words] == ["seen"]


def test_letters_beyond_the_edge_are_cut_off() -> None:
    pen, face = new_pen((100, 40), "white"), text.font(16, 2)
    pen.text((100 - round(face.getlength("abcd")), 5), "abcdefgh", "black", face)
    assert [words.text for words in pen.picture().words] == ["abcd"]
    figure = Figure((1, 1), dpi=100)
    figure.text(0.5, 0.5, "x" * 40, ha="center")
    assert 8 <= len(written(figure)[0]) <= 20


def test_a_pasted_picture_brings_its_words_and_hides_others() -> None:
    pen, badge = new_pen((200, 100), "white"), new_pen((60, 30), "yellow")
    badge.text((5, 5), "badge", "black", text.font(14))
    pen.text((50, 45), "below", "black", text.font(14))
    pen.text((5, 5), "beside", "black", text.font(14))
    pen.paste(badge.picture(), 40, 40)
    found = {words.text: words for words in pen.picture().words}
    assert set(found) == {"badge", "beside"}
    assert 45 <= found["badge"].left < found["badge"].right <= 100


def test_only_texts_that_are_drawn_count() -> None:
    figure = Figure((4, 3), dpi=100)
    shown, switched_off = figure.add_axes((0.1, 0.1, 0.3, 0.8)), figure.add_axes((0.6, 0.1, 0.3, 0.8))
    shown.set(xticks=[0.5, 7], xticklabels=["inside", "far"], yticks=[])
    shown.set(xlim=(0, 1), ylim=(0, 1))
    shown.text(0.5, 0.5, "upper\nlower", fontsize=8)
    shown.text(0.5, 0.8, "gone", visible=False)
    shown.text(3, 0.3, "clipped", clip_on=True)
    switched_off.set_axis_off()
    assert sorted(written(figure)) == ["inside", "lower", "upper"]


def test_formulas_count_where_they_are_a_line_of_characters() -> None:
    assert plain("$10^{-5}$ s$^{-1}$") == "10⁻⁵ s⁻¹"
    assert plain(r"$\mathdefault{10^{2}}$") == "10²"
    assert plain("Lightness $L^*$") == "Lightness L*"
    assert plain(r"$\frac{a}{b}$") is None


def test_of_many_lines_those_of_the_largest_letters_are_kept() -> None:
    small = tuple(Words(f"{n}", 10 * (n % 10), 10 + 10 * (n // 10), 10 * (n % 10) + 8, 18 + 10 * (n // 10), 8)
                  for n in range(90))  # fmt: skip
    lines = text_lines(Picture(Image.new("RGB", (100, 200)), (*small, Words("title", 0, 190, 50, 199, 14))))
    assert len(lines) == MOST_LINES
    assert [line["text"] for line in lines] == [*(f"{n}" for n in range(MOST_LINES - 1)), "title"]
    assert lines[-1] == {"text": "title", "left": 0.0, "top": 0.95, "right": 0.5, "bottom": 0.995}
