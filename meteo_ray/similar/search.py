"""One call of jobs/search_archive.py: images in, the nearest charts of the archive out."""

import logging
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray import bundle
from meteo_ray.archive.inputs.source import open_source
from meteo_ray.archive.reading.reader import Reader
from meteo_ray.errors import UsageError
from meteo_ray.files import storable, write_json
from meteo_ray.retrieval.codes import pack
from meteo_ray.retrieval.predictor import RetrievalPredictor
from meteo_ray.retrieval.stage import RETRIEVAL
from meteo_ray.similar.config import SearchJob
from meteo_ray.similar.hamming_index import HammingIndex
from meteo_ray.similar.page import THUMBNAIL_SIZE, write_page
from meteo_ray.similar.queries import Query, read_queries
from meteo_ray.similar.store import INDEX, Store, as_matrix

logger = logging.getLogger("meteo_ray")

PAGE, ANSWERS = "search.html", "search.json"

Row = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """An image and its neighbours, the nearest first: rows of charts.parquet with `distance`, in bits."""

    query: Query
    neighbours: list[Row]


def search_archive(job: SearchJob) -> int:
    """Write the page and the JSON; the number of images that could be asked about comes back.

    Raises:
        UsageError: when index, model or images cannot be used, or none of the images can be read.
    """
    store = Store.of_index(job.index)
    source = open_source(store.indexed_archive(job.archive))
    model = _model_folder(job, store)
    charts, index = searched(store, job.product)
    queries = read_queries(job.image, job.reading.limits())
    if all(query.pixels is None for query in queries):
        raise UsageError(f"--image {job.image}: cannot be read: {queries[0].problem}")
    predictor = RetrievalPredictor.load(model)
    answers = answered(predictor, queries, charts, index, job.top)
    try:
        job.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {job.out}: cannot be written to: {error.strerror}") from None
    write_json(job.out / ANSWERS, _document(job, store, answers, charts.num_rows))
    write_page(
        job.out / PAGE, answers, store, partial(Reader, source, job.reading.limits(), THUMBNAIL_SIZE), predictor.bits
    )
    return sum(query.pixels is not None for query in queries)


def _model_folder(job: SearchJob, store: Store) -> Path:
    if job.models is None:
        raise UsageError("--models is required (or set METEO_RAY_MODELS): images are encoded by the index's model")
    folder = job.models / RETRIEVAL.name
    version = bundle.check(folder, RETRIEVAL.name)
    if version != store.version:
        raise UsageError(
            f"{folder}: is model {version}, and the index was made by {store.version}: their codes have no distance; "
            "give the folder of that model, or make the index anew with jobs/index_archive.py --overwrite"
        )
    return folder


def searched(store: Store, product: str | None) -> tuple[pa.Table, HammingIndex]:
    """The charts that are searched, and their index, in one order.

    Raises:
        UsageError: when no chart is of the product.
    """
    charts, index = store.charts(), HammingIndex.read(store.folder / INDEX)
    if len(index) != charts.num_rows:
        raise UsageError(f"{store.folder}: the index is not of these charts; run jobs/index_archive.py again")
    if product is None:
        return charts, index
    chosen = charts.filter(pc.equal(charts["product"], product))
    if not chosen.num_rows:
        known = ", ".join(sorted(name for name in pc.unique(charts["product"]).to_pylist() if name)) or "none"
        raise UsageError(f"--product {product}: no chart of the index is of it; there are: {known}")
    own = HammingIndex()
    own.add(as_matrix(chosen["code"]))
    return chosen, own


def answered(
    predictor: RetrievalPredictor, queries: list[Query], charts: pa.Table, index: HammingIndex, top: int
) -> list[Answer]:
    """The neighbours of every image that could be read."""
    readable = [query for query in queries if query.pixels is not None]
    outputs, _ = predictor.encode(np.stack([query.pixels for query in readable if query.pixels is not None]))
    distances, places = index.search(pack(outputs), top)
    rows = dict(zip(np.unique(places).tolist(), _rows(charts, np.unique(places)), strict=True))
    found = {
        query.path: [
            {**rows[place], "distance": distance} for place, distance in zip(at.tolist(), bits.tolist(), strict=True)
        ]
        for query, at, bits in zip(readable, places, distances, strict=True)
    }
    return [Answer(query, found.get(query.path, [])) for query in queries]


def _rows(charts: pa.Table, places: np.ndarray) -> list[Row]:
    shown = charts.select(["image_id", "path", "sha256", "product", "product_score", "elements", "title"])
    rows: list[Row] = shown.take(pa.array(places, pa.int64())).to_pylist()
    return rows


def _document(job: SearchJob, store: Store, answers: list[Answer], charts: int) -> Row:
    return {
        "index": str(store.folder),
        "model": store.version,
        "charts": charts,
        "product": job.product,
        "queries": [
            {
                "image": storable(answer.query.path),
                "problem": answer.query.problem or None,
                "neighbours": answer.neighbours,
            }
            for answer in answers
        ],
    }
