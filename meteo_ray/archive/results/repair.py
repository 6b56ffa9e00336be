"""Puts the committed parts in order before a run goes on: what is good is kept, what is lost is judged again."""

import logging
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from meteo_ray.archive.ids import IdSet, id_numbers
from meteo_ray.archive.inputs.container_members import is_container
from meteo_ray.archive.inputs.manifest import Manifest
from meteo_ray.archive.results.writer import PartWriter, part_files
from meteo_ray.errors import MachineFault
from meteo_ray.files import write_parquet
from meteo_ray.schema import ERROR

logger = logging.getLogger("meteo_ray")

DAMAGED = "damaged"
SET_ASIDE = "set_aside.parquet"
"""Rows with an error that are to be judged again, until it is certain that their files are still listed."""


def written_ids(predictions: Path) -> IdSet:
    """The ids of every committed row. Parts that cannot be read are moved to `damaged/`; of rows that stand twice the
    first is kept."""
    ids = IdSet()
    for part in part_files(predictions):
        try:
            numbers = id_numbers(pq.read_table(part, columns=["image_id"])["image_id"])
        except (OSError, ValueError, pa.ArrowException) as error:
            move_aside(part, error)
            continue
        new = ids.add(numbers)
        if not new.all():
            logger.warning("%s: %d rows stood in the run already and are removed", part, int((~new).sum()))
            write_parquet(part, pq.read_table(part).filter(pa.array(new)))
    return ids


def set_errors_aside(out: Path, predictions: Path) -> int:
    """Take the rows with status `error` out of the run; the number of rows comes back."""
    aside = _set_aside(out)
    for part in part_files(predictions):
        table = pq.read_table(part)
        failed = pc.equal(table["status"], ERROR)
        if pc.any(failed).as_py():
            aside = [*aside, table.filter(failed).replace_schema_metadata(None)]
            write_parquet(out / SET_ASIDE, pa.concat_tables(aside))
            write_parquet(part, table.filter(pc.invert(failed)))
    return sum(table.num_rows for table in aside)


def put_back(out: Path, writer: PartWriter, manifest: Manifest) -> None:
    """When the listing is complete: rows that were set aside and whose files nobody lists any more keep their error.

    Not those of folders and of tar and zip files: they have rows only while something is wrong with them.
    """
    known = manifest.ids()
    for table in _set_aside(out):
        gone = table.filter(pa.array(~known.contains(id_numbers(table["image_id"]))))
        files = [not path.endswith("/") and not is_container(path) for path in gone["path"].to_pylist()]
        writer.restore(gone.filter(pa.array(files, pa.bool_())))
    (out / SET_ASIDE).unlink(missing_ok=True)
    _adopt(writer.folder, manifest, known)


def _adopt(predictions: Path, manifest: Manifest, known: IdSet) -> None:
    """Rows that the manifest does not know, because it was damaged or their files have vanished, stay in the run."""
    for part in part_files(predictions):
        table = pq.read_table(part, columns=["image_id", "path", "status", "reason"])
        unknown = known.add(id_numbers(table["image_id"]))
        if unknown.any():
            manifest.adopt(table.filter(pa.array(unknown)))


def _set_aside(out: Path) -> list[pa.Table]:
    return [pq.read_table(out / SET_ASIDE)] if (out / SET_ASIDE).exists() else []


def move_aside(file: Path, error: Exception) -> None:
    """Put a damaged part or list of files where it is kept and nobody reads it; what it held comes again.

    Raises:
        MachineFault: when it is not the file that is at fault.
    """
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno is not None):  # no damage
        raise MachineFault(f"{file}: cannot be read: {error}; mend it and run again with --resume") from None
    folder = file.parent.with_name(DAMAGED)
    folder.mkdir(exist_ok=True)
    try:
        file.rename(folder / f"{file.parent.name}-{file.name}")
    except OSError as also:
        raise MachineFault(f"{file}: damaged ({error}), and cannot be moved away: {also}") from None
    logger.warning("%s: damaged (%s); moved to %s, its files are judged anew", file, error, folder)
