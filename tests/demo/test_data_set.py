"""The folders that the job writes, and that an image depends on its number only."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError

from meteo_ray.demo.awkward_archive import broken_files, place
from meteo_ray.demo.config import OFFICES, DemoJob
from meteo_ray.demo.data_set import build_archive, build_data
from meteo_ray.drawing.compose import ARCHIVE, DATA, WITHOUT_PRODUCT, Order, chart_for, draw
from meteo_ray.drawing.logos import draw_logos
from meteo_ray.drawing.story import SOURCES
from meteo_ray.errors import UsageError
from meteo_ray.vocabulary import load_vocabulary


def test_an_order_is_always_drawn_alike() -> None:
    for is_meteo in (True, False):
        order = Order(7, DATA, is_meteo, 5)
        first, again = draw(order), draw(order)
        assert first.data == again.data
        assert first.row == again.row


def test_archive_and_data_set_of_one_seed_differ() -> None:
    assert draw(Order(7, DATA, False, 3)).data != draw(Order(7, ARCHIVE, False, 3)).data


def test_products_come_equally_often_and_their_share_without_one_is_kept() -> None:
    known = load_vocabulary().product_ids
    turn = round(len(known) / (1 - WITHOUT_PRODUCT))
    products = [chart_for(Order(1, DATA, True, n)).product for n in range(10 * turn)]
    assert {products.count(product) for product in known} == {10}
    assert products.count(None) == 10 * (turn - len(known))


@pytest.mark.usefixtures("ray_session")
def test_the_data_set_has_the_layout_of_r1(tmp_path: Path) -> None:
    assert build_data(DemoJob(out=tmp_path / "data", charts=9, others=8, seed=2)) == 17
    rows = [json.loads(line) for line in (tmp_path / "data/labels.jsonl").read_text("utf-8").splitlines()]
    assert [row["is_meteo"] for row in rows].count(1) == 9
    vocabulary = load_vocabulary()
    for row in rows:
        with Image.open(tmp_path / "data" / row["path"]) as image:
            image.load()
            assert min(image.size) >= 200
        if row["is_meteo"]:
            assert row["labels"] is None or set(row["labels"]) <= set(vocabulary.element_ids)
            if row["product"]:
                assert set(vocabulary.product_by_id[row["product"]].elements) <= set(row["labels"])
        else:
            assert row["labels"] == []
            assert row["product"] is None
            assert row["kind"]
    assert len(list((tmp_path / "data/logos").glob("*.png"))) >= 8
    with pytest.raises(UsageError, match="exists"):
        build_data(DemoJob(out=tmp_path / "data", charts=1, others=1, seed=2))


@pytest.mark.usefixtures("ray_session")
def test_a_place_that_cannot_be_written_to_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"^--out .*: cannot be written to: Not a directory$"):
        build_data(DemoJob(out=tmp_path / "file" / "drawn", charts=1, others=1))


def test_the_archive_holds_fresh_and_broken_files(tmp_path: Path) -> None:
    archive, truth = tmp_path / "archive", tmp_path / "beside" / "truth.jsonl"
    job = DemoJob(out=tmp_path / "data", archive=archive, archive_count=6, archive_truth=truth, seed=2)
    files = build_archive(archive, job)
    found = {str(path.relative_to(archive)) for path in archive.rglob("*") if path.is_file()}
    assert len(found) == files
    assert not (archive / "labels.jsonl").exists()
    assert {path.name for path in archive.glob("broken/*")} >= {"empty.png", "bomb.png", "really a gif.png"}
    rows = [json.loads(line) for line in truth.read_text("utf-8").splitlines()]
    assert {row["path"] for row in rows} == {path for path in found if not path.startswith("broken/")}
    assert len({row["path"] for row in rows if row["is_meteo"]}) >= 3


def test_what_an_archive_shows_is_written_beside_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="give both"):
        DemoJob(out=tmp_path, archive_truth=tmp_path / "truth.jsonl")
    with pytest.raises(ValueError, match="must not lie inside the archive"):
        DemoJob(out=tmp_path, archive=tmp_path, archive_truth=tmp_path / "deep" / "truth.jsonl")


def test_broken_files_are_broken_and_the_gif_is_not(tmp_path: Path) -> None:
    sample = draw(Order(1, ARCHIVE, True, 0)).data
    unreadable = []
    for name, data in broken_files(sample, np.random.default_rng(0)):
        path = tmp_path / Path(name).name
        path.write_bytes(data)
        try:
            with Image.open(path, formats=("PNG", "JPEG", "GIF")) as image:
                image.load()
        except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError):
            unreadable.append(path.name)
    assert "really a gif.png" not in unreadable
    assert "one_pixel.png" not in unreadable
    assert len(unreadable) >= 9


def test_names_in_the_archive_do_not_collide() -> None:
    rng = np.random.default_rng(0)
    names = [place(rng, number, ".png") for number in range(400)]
    assert len(set(names)) == 400


def test_logos_are_clear_around_their_sign() -> None:
    for logo in draw_logos(0):
        assert logo.image.mode == "RGBA"
        alpha = np.asarray(logo.image)[..., 3]
        assert alpha.min() == 0
        assert alpha.max() == 255


def test_the_config_knows_every_office():
    assert len(SOURCES) == OFFICES
