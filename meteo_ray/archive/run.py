"""One archive run from start to end: checks, listing, cascade, summary and report."""

import logging
import shutil
from itertools import permutations
from pathlib import Path
from time import monotonic
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray import cluster
from meteo_ray.archive import output, resume
from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.archive.judged_rows import MISTAKE
from meteo_ray.archive.manifest import Chunk, manifest_rows, write_manifest
from meteo_ray.archive.models import Model, Models, bundled_models
from meteo_ray.archive.pipeline import cluster_plan, judge_files, looking_again
from meteo_ray.archive.reading import Limits
from meteo_ray.archive.report import write_report
from meteo_ray.archive.source import Source, open_source
from meteo_ray.archive.summary import Timing, Totals, add_up, summary_document
from meteo_ray.archive.writer import PartWriter
from meteo_ray.errors import MeteoRayError, TooManyBadRows, UsageError
from meteo_ray.files import without_secrets, write_json
from meteo_ray.progress import ProgressLine
from meteo_ray.schema import OK
from meteo_ray.versions import versions

logger = logging.getLogger("meteo_ray")

PROGRESS_INTERVAL_S = 5.0


def classify(config: ArchiveConfig, models: Models | None = None) -> dict[str, Any]:
    """Judge every file of an archive once; what summary.json holds comes back.

    Args:
        models: by default the bundles under `config.models`.

    Raises:
        UsageError: before Ray starts, when archive, models or output folder cannot be used.
        TooManyBadRows: after everything is written.
        MeteoRayError: when the output disk fails, or rows were lost or doubled (a defect, never passed over).
    """
    source = open_source(config.archive)
    _require_apart(config)
    models = models or bundled_models(config)
    with output.locked(config.out), output.explained_write_errors(config.out):
        resume.begin(config.out, resume.identity(config, models), config.resume, config.overwrite)
        timing = _judge(config, source, models.models)
        totals = add_up(config.out / output.PREDICTIONS)
        _require_complete(config, totals)
        summary = summary_document(totals, config, versions(), models.versions, timing)
        write_report(config.out / output.REPORT, totals, summary, source, _limits(config), models.vocabulary)
        write_json(config.out / output.SUMMARY, summary)
    _require_few_bad(config, totals)
    return summary


def _judge(config: ArchiveConfig, source: Source, models: list[Model]) -> Timing:
    """List, then judge what no committed part holds yet."""
    started = monotonic()
    out = config.out.resolve()
    total = manifest_rows(out / output.MANIFEST)
    if total is None:
        logger.info("listing %s", without_secrets(config.archive))
        total = write_manifest(source.entries(), out / output.MANIFEST)
    if total == 0:
        shutil.rmtree(out / output.MANIFEST)
        raise UsageError(f"--archive {without_secrets(config.archive)}: holds no file at all")
    writer = PartWriter(out / output.PREDICTIONS, config.batches.part_rows, config.batches.part_seconds)
    committed = resume.committed_ids(writer.folder)
    pending, chunks = resume.write_pending(out / output.MANIFEST, committed, out / output.PENDING, config.batches.rows)
    listed = monotonic()
    if pending:
        logger.info("%d files, %d to be judged", total, pending)
        progress = ProgressLine("archive", total, interval_s=PROGRESS_INTERVAL_S)
        progress.count = total - pending
        _judge_chunks(config, source, models, chunks, writer, progress)
    shutil.rmtree(out / output.PENDING)
    return Timing(listed - started, monotonic() - listed, pending)


def _judge_chunks(
    config: ArchiveConfig,
    source: Source,
    models: list[Model],
    chunks: list[Chunk],
    writer: PartWriter,
    progress: ProgressLine,
) -> None:
    cluster.connect()
    plan = cluster_plan(config.reading.workers, judging=1 + len(looking_again(models)))
    logger.info("loading %s; %d readers", ", ".join(model.name for model in models), plan.readers)
    charts = bad = 0
    try:
        for table in judge_files(chunks, source, models, _limits(config), config.batches, plan):
            _require_no_mistake(table)
            writer.add(table)
            charts += pc.sum(table["is_meteo"]).as_py() or 0
            bad += pc.sum(pc.not_equal(table["status"], OK)).as_py() or 0
            progress.update(table.num_rows, charts=charts, bad=bad)
    finally:
        writer.commit()
    progress.close(charts=charts, bad=bad)


def _require_no_mistake(table: pa.Table) -> None:
    for mistake in pc.unique(pc.drop_null(table[MISTAKE.name])).to_pylist():
        raise UsageError(mistake)


def _limits(config: ArchiveConfig) -> Limits:
    return Limits(config.reading.timeout_s, config.reading.memory_limit_mb)


def _require_apart(config: ArchiveConfig) -> None:
    """Archive, models and output must not lie in one another: one would be read, or removed, as part of another."""
    places = {"--archive": config.archive, "--models": config.models, "--out": config.out}
    local = {flag: Path(place).resolve() for flag, place in places.items() if "://" not in str(place)}
    for inner, outer in permutations(local, 2):
        if local[inner].is_relative_to(local[outer]):
            raise UsageError(
                f"{inner} {places[inner]}: lies inside {outer} {places[outer]}; give each a folder of its own"
            )


def _require_complete(config: ArchiveConfig, totals: Totals) -> None:
    listed = manifest_rows(config.out / output.MANIFEST)
    if totals.rows != listed or totals.distinct != listed:
        raise MeteoRayError(
            f"--out {config.out}: {listed} files were listed, but {totals.rows} rows stand there, "
            f"{totals.distinct} of them distinct; run again with --overwrite and report this"
        )


def _require_few_bad(config: ArchiveConfig, totals: Totals) -> None:
    share = totals.bad / totals.rows
    if share > config.max_bad:
        raise TooManyBadRows(
            f"{totals.bad} of {totals.rows} files ({share:.1%}) could not be judged, --max-bad allows "
            f"{config.max_bad:.1%}; everything is written, {config.out / output.REPORT} lists them"
        )
