"""Every drawing function: it draws something, at the right size, the same again for the same seed."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from meteo_ray.drawing.charts import CHARTS, product_charts
from meteo_ray.drawing.lettering import Picture
from meteo_ray.drawing.lookalikes import LOOKALIKES
from meteo_ray.drawing.page import draw_page
from meteo_ray.drawing.story import Story
from meteo_ray.drawing.style import Style, sample_style
from meteo_ray.drawing.surround import PAGES, surround
from meteo_ray.vocabulary import load_vocabulary


def small_style(seed: int) -> tuple[Style, Story, np.random.Generator]:
    """A style of any looks but a small page, so that all drawings together take seconds."""
    rng = np.random.default_rng(seed)
    story = Story.sample(rng)
    style = sample_style(rng, story.source)
    return replace(style, size=(360, 270), dpi=72, font_size=7.0, margin=1.0), story, rng


def draw_chart(name: str, seed: int) -> tuple[Image.Image, set[str]]:
    style, story, rng = small_style(seed)
    picture, shown = draw_page(CHARTS[name].draw, [CHARTS[name].titles[0]], style, story, rng)
    return picture.image, shown


def draw_other(name: str, seed: int) -> Image.Image:
    style, story, rng = small_style(seed)
    entry = LOOKALIKES[name]
    if entry.draw is not None:
        return draw_page(entry.draw, [entry.titles[0]], style, story, rng)[0].image
    assert entry.paint is not None
    return entry.paint(style, rng).image


def is_blank(image: Image.Image) -> bool:
    return len(image.getcolors(image.width * image.height) or [0, 0]) < 2


def test_every_product_of_the_vocabulary_has_a_drawing() -> None:
    assert [product for product, charts in product_charts().items() if not charts] == []


def test_charts_show_known_elements_and_all_those_of_their_product() -> None:
    vocabulary = load_vocabulary()
    for chart in CHARTS.values():
        assert set(chart.elements) <= set(vocabulary.element_ids), chart.name
        if chart.product is not None:
            assert set(vocabulary.product_by_id[chart.product].elements) <= set(chart.elements)


@pytest.mark.parametrize("name", sorted(CHARTS))
def test_charts_are_drawn_at_size_and_the_same_again(name: str) -> None:
    first, shown = draw_chart(name, 11)
    again, shown_again = draw_chart(name, 11)
    assert first.size == (360, 270)
    assert not is_blank(first)
    assert first.tobytes() == again.tobytes()
    assert shown == shown_again
    assert shown <= set(load_vocabulary().element_ids)
    assert shown or CHARTS[name].elements, "a chart shows at least one element"


@pytest.mark.parametrize("name", sorted(LOOKALIKES))
def test_lookalikes_are_drawn_at_size_and_the_same_again(name: str) -> None:
    first, again = draw_other(name, 12), draw_other(name, 12)
    assert first.size == (360, 270)
    assert first.mode == "RGB"
    assert not is_blank(first)
    assert first.tobytes() == again.tobytes()


def test_other_seeds_draw_other_charts() -> None:
    assert draw_chart("height_500", 1)[0].tobytes() != draw_chart("height_500", 2)[0].tobytes()


def test_several_panels_share_one_page() -> None:
    style, story, rng = small_style(4)
    chart = CHARTS["temperature_2m"]
    page = draw_page(chart.draw, [chart.titles[0]] * 4, style, story, rng)[0].image
    assert page.size == (360, 270)
    quarters = [page.crop((x, y, x + 180, y + 135)) for x in (0, 180) for y in (0, 135)]
    assert not any(is_blank(quarter) for quarter in quarters)
    assert len({quarter.tobytes() for quarter in quarters}) == 4


@pytest.mark.parametrize("page", PAGES)
def test_a_page_around_a_picture_keeps_the_picture_and_adds_to_it(page: str) -> None:
    picture = Image.new("RGB", (200, 150), (10, 200, 30))
    whole = surround(Picture(picture), page, True, np.random.default_rng(0)).image
    assert whole.width >= 200
    assert whole.height >= 150
    if page not in ("none", "scan"):
        assert {colour: count for count, colour in whole.getcolors(10**6) or []}[(10, 200, 30)] >= 200 * 150


def test_drawing_leaves_matplotlib_as_it_was() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    draw_chart("temperature_2m", 3)
    assert dict(matplotlib.rcParams) == before


def test_style_says_nothing_about_the_class() -> None:
    """Charts and look-alikes draw their styles from one generator: a style depends on numbers and the office only."""
    one = sample_style(np.random.default_rng(5), "riverside")
    assert one == sample_style(np.random.default_rng(5), "riverside")
    assert one != sample_style(np.random.default_rng(6), "riverside")


def test_offices_keep_habits() -> None:
    office = [sample_style(np.random.default_rng(n), "plateau", habit=1.0) for n in range(5)]
    assert len({style.fonts for style in office}) == 1
    assert len({style.coast for style in office}) == 1
