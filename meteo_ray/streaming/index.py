"""The prepared index as training, evaluation and tuning read it: DATA/index/index.parquet (schema.INDEX)."""

import hashlib
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from meteo_ray.errors import UsageError
from meteo_ray.schema import INDEX

INDEX_FILE = "index.parquet"


def read_index(data: Path, index: Path | None = None, flag: str = "--data") -> pa.Table:
    """The rows of a prepared data folder (schema.INDEX); `index` when it does not lie in `data`.

    Raises:
        UsageError: when the folder, which `flag` has named, is not there, not prepared, or was by a version with other
            columns.
    """
    path = (index or data / "index") / INDEX_FILE
    if not data.is_dir():
        raise UsageError(f"{flag} {data}: no such folder")
    if not path.is_file():
        raise UsageError(f"{path}: no index here; run: python jobs/prepare_data.py --data {data}")
    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise UsageError(f"{path}: cannot read the index ({error}); run jobs/prepare_data.py again") from None
    try:
        return table.cast(INDEX)  # Parquet knows no whole seconds: times come back in milliseconds
    except (ValueError, pa.ArrowException):
        raise UsageError(f"{path}: written by another version of meteo_ray; run jobs/prepare_data.py again") from None


def content_digest(rows: pa.Table) -> str:
    """sha256 over every column of a table of index rows."""
    digest = hashlib.sha256()
    for column in rows.columns:
        digest.update(str(column.to_pylist()).encode())
    return digest.hexdigest()
