"""Makes DATA/index from labels.jsonl and the images, whole beside its place and then renamed (R1-R4).

It holds index.parquet (schema.INDEX), rejected.parquet (schema.INDEX_REJECTED) and report.html.
"""

import json
import os
import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from meteo_ray.batch import Batch
from meteo_ray.errors import UsageError
from meteo_ray.files import image_id, replace_folder, require_ours
from meteo_ray.preparation.cleaning import (
    compare_equal_images,
    drop_repeated_paths,
    missing_images,
    misspelt_keys,
    product_warnings,
)
from meteo_ray.preparation.config import PrepareData
from meteo_ray.preparation.duplicates import duplicate_groups
from meteo_ray.preparation.image_probe import probe_images
from meteo_ray.preparation.labels_file import FILE_NAME, LabelRow, read_labels
from meteo_ray.preparation.leakage import gaps, leaks
from meteo_ray.preparation.prepared import REJECTED_FILE, REPORT_FILE, PreparedData
from meteo_ray.preparation.report import write_report
from meteo_ray.preparation.splits import assign_splits, require_units
from meteo_ray.schema import INDEX, INDEX_REJECTED
from meteo_ray.streaming.index import INDEX_FILE
from meteo_ray.text.table import TEXTS_FILE
from meteo_ray.vocabulary import Vocabulary, choose_vocabulary

MISSING = "missing"


def build_index(config: PrepareData) -> PreparedData:
    """Check labels.jsonl, read every image, group duplicates, split, and write the index folder.

    Raises:
        UsageError: before Ray starts when labels.jsonl or the vocabulary is wrong; after reading the images when equal
            images have contradictory labels, when `strict` and an image cannot be used, or when given splits leak.
            Nothing is written then.
    """
    data = _data_folder(config)
    require_ours(config.index or data / "index", "index", INDEX_FILE)
    vocabulary, rows, warnings = read_checked_labels(data, config.labels)
    if config.split_by == "source":
        require_units("source", (row.source for row in rows))
    elif config.split_by == "time":
        require_units("time", (row.time.date() for row in rows if row.time))
    rows, probes, rejected = _read_images(data, rows, config)
    equal = compare_equal_images(rows, probes["sha256"].tolist())
    if equal.errors:
        raise UsageError.of_problems(f"{data / FILE_NAME}: equal images with contradictory labels:", equal.errors)
    table = _with_splits(_table(rows, probes, config.duplicate_distance), config)
    prepared = PreparedData(
        folder=config.index or data / "index",
        index=table,
        rejected=rejected,
        warnings=misspelt_keys(rows) + warnings + equal.warnings + product_warnings(rows, vocabulary),
        gaps=gaps(table, vocabulary),
    )
    _write(prepared, config, data, vocabulary)
    return prepared


def read_checked_labels(data: Path, labels: Path | None = None) -> tuple[Vocabulary, list[LabelRow], list[str]]:
    """The vocabulary, one row per path, and warnings.

    Raises:
        UsageError: naming every problem of the vocabulary and of labels.jsonl at once.
    """
    problems: list[str] = []
    vocabulary: Vocabulary | None = None
    try:
        vocabulary = choose_vocabulary(labels, data)
    except UsageError as error:
        problems.append(str(error))
    file = read_labels(data / FILE_NAME, vocabulary)
    rows, findings = drop_repeated_paths(file.path, file.rows)
    problems += file.problems + findings.errors
    if not problems and not rows:
        problems.append(f"{file.path}: holds no rows")
    if problems or vocabulary is None:
        raise UsageError.of_problems("the labels cannot be used; nothing was written:", problems)
    return vocabulary, rows, findings.warnings


def _data_folder(config: PrepareData) -> Path:
    if config.data is None:
        raise UsageError("--data is required (or METEO_RAY_DATA): the folder that holds labels.jsonl")
    if not config.data.is_dir():
        raise UsageError(f"--data {config.data}: no such folder")
    return config.data


def _read_images(data: Path, rows: list[LabelRow], config: PrepareData) -> tuple[list[LabelRow], Batch, pa.Table]:
    """The rows whose image is sound, what was found about those images, and the rejected ones with their reasons."""
    missing = missing_images(data, rows)
    reasons = dict.fromkeys(missing, MISSING)
    _check_usable(data, rows, reasons, config.strict)
    present = [row for row in rows if row.path not in missing]
    probes = probe_images(data, [row.path for row in present], config.image_timeout_s, config.workers)
    reasons |= {row.path: reason for row, reason in zip(present, probes["reason"], strict=True) if reason}
    _check_usable(data, rows, reasons, config.strict)
    rejected = pa.table({"path": sorted(reasons), "reason": [reasons[p] for p in sorted(reasons)]}, INDEX_REJECTED)
    good = [row for row in present if row.path not in reasons]
    return good, {name: column[probes["ok"]] for name, column in probes.items()}, rejected


def _check_usable(data: Path, rows: list[LabelRow], reasons: dict[str, str], strict: bool) -> None:
    bad = [f"{row.path}: {reasons[row.path]}" for row in rows if row.path in reasons]
    if strict and bad:
        raise UsageError.of_problems(f"{data}: --strict, and {len(bad)} of {len(rows)} images cannot be used:", bad)
    if len(bad) == len(rows):
        raise UsageError.of_problems(f"{data}: none of the {len(rows)} labelled images can be used:", bad, limit=5)


def _table(rows: list[LabelRow], probes: Batch, duplicate_distance: int) -> pa.Table:
    columns = {
        "image_id": [image_id(row.path) for row in rows],
        "path": [row.path for row in rows],
        "is_meteo": [row.is_meteo for row in rows],
        "elements": [row.labels for row in rows],
        "product": [row.product for row in rows],
        "split": [None] * len(rows),
        "source": [row.source for row in rows],
        "time": [row.time for row in rows],
        "duplicate_group": duplicate_groups(probes["sha256"], probes["perceptual_hash"], duplicate_distance),
        "extra": [json.dumps(row.extra, ensure_ascii=False, sort_keys=True) for row in rows],
    }
    columns.update({name: probes[name] for name in ("sha256", "width", "height", "format", "perceptual_hash")})
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in INDEX}, schema=INDEX)


def _with_splits(table: pa.Table, config: PrepareData) -> pa.Table:
    splits = assign_splits(table, config.split_by, config.fractions, config.seed)
    position = INDEX.get_field_index("split")
    table = table.set_column(position, INDEX.field(position), pa.array(splits, pa.string()))
    found = leaks(table, by_time=config.split_by == "time")
    if found and not config.allow_leakage:
        raise UsageError.of_problems("splits share images; move these, or accept it with --allow-leakage:", found)
    return table


def _write(prepared: PreparedData, config: PrepareData, data: Path, vocabulary: Vocabulary) -> None:
    folder = prepared.folder
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    shutil.rmtree(scratch, ignore_errors=True)
    try:
        scratch.mkdir(parents=True)
        pq.write_table(prepared.index, scratch / INDEX_FILE)
        pq.write_table(prepared.rejected, scratch / REJECTED_FILE)
        write_report(prepared, config, data, vocabulary, scratch / REPORT_FILE)
        if (folder / TEXTS_FILE).is_file():  # by content, so what was read holds for the new index too
            shutil.copyfile(folder / TEXTS_FILE, scratch / TEXTS_FILE)
        replace_folder(scratch, folder)
    except OSError as error:
        raise UsageError(f"{folder}: cannot write the index: {error}; --index puts it elsewhere") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
