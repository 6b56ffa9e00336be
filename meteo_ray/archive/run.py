"""One archive run from start to end: checks, listing, cascade, summary and report."""

import json
import logging
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from time import monotonic
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray import bundle, cluster
from meteo_ray.archive import output
from meteo_ray.archive.cascade import cluster_plan, judge_files
from meteo_ray.archive.config import STAGES, ArchiveConfig
from meteo_ray.archive.manifest import Chunk, manifest_rows, write_manifest, write_pending
from meteo_ray.archive.read import Limits
from meteo_ray.archive.report import write_report
from meteo_ray.archive.source import Source, open_source
from meteo_ray.archive.stages import Stage
from meteo_ray.archive.summary import Timing, Totals, add_up, summary_document
from meteo_ray.archive.writer import PartWriter, committed_ids
from meteo_ray.errors import MeteoRayError, TooManyBadRows, UsageError
from meteo_ray.files import write_atomically
from meteo_ray.imaging.load import PREPROCESSING_VERSION
from meteo_ray.predictor import Predictor
from meteo_ray.progress import ProgressLine
from meteo_ray.schema import ELEMENTS_COLUMNS, GATE_COLUMNS, OK, PRODUCTS_COLUMNS, SCHEMA_VERSION
from meteo_ray.versions import versions
from meteo_ray.vocabulary import Vocabulary

logger = logging.getLogger("meteo_ray")

PROGRESS_INTERVAL_S = 5.0
COLUMNS = {"gate": GATE_COLUMNS, "elements": ELEMENTS_COLUMNS, "products": PRODUCTS_COLUMNS}


@dataclass(frozen=True)
class Models:
    """What judges the archive: gate, then elements, then products, as many as run, and the names of their labels."""

    stages: list[Stage]
    vocabulary: Vocabulary


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
        output.begin(config.out, _identity(config, models), config.resume, config.overwrite)
        timing = _judge(config, source, models.stages)
        totals = add_up(config.out / output.PREDICTIONS)
        _require_complete(config, totals)
        summary = summary_document(totals, config, versions(), _versions(models), timing)
        write_report(config.out / output.REPORT, totals, summary, source, _limits(config), models.vocabulary)
        write_atomically(config.out / output.SUMMARY, json.dumps(summary, ensure_ascii=False, indent=2) + "\n")
    _require_few_bad(config, totals)
    return summary


def bundled_models(config: ArchiveConfig) -> Models:
    """The models in `config.models`, checked as far as that goes without loading their weights.

    Raises:
        UsageError: naming the bundle and what is missing, damaged or does not fit the others.
    """
    folders = {name: config.models / name for name in config.stages}
    if not config.models.is_dir():
        raise UsageError(f"--models {config.models}: no such folder; train the models first, or set METEO_RAY_MODELS")
    versions_found = {name: bundle.check(folder, name) for name, folder in folders.items()}
    vocabulary = bundle.read_labels(folders[config.stages[-1]])
    loaders = _loaders(config)
    for name, folder in folders.items():
        bundle.read_config(folder, name)
        if name != "gate":  # the gate names no element
            bundle.read_labels(folder, vocabulary)
    stages = [Stage(name, versions_found[name], COLUMNS[name], loaders[name]) for name in config.stages]
    return Models(stages, vocabulary)


def _loaders(config: ArchiveConfig) -> dict[str, Callable[[], Predictor]]:
    """How an actor loads each stage. The classes are imported there: the driver needs neither of the models."""
    places = {
        "gate": ("meteo_ray.gate.predictor", "GatePredictor"),
        "elements": ("meteo_ray.elements.predictor", "ElementsPredictor"),
        "products": ("meteo_ray.products.predictor", "ProductsPredictor"),
    }
    options = {name: config.cascade.options(name) for name in places}
    if config.min_recall is not None:
        options["gate"]["min_recall"] = config.min_recall
    return {
        name: partial(_load, module, class_name, (config.models / name).resolve(), options[name])
        for name, (module, class_name) in places.items()
    }


def _load(module: str, class_name: str, folder: Path, options: dict[str, Any]) -> Predictor:
    predictor: Predictor = getattr(import_module(module), class_name).load(folder, **options)
    return predictor


def _judge(config: ArchiveConfig, source: Source, stages: list[Stage]) -> Timing:
    """List, then judge what no committed part holds yet."""
    started = monotonic()
    out = config.out.resolve()
    total = manifest_rows(out / output.MANIFEST)
    if total is None:
        logger.info("listing %s", config.archive)
        total = write_manifest(source.entries(), out / output.MANIFEST)
    if total == 0:
        shutil.rmtree(out / output.MANIFEST)
        raise UsageError(f"--archive {config.archive}: holds no file at all")
    writer = PartWriter(out / output.PREDICTIONS, config.batches.part_rows, config.batches.part_seconds)
    committed = committed_ids(writer.folder)
    pending, chunks = write_pending(out / output.MANIFEST, committed, out / output.PENDING, config.batches.rows)
    listed = monotonic()
    if pending:
        logger.info("%d files, %d to be judged", total, pending)
        progress = ProgressLine("archive", total, interval_s=PROGRESS_INTERVAL_S)
        progress.count = total - pending
        _judge_chunks(config, source, stages, chunks, writer, progress)
    shutil.rmtree(out / output.PENDING)
    return Timing(listed - started, monotonic() - listed, pending)


def _judge_chunks(
    config: ArchiveConfig,
    source: Source,
    stages: list[Stage],
    chunks: list[Chunk],
    writer: PartWriter,
    progress: ProgressLine,
) -> None:
    cluster.connect()
    plan = cluster_plan(config.reading.workers, products=len(stages) == len(STAGES))
    logger.info("loading %s; %d readers", ", ".join(stage.name for stage in stages), plan.readers)
    charts = bad = 0
    try:
        for table in judge_files(chunks, source, stages, _limits(config), config.batches, plan):
            _require_no_mistake(table)
            writer.add(table)
            charts += pc.sum(table["is_meteo"]).as_py() or 0
            bad += pc.sum(pc.not_equal(table["status"], OK)).as_py() or 0
            progress.update(table.num_rows, charts=charts, bad=bad)
    finally:
        writer.commit()
    progress.close(charts=charts, bad=bad)


def _require_no_mistake(table: pa.Table) -> None:
    for mistake in pc.unique(pc.drop_null(table["mistake"])).to_pylist():
        raise UsageError(mistake)


def _limits(config: ArchiveConfig) -> Limits:
    return Limits(config.reading.timeout_s, config.reading.memory_limit_mb)


def _versions(models: Models) -> dict[str, str]:
    return {stage.name: stage.version for stage in models.stages}


def _identity(config: ArchiveConfig, models: Models) -> dict[str, Any]:
    """What a resumed run must have in common with the one that it goes on with."""
    archive = str(config.archive)
    return {
        "archive": archive if "://" in archive else str(Path(archive).resolve()),
        "models": _versions(models),
        "min_recall": config.min_recall,
        "cascade": config.cascade.model_dump(mode="json"),
        "preprocessing_version": PREPROCESSING_VERSION,
        "schema_version": SCHEMA_VERSION,
    }


def _require_apart(config: ArchiveConfig) -> None:
    if "://" in str(config.archive):
        return
    if config.out.resolve().is_relative_to(Path(config.archive).resolve()):
        raise UsageError(f"--out {config.out}: lies inside the archive, and would be classified with it; move it out")


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
