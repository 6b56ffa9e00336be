"""Augmentation does what its record says, nothing else, and the same again for the same seed."""

import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw
from pydantic import ValidationError
from torchvision.transforms import v2

from meteo_ray.errors import UsageError
from meteo_ray.imaging.augment import Augmentation, load_logos
from meteo_ray.imaging.augment.noise import BackgroundNoise
from meteo_ray.imaging.augment.pipeline import working_size
from meteo_ray.imaging.augment.title import emptiest_place
from meteo_ray.imaging.augment.transform import shrink
from meteo_ray.imaging.augment_config import AugmentConfig
from meteo_ray.imaging.fit import INPUT_SIZE, fit
from tests.imaging.files import chart, difference, noisy, small_print

PARTS = ("crop", "colour", "noise", "logo", "title", "artefacts")
TITLES = ("24小时全国近地面2m最大风速", "850hPa气压和风场分布图")


def logo(colour: str = "#ff00ff") -> Image.Image:
    image = Image.new("RGBA", (60, 30), (0, 0, 0, 0))
    ImageDraw.Draw(image).ellipse((0, 0, 59, 29), fill=colour)
    return image


def only(*parts: str, **values: object) -> AugmentConfig:
    """A config that always does these parts and never any other."""
    return AugmentConfig(**{f"{part}_share": float(part in parts) for part in PARTS}, **values)


def augmented(config, image=None, seed=0, title=TITLES[0], logos=None, size=INPUT_SIZE):
    augmentation = Augmentation(config, [logo()] if logos is None else logos, TITLES, size)
    return augmentation(image or chart((400, 300)), np.random.default_rng(seed), title)


@given(seed=st.integers(0, 2**32), width=st.integers(16, 900), height=st.integers(16, 900), known=st.booleans())
@settings(max_examples=40, deadline=None)
def test_the_same_seed_gives_the_same_pixels_and_the_source_stays_as_it_was(seed, width, height, known):
    source = chart((width, height), margin=2)
    before = source.tobytes()
    config = AugmentConfig(crop_share=0.5, logo_share=0.5, noise_share=0.5)
    runs = [augmented(config, source, seed, TITLES[0] if known else None) for _ in range(2)]
    assert runs[0][0].tobytes() == runs[1][0].tobytes()
    assert runs[0][1] == runs[1][1] == json.loads(json.dumps(runs[0][1]))
    assert runs[0][0].mode == "RGB"
    assert source.tobytes() == before


def test_other_seeds_give_other_pixels():
    pictures = {augmented(AugmentConfig(), seed=seed)[0].tobytes() for seed in range(12)}
    assert len(pictures) > 8


def test_global_random_state_is_neither_read_nor_changed():
    np.random.seed(1)
    state = np.random.get_state()[1].copy()
    first = augmented(AugmentConfig())[0].tobytes()
    assert (np.random.get_state()[1] == state).all()
    np.random.seed(2)
    assert augmented(AugmentConfig())[0].tobytes() == first


def test_every_share_is_kept():
    shares = {"crop": 0.2, "colour": 0.4, "logo": 0.35, "title": 0.5, "noise": 0.3, "artefacts": 0.5}
    config = AugmentConfig(**{f"{part}_share": share for part, share in shares.items()})
    augmentation = Augmentation(config, [logo()], TITLES)
    image = chart((64, 48), margin=6)
    counts = Counter(
        part for seed in range(600) for part in augmentation(image, np.random.default_rng(seed), TITLES[0])[1]
    )
    for part in PARTS:
        # four standard deviations of a binomial share over 600 draws: sqrt(0.25 / 600) * 4 = 0.08
        assert abs(counts[part] / 600 - shares[part]) < 0.08, part


@pytest.mark.parametrize(
    ("size", "given", "worked"),
    [
        ((320, 240), (3200, 1200), (640, 240)),
        ((320, 240), (900, 1800), (240, 480)),
        ((320, 240), (100, 80), (100, 80)),
        ((896, 896), (3474, 3756), (1657, 1792)),
        ((896, 896), (1200, 900), (1200, 900)),
    ],
)
def test_altered_images_are_working_images_of_twice_the_input_and_none_is_enlarged(size, given, worked):
    noised, record = augmented(only("noise"), chart(given), size=size)
    assert list(record) == ["noise"]
    assert noised.size == worked


def test_a_titles_band_does_not_make_the_image_smaller():
    titled, record = augmented(only("title", "artefacts", title_above_share=1.0), chart((640, 480)))
    assert list(record) == ["title", "artefacts"]
    assert titled.width == 640
    assert titled.height > 480


@pytest.mark.parametrize("enabled", [True, False])
def test_an_image_that_no_part_alters_is_not_scaled(enabled):
    image = chart((3200, 1200))
    assert augmented(only(enabled=enabled), image) == (image, {})
    # a part that was drawn but found nothing to do has not altered it either
    found, record = Augmentation(only("title"), [], [])(image, np.random.default_rng(0))
    assert (found, record) == (image, {})


@given(seed=st.integers(0, 2**32), size=st.sampled_from([(320, 240), (200, 200)]))
@settings(max_examples=30, deadline=None)
def test_what_is_applied_does_not_depend_on_when_the_image_is_scaled(seed, size):
    """Scaled by the first part that alters it, or before all parts: the same record and, once altered, pixels."""
    source, config = chart((1300, 900)), AugmentConfig()
    found, record = augmented(config, source, seed, size=size)
    before, record_before = augmented(config, shrink(source, working_size(size)), seed, size=size)
    assert record == record_before
    expected = before if record else source
    assert found.tobytes() == expected.tobytes()


def test_the_same_seed_applies_the_same_parts_for_every_network():
    for seed in range(15):
        small, large = (
            augmented(AugmentConfig(), chart((900, 700)), seed, size=size)[1] for size in ((64, 48), (320, 240))
        )
        assert list(small) == list(large)
        assert small.get("artefacts") == large.get("artefacts")
        assert small.get("title", {}).get("text") == large.get("title", {}).get("text")


def text_contrast(pixels: np.ndarray) -> float:
    """Mean absolute difference of neighbours in a row, in the middle where `small_print` has its letters."""
    height, width = pixels.shape[:2]
    middle = pixels[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3].astype(np.int16)
    return float(np.abs(np.diff(middle, axis=1)).mean())


def test_small_letters_of_an_altered_image_are_as_sharp_as_those_of_the_unaltered_one():
    """A logo far from the letters must not blur them on the way to a large input."""
    sheet, size = small_print(), (896, 896)
    stamped, record = augmented(only("logo"), sheet, size=size)
    assert list(record) == ["logo"]
    plain = text_contrast(fit(sheet, size))
    assert plain > 10
    assert text_contrast(fit(stamped, size)) == pytest.approx(plain, rel=0.1)
    from_small = fit(shrink(sheet, working_size(INPUT_SIZE)), size)  # enlarged again
    assert text_contrast(from_small) < 0.7 * plain


def test_a_crop_is_a_window_of_the_image_with_half_to_four_fifths_of_its_area():
    image = noisy((400, 300))
    places = set()
    for seed in range(30):
        cropped, record = augmented(only("crop"), image, seed)
        left, top, right, bottom = record["crop"]["box"]
        assert difference(cropped, image.crop((left, top, right, bottom))) == 0
        assert 0.49 <= cropped.width * cropped.height / (400 * 300) <= 0.81
        assert cropped.width / cropped.height == pytest.approx(4 / 3, rel=0.02)
        places.add((left, top))
    assert len(places) > 20


def test_a_logo_stands_in_the_recorded_corner_at_the_recorded_size_and_strength():
    corners = set()
    for seed in range(30):
        config = only("logo", logo_opacity=(1.0, 1.0) if seed % 2 else (0.5, 0.5))
        stamped, record = augmented(config, Image.new("RGB", (400, 300), "white"), seed)
        pixels = np.asarray(stamped).astype(int)
        rows, columns = np.nonzero(pixels[..., 1] < 250)
        corner = record["logo"]["corner"]
        corners.add(corner)
        assert (rows.max() < 150) == ("top" in corner)
        assert (columns.max() < 200) == ("left" in corner)
        assert np.ptp(columns) + 1 == pytest.approx(record["logo"]["width"] * 400, abs=3)
        assert pixels[..., 1].min() == pytest.approx(255 * (1 - record["logo"]["opacity"]), abs=2)
    assert len(corners) == 4


def test_every_logo_is_drawn_and_none_without_logos():
    logos = [logo("#ff0000"), logo("#00ff00"), logo("#0000ff")]
    numbers = {augmented(only("logo"), seed=seed, logos=logos)[1]["logo"]["number"] for seed in range(30)}
    assert numbers == {0, 1, 2}
    assert augmented(only("logo"), logos=[])[1] == {}


def test_a_title_above_adds_a_band_and_leaves_the_image_alone():
    image = chart((640, 480))
    titled, record = augmented(only("title", title_above_share=1.0), image)
    band = titled.height - image.height
    assert record["title"]["place"] == "above"
    assert 16 <= band <= 40
    assert difference(titled.crop((0, band, 640, titled.height)), image) == 0
    dark = np.asarray(titled.convert("L"))[:band] < 100
    assert 0.005 < dark.mean() < 0.3
    assert np.flatnonzero(dark.any(axis=0))[0] > 5


def test_title_letters_are_nearly_black_and_of_the_configured_size():
    colours = []
    for seed in range(20):
        _, record = augmented(only("title", title_above_share=1.0), chart((640, 480)), seed)
        colours.append(tuple(record["title"]["colour"]))
        assert 10 <= record["title"]["size"] <= 16
    assert max(max(colour) for colour in colours) <= 60
    assert len(set(colours)) > 15
    _, plain = augmented(only("title", title_size=10), chart((320, 240)), 3)
    assert plain["title"]["size"] == 7  # half the reference width would be 5: the least legible size stays


def test_titles_carry_the_product_and_differ_in_date_and_validity():
    own = only("title", title_own_share=1.0)
    texts = {augmented(own, seed=seed, title=TITLES[1])[1]["title"]["text"] for seed in range(40)}
    assert all(TITLES[1] in text for text in texts)
    assert len(texts) > 15
    assert any("时效" in text for text in texts)
    assert any("年" in text for text in texts)
    unknown = [augmented(own, seed=seed, title=None)[1]["title"] for seed in range(40)]
    assert any(TITLES[0] in title["text"] for title in unknown)
    assert any(TITLES[1] in title["text"] for title in unknown)
    assert {title["whose"] for title in unknown} == {"any"}


@pytest.mark.parametrize("share", [0.0, 0.75, 1.0])
def test_a_share_of_the_titles_names_the_own_product_and_the_record_says_which(share):
    augmentation = Augmentation(only("title", title_own_share=share), [], [*TITLES, "地面分析图"])
    titles = [augmentation(chart((64, 48)), np.random.default_rng(seed), TITLES[0])[1]["title"] for seed in range(400)]
    assert all((TITLES[0] in title["text"]) == (title["whose"] == "own") for title in titles)
    others = [title["text"] for title in titles if title["whose"] == "other"]
    # four standard deviations of a binomial share over 400 draws: sqrt(0.25 * 0.75 / 400) * 4 = 0.09
    assert 1 - len(others) / 400 == pytest.approx(share, abs=0.09 if 0 < share < 1 else 0)
    assert all(any(name in text for text in others) for name in (TITLES[1], "地面分析图")) or not others


def test_another_name_changes_nothing_else():
    """Charts under their own and under another's title differ in the title alone, so that two judgements compare."""
    parts = ("crop", "title", "artefacts")
    for seed in range(20):
        own, other = (
            augmented(only(*parts, title_above_share=0.5, title_own_share=share), chart((640, 480)), seed)[1]
            for share in (1.0, 0.0)
        )
        assert (own["title"]["whose"], other["title"]["whose"]) == ("own", "other")
        assert own["title"]["text"].replace(TITLES[0], TITLES[1]) == other["title"]["text"]
        assert own["title"]["colour"] == other["title"]["colour"]
        assert [own[part] for part in ("crop", "artefacts")] == [other[part] for part in ("crop", "artefacts")]


def test_without_another_name_no_title_is_drawn_rather_than_the_answer():
    config = only("title", title_own_share=0.0)
    assert Augmentation(config, [], TITLES[:1])(chart(), np.random.default_rng(0), TITLES[0])[1] == {}


def test_an_inner_title_goes_where_the_image_is_empty():
    image = noisy((640, 480))
    image.paste("white", (40, 300, 620, 360))
    titled, record = augmented(only("title", title_above_share=0.0), image)
    assert record["title"]["place"] == "inside"
    changed = np.argwhere((np.asarray(titled) != np.asarray(image)).any(axis=2))
    assert changed[:, 0].min() >= 300
    assert changed[:, 0].max() < 360
    assert changed[:, 1].min() >= 40
    assert changed[:, 1].max() < 620


@pytest.mark.parametrize("image", [noisy((640, 480)), Image.new("RGB", (640, 480), "#202020")], ids=["busy", "dark"])
def test_without_an_empty_bright_place_the_title_goes_above(image):
    assert emptiest_place(image, (300, 28), np.random.default_rng(0)) is None
    titled, record = augmented(only("title", title_above_share=0.0), image)
    assert record["title"]["place"] == "above"
    assert titled.height > 480
    assert np.asarray(titled)[0].min() >= 150 or image.getpixel((0, 0)) != (32, 32, 32)


def test_shifted_colours_are_those_of_the_record():
    image = Image.new("RGB", (40, 30), (200, 100, 50))
    still, record = augmented(only("colour", colour_factors=(1.0, 1.0), colour_swap_share=1.0), image, seed=3)
    order = ["RGB".index(channel) for channel in record["colour"]["channels"]]
    assert still.getpixel((0, 0)) == tuple((200, 100, 50)[channel] for channel in order)
    darker, record = augmented(only("colour", colour_factors=(0.5, 0.5), colour_swap_share=0.0), image)
    assert record["colour"] == {"saturation": 0.5, "contrast": 0.5, "brightness": 0.5, "channels": "RGB"}
    assert sum(darker.getpixel((0, 0))) == pytest.approx(sum(image.getpixel((0, 0))) / 2, abs=12)


def test_noise_has_the_recorded_level_and_keeps_colours():
    grey = Image.new("RGB", (400, 300), (128, 100, 90))
    for seed in range(5):
        noised, record = augmented(only("noise"), grey, seed)
        change = np.asarray(noised).astype(int) - np.asarray(grey)
        assert change.std() == pytest.approx(record["noise"]["level"], rel=0.05)
        assert abs(change.mean()) < 0.2
        assert (change[..., 0] == change[..., 1]).all()


def test_artefacts_are_those_of_the_recorded_codec_and_quality():
    codecs = Counter()
    for seed in range(20):
        image, record = augmented(only("artefacts", artefacts_webp_share=0.5), seed=seed)
        codecs[record["artefacts"]["codec"]] += 1
        assert 25 <= record["artefacts"]["quality"] <= 85
        assert 0 < difference(image, chart((400, 300))) < 12
    assert min(codecs["JPEG"], codecs["WEBP"]) >= 4
    for webp_share in (0.0, 1.0):
        worst, _ = augmented(only("artefacts", artefacts_quality=(5, 5), artefacts_webp_share=webp_share))
        best, _ = augmented(only("artefacts", artefacts_quality=(95, 95), artefacts_webp_share=webp_share))
        assert difference(worst, chart((400, 300))) > 1.5 * difference(best, chart((400, 300)))


def test_parts_work_beside_torchvisions_own_transforms():
    pipeline = v2.Compose([BackgroundNoise(only("noise")), v2.Resize((60, 80)), v2.Grayscale(3)])
    sample = {"image": chart(), "working_size": (640, 480), "rng": np.random.default_rng(0), "title": None}
    sample["applied"] = {}
    out = pipeline(sample)
    assert out["image"].size == (80, 60)
    assert list(out["applied"]) == ["noise"]


def test_logos_are_read_in_name_order_with_their_transparency(tmp_path):
    logo("#00ff00").save(tmp_path / "b.png")
    logo("#ff0000").resize((2000, 1000)).save(tmp_path / "a.png")
    (tmp_path / ".hidden").write_text("left alone")
    red, green = load_logos(tmp_path)
    assert red.size == (256, 128)
    assert red.getpixel((128, 64)) == (255, 0, 0, 255)
    assert green.getpixel((0, 0))[3] == 0
    assert load_logos(tmp_path, input_width=896)[0].width == 717
    assert load_logos(tmp_path / "absent") == []


def test_files_that_are_no_logos_are_named(tmp_path):
    (tmp_path / "readme.txt").write_text("logos go here")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UsageError) as caught:
        load_logos(tmp_path)
    assert "readme.txt" in str(caught.value)
    assert "broken.png" in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        {"logo_share": 1.5},
        {"crop_area": (0.8, 0.5)},
        {"crop_area": (0.0, 0.5)},
        {"logo_width": (0.0, 0.1)},
        {"title_own_share": -0.1},
        {"noise_levels": (-1, 5)},
        {"title_brightness": (0, 300)},
        {"artefacts_quality": (0, 50)},
        {"unknown": 1},
    ],
)
def test_impossible_settings_are_refused(values):
    with pytest.raises(ValidationError):
        AugmentConfig(**values)


def test_the_default_logo_share_is_the_plans():
    assert 0.2 <= AugmentConfig().logo_share <= 0.5
    assert AugmentConfig().crop_area == (0.5, 0.8)


def test_wrong_titles_are_there_by_default_but_rarer_than_right_ones():
    assert 0.5 < AugmentConfig().title_own_share < 1
