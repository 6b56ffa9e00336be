"""One call of jobs/index_archive.py: encode what has no code yet, then make it searchable."""

import logging
from collections.abc import Iterator
from contextlib import closing
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from meteo_ray import bundle, cluster
from meteo_ray.archive import output
from meteo_ray.archive.cascade.judged_rows import FAULT, MISTAKE
from meteo_ray.archive.cascade.models import Model
from meteo_ray.archive.ids import IdSet, id_numbers
from meteo_ray.archive.inputs.manifest import MANIFEST, SHARD_ROWS, Manifest
from meteo_ray.archive.inputs.rounds import ROUND_SHARDS
from meteo_ray.archive.inputs.source import open_source
from meteo_ray.archive.reading.reader import TWIN
from meteo_ray.errors import MachineFault, UsageError
from meteo_ray.files import write_parquet
from meteo_ray.progress import ProgressLine
from meteo_ray.retrieval.stage import CODES, RETRIEVAL
from meteo_ray.schema import OK
from meteo_ray.similar import groups
from meteo_ray.similar.config import IndexJob
from meteo_ray.similar.hamming_index import HammingIndex
from meteo_ray.similar.pipeline import Encoding
from meteo_ray.similar.store import CHARTS, ENCODED, INDEX, Store, as_matrix, content_numbers, joined

logger = logging.getLogger("meteo_ray")

# As many as the archive's models are given in one go.
ROUND_ROWS = ROUND_SHARDS * SHARD_ROWS


def index_archive(job: IndexJob) -> int:
    """Encode, index and group; the number of charts in the index comes back.

    Raises:
        UsageError: before Ray starts, when predictions, archive or model cannot be used.
        MachineFault: when disk, mounts, memory or processes fail; what was committed is kept.
    """
    store = Store(job.classified)
    source = open_source(store.archive(job.archive))
    model = retrieval_model(job)
    with output.locked(store.classified), output.explained_write_errors(store.classified):
        store.begin(model.version, job.overwrite)
        pending = _pending(store, job.retry_errors)
        if pending.num_rows:
            cluster.connect()
            _encode(Encoding(source, model, job.reading, job.block_rows), pending, store, job.part_rows)
        charts = _refresh(store)
        groups.write(store, charts, job.to_label)
    return int(charts.num_rows)


def retrieval_model(job: IndexJob) -> Model:
    """The bundle in `job.models`, checked but not loaded."""
    folder = (job.models / RETRIEVAL.name).resolve()
    version = bundle.check(folder, RETRIEVAL.name)
    return Model(RETRIEVAL.name, version, CODES, partial(CODES.load, folder))


# -- codes -------------------------------------------------------------------------------------------------------------


def _pending(store: Store, retry_errors: bool) -> pa.Table:
    """Rows of the manifest, ready to be read, one for each content of a chart that has no code."""
    contents, failed = store.done(retry_errors)
    wanted = IdSet()
    for part in store.classified_charts():
        part = part.filter(pa.array(~failed.contains(id_numbers(part["image_id"]))))
        new = part.filter(pa.array(contents.add(content_numbers(part["sha256"]))))
        wanted.add(id_numbers(new["image_id"]))
    shards = Manifest(store.manifest).shards
    found = [_chosen(pq.read_table(shard, schema=MANIFEST), wanted) for shard in shards]
    return pa.concat_tables(found) if found else MANIFEST.empty_table()


def _chosen(listed: pa.Table, wanted: IdSet) -> pa.Table:
    rows = listed.filter(pa.array(wanted.contains(id_numbers(listed["image_id"]))))
    return rows.set_column(rows.schema.get_field_index("status"), "status", pa.array([""] * rows.num_rows, pa.string()))


def _encode(encoding: Encoding, pending: pa.Table, store: Store, part_rows: int) -> None:
    line = ProgressLine("codes", pending.num_rows, "charts")
    gathered: list[pa.Table] = []
    bad = 0

    def commit() -> None:
        store.add(pa.concat_tables(gathered) if gathered else ENCODED.empty_table())
        gathered.clear()

    try:
        for table in _rounds(encoding, pending):
            bad += pc.sum(pc.not_equal(table["status"], OK)).as_py() or 0
            gathered.append(table)
            line.update(table.num_rows, bad=bad)
            if sum(part.num_rows for part in gathered) >= part_rows:
                commit()
    finally:
        commit()
    line.close()
    if bad:
        logger.warning("%d charts have no code: their files cannot be read any more, or not by this job", bad)


def _rounds(encoding: Encoding, pending: pa.Table) -> Iterator[pa.Table]:
    """Encoded rows, without the twins that changed files have become."""
    for start in range(0, pending.num_rows, ROUND_ROWS):
        with closing(encoding.encode(pending.slice(start, ROUND_ROWS))) as tables:
            for table in tables:
                for field, error in ((MISTAKE, UsageError), (FAULT, MachineFault)):
                    for message in pc.unique(pc.drop_null(table[field.name])).to_pylist():
                        raise error(message)
                yield table.select(ENCODED.names).filter(pc.not_equal(table["status"], TWIN))


# -- the index ---------------------------------------------------------------------------------------------------------


def _refresh(store: Store) -> pa.Table:
    """Bring charts.parquet and the index up to date: what stood there stays in its place, new charts come after it.

    Charts that the predictions no longer hold, or whose content is another by now, make the index anew from the codes.
    """
    tables = list(store.classified_charts())
    now = joined(pa.concat_tables(tables), store.encoded())
    before = store.charts()
    place = _places(before, now)
    index_file = store.folder / INDEX
    kept = place is not None and index_file.is_file()
    index = HammingIndex.read(index_file) if kept else HammingIndex()
    if place is None or len(index) != before.num_rows:
        place, index = np.arange(0), HammingIndex()
        (store.folder / CHARTS).unlink(missing_ok=True)  # until its own are written, nobody takes others for them
    new = np.setdiff1d(np.arange(now.num_rows), place)
    charts = now.take(pa.array(np.concatenate([place, new]), pa.int64()))
    index.add(as_matrix(now.take(pa.array(new, pa.int64()))["code"]))
    # The index first: with more codes than charts it is made anew next time, with fewer it would answer wrongly.
    index.write(index_file)
    write_parquet(store.folder / CHARTS, charts)
    logger.info("%d charts in the index, %d of them new", charts.num_rows, len(new))
    return charts


def _places(before: pa.Table, now: pa.Table) -> np.ndarray | None:
    """Where each chart of the index stands among those that there are now, int64; None where one is not the same."""
    if not before.num_rows:
        return np.arange(0)
    place = pc.index_in(before["image_id"], now["image_id"].combine_chunks())
    if place.null_count:
        return None
    rows = place.combine_chunks()
    same = pc.and_(
        pc.equal(now["sha256"].combine_chunks().take(rows), before["sha256"].combine_chunks()),
        pc.equal(now["code"].combine_chunks().take(rows), before["code"].combine_chunks()),
    )
    return rows.to_numpy().astype(np.int64) if pc.all(same).as_py() else None
