"""Going on where a run stopped: whether it is the same run, and which of its inputs have no committed row yet."""

import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.archive.manifest import MANIFEST, Chunk, shard_files, write_shards
from meteo_ray.archive.models import Models
from meteo_ray.archive.output import MANIFEST as MANIFEST_FOLDER
from meteo_ray.archive.output import PENDING, PREDICTIONS, REPORT, RUN, SUMMARY
from meteo_ray.archive.writer import part_files, read_parts
from meteo_ray.errors import UsageError
from meteo_ray.files import SIGN, without_secrets, write_json
from meteo_ray.imaging.load import PREPROCESSING_VERSION
from meteo_ray.schema import SCHEMA_VERSION


def identity(config: ArchiveConfig, models: Models) -> dict[str, Any]:
    """What a resumed run must have in common with the one that it goes on with."""
    archive = without_secrets(config.archive)
    return {
        "archive": archive if "://" in archive else str(Path(archive).resolve()),
        "models": models.versions,
        "min_recall": config.min_recall,
        "cascade": config.cascade.model_dump(mode="json"),
        "preprocessing_version": PREPROCESSING_VERSION,
        "schema_version": SCHEMA_VERSION,
    }


def begin(out: Path, this_run: dict[str, Any], resume: bool, overwrite: bool) -> None:
    """Make the folder ready for the run that `this_run` describes; a resumed run must be the same one.

    A run that ended before it committed anything leaves nothing worth asking about.

    Raises:
        UsageError: when another run stands there and neither flag was given, when it differs from this one, or when
            something that no run made is in the way.
    """
    _require_ours(out)
    committed = len(part_files(out / PREDICTIONS))
    if overwrite or not committed:
        _remove(out)
    elif not resume:
        raise UsageError(f"--out {out}: holds a run already ({committed} parts); give --resume or --overwrite")
    else:
        _require_same(out, this_run)
        (out / SUMMARY).unlink(missing_ok=True)  # it stands for a finished run
    (out / SIGN).touch()
    write_json(out / RUN, this_run)


def committed_ids(folder: Path) -> np.ndarray:
    """The ids of every committed row, uint64 `(rows,)`, sorted."""
    ids = [id_numbers(table["image_id"]) for table, _ in read_parts(folder, ["image_id"])]
    return np.sort(np.concatenate(ids)) if ids else np.empty(0, dtype=np.uint64)


def write_pending(manifest: Path, committed: np.ndarray, folder: Path, chunk_rows: int) -> tuple[int, list[Chunk]]:
    """Write the manifest's rows whose id is not in `committed` (`id_numbers`, sorted) to `folder`.

    Their number comes back, and where to read them in chunks of `chunk_rows`.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shards = (pq.read_table(path, schema=MANIFEST) for path in shard_files(manifest))
    pending = (shard.filter(pa.array(~contains(committed, id_numbers(shard["image_id"])))) for shard in shards)
    rows = list(write_shards((table for table in pending if table.num_rows), folder, chunk_rows))
    chunks = [
        Chunk(shard, group)
        for shard, shard_rows in zip(shard_files(folder), rows, strict=True)
        for group in range(math.ceil(shard_rows / chunk_rows))
    ]
    return sum(rows), chunks


def id_numbers(image_ids: pa.Array | pa.ChunkedArray) -> np.ndarray:
    """The ids, 16 hex digits each, as uint64 `(rows,)`: eight bytes a row keep millions of them in memory."""
    return np.frombuffer(bytes.fromhex("".join(image_ids.to_pylist())), dtype=">u8").astype(np.uint64)


def contains(sorted_numbers: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """For each of `numbers` whether it is in `sorted_numbers`, bool `(rows,)`."""
    if not len(sorted_numbers):
        return np.zeros(len(numbers), dtype=bool)
    positions = np.minimum(np.searchsorted(sorted_numbers, numbers), len(sorted_numbers) - 1)
    found: np.ndarray = sorted_numbers[positions] == numbers
    return found


def _require_ours(out: Path) -> None:
    """Only names that a run made are taken for its own; runs from before SIGN are known by their record."""
    if (out / SIGN).is_file() or _is_record(out / RUN):
        return
    foreign = [name for name in (MANIFEST_FOLDER, PENDING, PREDICTIONS, RUN, SUMMARY, REPORT) if (out / name).exists()]
    if foreign:
        names = ", ".join(foreign)
        raise UsageError(
            f"--out {out}: {names} there was not made by this job, which needs the name; choose another folder"
        )


def _is_record(path: Path) -> bool:
    try:
        return {"archive", "models", "preprocessing_version", "schema_version"} <= set(
            json.loads(path.read_text("utf-8"))
        )
    except (OSError, ValueError, TypeError):
        return False


def _remove(out: Path) -> None:
    for name in (MANIFEST_FOLDER, PENDING, PREDICTIONS):
        shutil.rmtree(out / name, ignore_errors=True)
    for name in (RUN, SUMMARY, REPORT):
        (out / name).unlink(missing_ok=True)


def _require_same(out: Path, this_run: dict[str, Any]) -> None:
    try:
        before = json.loads((out / RUN).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{out / RUN}: cannot read what was run here: {error}; give --overwrite") from None
    names = [name for name in sorted(before | this_run) if before.get(name) != this_run.get(name)]
    changed = [f"{name}: {before.get(name)!r} then, {this_run.get(name)!r} now" for name in names]
    if changed:
        title = f"--out {out}: the run there was made otherwise; repeat its settings, or give --overwrite:"
        raise UsageError.of_problems(title, changed)
