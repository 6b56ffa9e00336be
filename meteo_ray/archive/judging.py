"""The work of one call of the job: list, judge what no committed part holds yet, commit."""

import logging
from functools import cached_property
from time import monotonic

import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray import cluster
from meteo_ray.archive import output
from meteo_ray.archive.cascade.judged_rows import FAULT, MISTAKE
from meteo_ray.archive.cascade.models import Model
from meteo_ray.archive.cascade.pipeline import Cascade, cluster_plan, looking_again
from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.archive.inputs.listing_thread import Listing
from meteo_ray.archive.inputs.manifest import Manifest
from meteo_ray.archive.inputs.rounds import pending_rounds
from meteo_ray.archive.inputs.source import LocalSource, RemoteSource
from meteo_ray.archive.reading.reader import TWIN
from meteo_ray.archive.results import repair
from meteo_ray.archive.results.summary import Timing
from meteo_ray.archive.results.twins import copies, says_of_content
from meteo_ray.archive.results.writer import PartWriter, read_parts
from meteo_ray.errors import MachineFault, UsageError
from meteo_ray.files import without_secrets
from meteo_ray.progress import ProgressLine
from meteo_ray.schema import OK

logger = logging.getLogger("meteo_ray")

PROGRESS_INTERVAL_S = 5.0


class Work:
    """Judges every file of an archive that has no committed row."""

    def __init__(self, config: ArchiveConfig, source: LocalSource | RemoteSource, models: list[Model]) -> None:
        self._config, self._source, self._models = config, source, models
        out = config.out.resolve()
        self.manifest = Manifest(out / output.MANIFEST)
        predictions = out / output.PREDICTIONS
        written = repair.written_ids(predictions)
        if config.retry_errors:
            (out / output.SUMMARY).unlink(missing_ok=True)
            rows = repair.set_errors_aside(out, predictions)
            logger.info("%d files with an error are judged again", rows)
            written = repair.written_ids(predictions)
        self.manifest.keep(written, damaged=repair.move_aside)
        self._writer = PartWriter(predictions, config.batches.part_rows, config.batches.part_seconds, written)
        self._already = len(written)
        self._charts = self._bad = 0
        self.timing = Timing(0.0, 0.0, 0)

    def do(self) -> None:
        """List and judge; `timing` is known afterwards.

        Raises:
            UsageError: when the archive holds no file, or a model cannot be used.
            MachineFault: when the archive could not be listed to its end, or judging had to stop.
        """
        started = monotonic()
        logger.info("listing %s", without_secrets(self._config.archive))
        self._listing = Listing(self._source, self.manifest)
        try:
            self._judge_all(started)
        finally:
            self._listing.stop()

    def _judge_all(self, started: float) -> None:
        listed = None
        for pending in pending_rounds(self.manifest, self._writer.written, self._listing):
            if listed is None:
                listed = self._begin()
                self._progress = self._progress_so_far()
            self._judge(pending)
        self._listing.require_complete()
        if not self.manifest.shards:
            raise UsageError(f"--archive {without_secrets(self._config.archive)}: holds no file at all")
        repair.put_back(self._config.out.resolve(), self._writer, self.manifest)
        if listed is not None:
            self._progress.close(charts=self._charts, bad=self._bad)
            rows = len(self._writer.written) - self._already
            self.timing = Timing(listed - started, monotonic() - listed, rows)

    def _begin(self) -> float:
        """From here on the run is not finished, whatever it was before; what was made of its rows is out of date."""
        (self._config.out / output.SUMMARY).unlink(missing_ok=True)
        (self._config.out / output.REPORT).unlink(missing_ok=True)
        return monotonic()

    def _judge(self, pending: pa.Table) -> None:
        twins: list[pa.Table] = []
        try:
            for table in self._cascade.judge(pending):
                _require_no_stop(table)
                waits = pc.equal(table["status"], TWIN)
                twins.append(table.filter(waits))
                self._add(table.filter(pc.invert(waits)))
        finally:
            self._writer.commit()
        waiting = pa.concat_tables(twins) if twins else None
        if waiting is not None and waiting.num_rows:
            self._copy(waiting)

    def _copy(self, twins: pa.Table) -> None:
        """Rows for files whose content another one brought. If that one vanished meanwhile, they come again."""
        for table in copies(twins, self._writer.folder):
            self._add(table)
        self._writer.commit()
        left = twins.filter(pa.array(~self._writer.has(twins)))
        self._cascade.claims.release(pc.unique(left["sha256"]).to_pylist())

    def _add(self, table: pa.Table) -> None:
        new = self._writer.add(table)
        self._charts += pc.sum(new["is_meteo"]).as_py() or 0
        self._bad += pc.sum(pc.not_equal(new["status"], OK)).as_py() or 0
        self._progress.total = self._listing.rows
        self._progress.update(new.num_rows, charts=self._charts, bad=self._bad)

    def _progress_so_far(self) -> ProgressLine:
        if self._already:
            logger.info("%d rows stand there already; what follows counts the others", self._already)
        return ProgressLine("archive", self._listing.rows, "files", PROGRESS_INTERVAL_S, done=self._already)

    @cached_property
    def _cascade(self) -> Cascade:
        cluster.connect()
        config = self._config
        text, operators = config.text.mode != "off", 1 + len(looking_again(self._models))
        plan = cluster_plan(config.reading.workers, judging=operators, text=text)
        names = ", ".join(model.name for model in self._models)
        logger.info("files so far: %d; reading processes: %d; loading %s", self._listing.rows, plan.readers, names)
        cascade = Cascade(self._source, self._models, config.reading.limits(), config.batches, plan, config.text)
        for part, _ in read_parts(self._writer.folder, ["sha256", "image_id", "status", "reason"]):
            known = says_of_content(part)
            cascade.claims.know(list(zip(known["sha256"].to_pylist(), known["image_id"].to_pylist(), strict=True)))
        return cascade


def _require_no_stop(table: pa.Table) -> None:
    for field, error in ((MISTAKE, UsageError), (FAULT, MachineFault)):
        for message in pc.unique(pc.drop_null(table[field.name])).to_pylist():
            raise error(message)
