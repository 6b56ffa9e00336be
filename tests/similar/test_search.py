"""Images in, neighbours out: right ones, in order, on a page and as JSON."""

import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.errors import UsageError
from meteo_ray.retrieval.codes import hamming
from meteo_ray.similar.config import SearchJob
from meteo_ray.similar.groups import unlike_each_other
from meteo_ray.similar.hamming_index import HammingIndex
from meteo_ray.similar.indexing import index_archive
from meteo_ray.similar.search import search_archive
from meteo_ray.similar.store import CHARTS, as_matrix
from tests.similar.conftest import CHARTS as COUNT
from tests.similar.conftest import index_job, write_retrieval


@given(st.integers(0, 30), st.integers(1, 8), st.integers(1, 12), st.integers(0, 1000))
def test_the_index_finds_the_nearest_in_order(rows, code_bytes, top, seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 256, (rows, code_bytes), dtype=np.uint8) & 0b11
    queries = rng.integers(0, 256, (3, code_bytes), dtype=np.uint8) & 0b11
    index = HammingIndex()
    index.add(codes[: rows // 2])
    index.add(codes[rows // 2 :])
    distances, places = index.search(queries, top)
    assert distances.shape == places.shape == (3, min(top, rows))
    for query in range(3):
        exact = hamming(queries[query : query + 1], codes)[0]
        np.testing.assert_array_equal(distances[query], np.sort(exact)[: min(top, rows)])
        np.testing.assert_array_equal(exact[places[query]], distances[query])
        assert len(set(places[query].tolist())) == len(places[query])


def test_codes_that_are_unlike_each_other_are_the_farthest_apart():
    codes = np.array([[0b00000000], [0b00000001], [0b11110000], [0b11111111], [0b00000000]], np.uint8)
    chosen = unlike_each_other(codes, 3)
    assert {int(codes[place, 0]) for place in chosen[:2]} == {0b00000000, 0b11111111}
    assert codes[chosen[2], 0] == 0b11110000
    assert sorted(unlike_each_other(codes, 10).tolist()) == [0, 1, 2, 3, 4]
    assert len(unlike_each_other(codes[:0], 3)) == 0


@pytest.fixture
def indexed(classified):
    index_archive(index_job(classified))
    return classified


def job(indexed, image, **values) -> SearchJob:
    defaults = {"index": indexed.out / "similar", "models": indexed.models, "out": indexed.out.with_name("found")}
    return SearchJob(image=image, **{**defaults, **values})


def answers(indexed) -> dict:
    return json.loads((indexed.out.with_name("found") / "search.json").read_text("utf-8"))


def test_a_chart_finds_itself_first_and_the_rest_by_distance(indexed):
    asked = indexed.archive / "charts" / "0003.png"
    assert search_archive(job(indexed, asked, top=4)) == 1
    (query,) = answers(indexed)["queries"]
    charts = pq.read_table(indexed.out / "similar" / CHARTS)
    own = as_matrix(charts["code"])[charts["path"].to_pylist().index("charts/0003.png")]
    expected = np.sort(hamming(own[None], as_matrix(charts["code"]))[0])[:4]
    assert [row["distance"] for row in query["neighbours"]] == expected.tolist()
    assert "charts/0003.png" in [row["path"] for row in query["neighbours"] if row["distance"] == 0]
    page = (indexed.out.with_name("found") / "search.html").read_text("utf-8")
    assert page.count("<img") == 5
    assert "distances in bits of 12" in page


def test_a_folder_is_asked_file_by_file_and_bad_files_say_why(indexed, tmp_path):
    queries = tmp_path / "queries"
    (queries / "deep").mkdir(parents=True)
    shutil.copy(indexed.archive / "charts" / "0000.png", queries / "deep" / "<b>.png")
    (queries / "broken.png").write_bytes(b"")
    assert search_archive(job(indexed, queries)) == 1
    broken, fine = answers(indexed)["queries"]
    assert broken["image"] == "broken.png"
    assert broken["problem"].startswith("empty")
    assert broken["neighbours"] == []
    assert len(fine["neighbours"]) == COUNT
    page = (indexed.out.with_name("found") / "search.html").read_text("utf-8")
    assert "<b>.png" not in page
    assert "&lt;b&gt;.png" in page


def test_only_charts_of_a_product_are_found_where_one_is_named(indexed):
    charts = pq.read_table(indexed.out / "similar" / CHARTS)
    products = [name for name in charts["product"].to_pylist() if name]
    search_archive(job(indexed, indexed.archive / "charts" / "0000.png", product=products[0]))
    (query,) = answers(indexed)["queries"]
    assert len(query["neighbours"]) == products.count(products[0])
    assert {row["product"] for row in query["neighbours"]} == {products[0]}
    with pytest.raises(UsageError, match=r"--product nonsense: no chart of the index.*there are: "):
        search_archive(job(indexed, indexed.archive / "charts" / "0000.png", product="nonsense"))


def test_a_file_that_changed_is_named_without_its_picture(indexed):
    (indexed.archive / "charts" / "0005.png").write_bytes(b"another")
    search_archive(job(indexed, indexed.archive / "charts" / "0000.png"))
    page = (indexed.out.with_name("found") / "search.html").read_text("utf-8")
    assert page.count("<img") == COUNT  # the asked one and all others
    assert "changed or gone" in page


def test_what_cannot_be_used_is_named(indexed, tmp_path):
    chart = indexed.archive / "charts" / "0000.png"
    with pytest.raises(UsageError, match="no index here"):
        search_archive(job(indexed, chart, index=tmp_path))
    with pytest.raises(UsageError, match="no such file"):
        search_archive(job(indexed, tmp_path / "gone.png"))
    (tmp_path / "none").mkdir()
    with pytest.raises(UsageError, match="an empty folder"):
        search_archive(job(indexed, tmp_path / "none"))
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(UsageError, match="cannot be read"):
        search_archive(job(indexed, tmp_path / "text.png"))
    write_retrieval(indexed.models, seed=3)
    with pytest.raises(UsageError, match="their codes have no distance"):
        search_archive(job(indexed, chart))
    assert not indexed.out.with_name("found").exists()
