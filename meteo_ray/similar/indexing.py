"""One call of jobs/index_archive.py: encode what has no code yet, then make it searchable."""

import logging
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

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
from meteo_ray.archive.inputs.source import LocalSource, RemoteSource, open_source
from meteo_ray.archive.reading.reader import TWIN
from meteo_ray.errors import MachineFault, UsageError
from meteo_ray.files import place_on_record, write_parquet
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
    place = store.archive(job.archive)
    source, model = open_source(place), retrieval_model(job)
    again = output.explained_write_errors(store.classified, "--classified", "run the same command again")
    with output.locked(store.classified), again:
        store.begin(model.version, job.overwrite, bool(job.to_label))
        codes = _Codes(store, job.part_rows)
        _encode_all(job, source, model, codes)
        charts = _refresh(store)
        groups.write(store, charts, job.to_label)
        codes.require_some(place)
        store.remember(place)
    return int(charts.num_rows)


def retrieval_model(job: IndexJob) -> Model:
    """The bundle in `job.models`, checked but not loaded."""
    folder = (job.models / RETRIEVAL.name).resolve()
    version = bundle.check(folder, RETRIEVAL.name)
    return Model(RETRIEVAL.name, version, CODES, partial(CODES.load, folder))


# -- codes -------------------------------------------------------------------------------------------------------------


class _Codes:
    """Encoded rows on their way to the store.

    Nothing is committed before the first code: where all files have changed it is more likely another archive, or a
    copy with other times, and charts that were written down as changed are not read again.
    """

    def __init__(self, store: Store, part_rows: int) -> None:
        self.coded = self.failed = 0
        self.store, self._part_rows, self._gathered = store, part_rows, list[pa.Table]()

    def add(self, table: pa.Table) -> None:
        coded = pc.sum(pc.equal(table["status"], OK)).as_py() or 0
        self.coded, self.failed = self.coded + coded, self.failed + table.num_rows - coded
        self._gathered.append(table)
        if sum(part.num_rows for part in self._gathered) >= self._part_rows:
            self.commit()

    def commit(self) -> None:
        if self.coded and self._gathered:
            self.store.add(pa.concat_tables(self._gathered))
            self._gathered.clear()

    def require_some(self, archive: str | Path) -> None:
        """Raises UsageError when charts were read and none has got a code."""
        if self.failed and not self.coded:
            (first,) = pa.concat_tables(self._gathered).slice(0, 1).to_pylist()
            raise UsageError(
                f"--archive {place_on_record(archive)}: none of the {self.failed} charts that were to get a code is as "
                f"it was when it was classified ({first['reason']}: {first['detail']}); give the archive that was "
                "classified, as it was then (a copy must keep the files' times, as cp -a and rsync -t do), or classify "
                "this one. Nothing was written down about these charts"
            )


def _encode_all(job: IndexJob, source: LocalSource | RemoteSource, model: Model, codes: _Codes) -> None:
    """Encode what has no code. Where a file turns out to be unreadable another of equal bytes is tried."""
    encoding, tried = None, IdSet()
    while (pending := _pending(codes.store, job.retry_errors, tried)).num_rows:
        if encoding is None:
            cluster.connect()
            encoding = Encoding(source, model, job.reading, job.block_rows)
        failed = codes.failed
        _encode(encoding, pending, codes)
        tried.add(id_numbers(pending["image_id"]))
        if codes.failed == failed:
            break


def _pending(store: Store, retry_errors: bool, tried: IdSet) -> pa.Table:
    """Rows of the manifest, ready to be read, one for each content of a chart that has no code and was not tried."""
    contents, failed = store.done(retry_errors)
    wanted = IdSet()
    for part in store.classified_charts():
        ids = id_numbers(part["image_id"])
        part = part.filter(pa.array(~(failed.contains(ids) | tried.contains(ids))))
        new = part.filter(pa.array(contents.add(content_numbers(part["sha256"]))))
        wanted.add(id_numbers(new["image_id"]))
    shards = Manifest(store.manifest).shards
    found = [_chosen(pq.read_table(shard, schema=MANIFEST), wanted) for shard in shards]
    return pa.concat_tables(found) if found else MANIFEST.empty_table()


def _chosen(listed: pa.Table, wanted: IdSet) -> pa.Table:
    rows = listed.filter(pa.array(wanted.contains(id_numbers(listed["image_id"]))))
    return rows.set_column(rows.schema.get_field_index("status"), "status", pa.array([""] * rows.num_rows, pa.string()))


def _encode(encoding: Encoding, pending: pa.Table, codes: _Codes) -> None:
    line, failed = ProgressLine("codes", pending.num_rows, "charts"), codes.failed
    try:
        for table in _rounds(encoding, pending):
            codes.add(table)
            line.update(table.num_rows, bad=codes.failed - failed)
    finally:
        codes.commit()
    line.close()


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
    classified = pa.concat_tables(store.classified_charts())
    now = joined(classified, store.encoded())
    if now.num_rows < classified.num_rows:
        logger.warning(
            "%d charts have no code: their files had changed, or could not be read, when they were to get one; "
            "--retry-errors reads them again",
            classified.num_rows - now.num_rows,
        )
    before, index = _standing(store)
    place = _places(before, now)
    if place is None:
        place, index = np.arange(0), HammingIndex()
        (store.folder / CHARTS).unlink(missing_ok=True)  # until its own are written, nobody takes others for them
    new = np.setdiff1d(np.arange(now.num_rows), place)
    charts = now.take(pa.array(np.concatenate([place, new]), pa.int64()))
    index.add(as_matrix(now.take(pa.array(new, pa.int64()))["code"]))
    # The index first: with more codes than charts it is made anew next time, with fewer it would answer wrongly.
    index.write(store.folder / INDEX)
    write_parquet(store.folder / CHARTS, charts)
    logger.info("%d charts in the index, %d of them new", charts.num_rows, len(new))
    return charts


def _standing(store: Store) -> tuple[pa.Table, HammingIndex]:
    """Charts and index of earlier calls; both empty where they are damaged or not of each other: the codes have all."""
    if (store.folder / INDEX).is_file():
        try:
            charts, index = store.charts(), HammingIndex.read(store.folder / INDEX)
            if len(index) == charts.num_rows:
                return charts, index
        except UsageError as error:
            logger.warning("%s (this is that run: both are made anew from the codes)", error)
    (store.folder / CHARTS).unlink(missing_ok=True)
    return pa.table({}), HammingIndex()


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
