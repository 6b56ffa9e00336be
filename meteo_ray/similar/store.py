"""What stands in CLASSIFIED/similar: codes by content, and the charts in the order of the index.

codes-00000.parquet, ...   a row for every content that was encoded, or why it was not; only ever added to
charts.parquet             the archive's charts with a code, in the order of the index
charts.faiss               their codes
groups.parquet             charts that are nearly equal
to_label.csv               charts unlike each other, where asked for
run.json                   which model, which archive, and the digest of to_label.csv
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from meteo_ray.archive.ids import IdSet, id_numbers
from meteo_ray.archive.output import MANIFEST, PREDICTIONS, RUN
from meteo_ray.archive.results.writer import part_files, read_parts
from meteo_ray.errors import UsageError
from meteo_ray.files import (
    numbered_files,
    place_on_record,
    read_json,
    require_ours,
    safely_replaced,
    sha256_of,
    write_json,
    write_parquet,
)
from meteo_ray.imaging.load import PREPROCESSING_VERSION
from meteo_ray.schema import OK

FOLDER = "similar"
CHARTS, INDEX, GROUPS, TO_LABEL = "charts.parquet", "charts.faiss", "groups.parquet", "to_label.csv"
ARCHIVE, LISTED = "archive", "to_label_sha256"  # in the record, beside what the codes were made by

ENCODED = pa.schema(
    [
        ("image_id", pa.string()),
        ("sha256", pa.string()),
        ("status", pa.string()),  # ok, or why there is no code
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("code", pa.binary()),  # see retrieval.codes.pack
        ("perceptual_hash", pa.string()),  # see preparation.duplicates
    ]
)

CHART_COLUMNS = ["image_id", "path", "sha256", "product", "product_score", "elements", "title"]


class Store:
    """The folder beside a run of the archive job.

    Args:
        classified: that run's folder.
    """

    def __init__(self, classified: Path) -> None:
        self.classified, self.folder = classified, classified / FOLDER

    @classmethod
    def of_index(cls, index: Path) -> "Store":
        """By the run's folder or by the one in it. Raises UsageError when nothing was indexed there."""
        place = index.resolve()
        own = cls(place.parent) if place.name == FOLDER else None
        for store in filter(None, (cls(place), own)):  # a run's folder may itself be called so
            if (store.folder / INDEX).is_file():
                return store
        classified = place.parent if own and not part_files(place / PREDICTIONS) else index
        raise UsageError(
            f"--index {index}: no index here; make it with jobs/index_archive.py --classified {classified}"
        )

    @property
    def manifest(self) -> Path:
        return self.classified / MANIFEST

    # -- whose it is ---------------------------------------------------------------------------------------------------

    def archive(self, given: str | Path | None) -> str | Path:
        """The archive that was classified, `given` standing for where it is now.

        Raises:
            UsageError: when the folder holds no finished run, or only the flag can tell where the archive is.
        """
        if not part_files(self.classified / PREDICTIONS):
            raise UsageError(
                f"{self.classified}: no predictions here; classify the archive first with jobs/classify_archive.py "
                f"--out {self.classified}"
            )
        return _reachable(str(read_json(self.classified / RUN).get("archive", "")), given)

    def indexed_archive(self, given: str | Path | None) -> str | Path:
        """The archive as it was found when it was indexed, else as `archive`, which see."""
        known = self._record.get(ARCHIVE)
        return self.archive(given) if known is None else _reachable(str(known), given)

    def begin(self, version: str, overwrite: bool, to_label: bool) -> None:
        """Make the folder ready for codes of the model `version`.

        Raises:
            UsageError: when codes of another model stand there, a folder that no run made, or, where charts to be
                labelled are to be written, somebody's own list of them.
        """
        this = {"retrieval": version, "preprocessing_version": PREPROCESSING_VERSION}
        require_ours(self.folder, "index of codes", RUN)
        record = self._record
        before = {name: record.get(name) for name in this} if record else this
        if before != this and not overwrite:
            raise UsageError(
                f"{self.folder}: holds codes of another model ({json.dumps(before)} then, {json.dumps(this)} now): "
                "codes of two models have no distance; give the model that made them, or --overwrite"
            )
        if to_label:
            self.require_own_list()
        self.folder.mkdir(parents=True, exist_ok=True)
        if overwrite:
            made = [self.folder / name for name in (CHARTS, INDEX, GROUPS)]
            made += [self.folder / TO_LABEL] if self._list_is_own() else []
            for path in (*numbered_files(self.folder, "codes"), *made):
                path.unlink(missing_ok=True)
        write_json(self.folder / RUN, record | this)

    def remember(self, archive: str | Path) -> None:
        """Write down where the archive is whose charts were indexed."""
        write_json(self.folder / RUN, self._record | {ARCHIVE: place_on_record(archive)})

    @property
    def version(self) -> str:
        """Of the model that made the codes."""
        return str(read_json(self.folder / RUN).get("retrieval", ""))

    @property
    def _record(self) -> dict[str, Any]:
        file = self.folder / RUN
        return read_json(file) if file.is_file() else {}

    # -- charts to be labelled -----------------------------------------------------------------------------------------

    def require_own_list(self) -> None:
        """Raises UsageError where TO_LABEL holds what no job wrote, such as labels."""
        if not self._list_is_own():
            raise UsageError(
                f"{self.folder / TO_LABEL}: was changed since it was written; move it to a place of your own, or leave "
                "out --to-label"
            )

    def write_list(self, text: str) -> None:
        """TO_LABEL, whole or not at all; its digest is kept, to tell changes by. Raises as `require_own_list`."""
        self.require_own_list()
        with safely_replaced(self.folder / TO_LABEL) as file:
            file.write(text.encode())
        write_json(self.folder / RUN, self._record | {LISTED: sha256_of(self.folder / TO_LABEL)})

    def _list_is_own(self) -> bool:
        file = self.folder / TO_LABEL
        return not file.exists() or sha256_of(file) == self._record.get(LISTED)

    # -- codes ---------------------------------------------------------------------------------------------------------

    def add(self, rows: pa.Table) -> None:
        """Commit rows of ENCODED as the next part."""
        if rows.num_rows:
            parts = numbered_files(self.folder, "codes")
            number = int(parts[-1].stem.removeprefix("codes-")) + 1 if parts else 0
            write_parquet(self.folder / f"codes-{number:05d}.parquet", rows)

    def encoded(self) -> pa.Table:
        """Every content that has a code, once: sha256, code, perceptual_hash."""
        wanted = ["sha256", "code", "perceptual_hash"]
        parts = [part.filter(pc.equal(part["status"], OK)).select(wanted) for part in self._parts()]
        if not parts:
            return ENCODED.empty_table().select(wanted)
        return (
            pa.concat_tables(parts)
            .group_by("sha256", use_threads=False)
            .aggregate([("code", "first"), ("perceptual_hash", "first")])
            .rename_columns(wanted)
        )

    def done(self, retry_errors: bool) -> tuple[IdSet, IdSet]:
        """Contents that have a code, and images that have none for a reason; see `content_numbers`."""
        contents, failed = IdSet(), IdSet()
        for part in self._parts():
            fine = pc.equal(part["status"], OK)
            contents.add(content_numbers(part.filter(fine)["sha256"]))
            if not retry_errors:
                failed.add(id_numbers(part.filter(pc.invert(fine))["image_id"]))
        return contents, failed

    def _parts(self) -> Iterator[pa.Table]:
        for path in numbered_files(self.folder, "codes"):
            try:
                yield pq.read_table(path)
            except (OSError, pa.ArrowInvalid) as error:
                raise UsageError(
                    f"{path}: damaged: {error}; remove it and run again: its codes are made anew"
                ) from None

    # -- charts --------------------------------------------------------------------------------------------------------

    def classified_charts(self) -> Iterator[pa.Table]:
        """The charts of each committed part of the predictions, with CHART_COLUMNS."""
        for part, _ in read_parts(self.classified / PREDICTIONS, [*CHART_COLUMNS, "status", "is_meteo"]):
            chart = pc.and_(pc.equal(part["status"], OK), pc.fill_null(part["is_meteo"], False))
            yield part.filter(chart).select(CHART_COLUMNS)

    def charts(self) -> pa.Table:
        """The charts in the order of the index; none before the first one. Raises UsageError when they are damaged."""
        path = self.folder / CHARTS
        try:
            return pq.read_table(path) if path.is_file() else pa.table({})
        except (OSError, pa.ArrowException) as error:
            raise UsageError(f"{path}: damaged: {error}; run jobs/index_archive.py again") from None


def _reachable(known: str, given: str | Path | None) -> str | Path:
    """`given`, or the place on record, where that suffices."""
    if given is None and "***" in known:
        raise UsageError(f"--archive is required: {known} was written down without its keys")
    return known if given is None else given


def content_numbers(sha256: pa.ChunkedArray) -> np.ndarray:
    """The first half of a content's sha256 as numbers: of five million two are equal with a chance of 1 to 10^6."""
    return id_numbers(pc.utf8_slice_codeunits(sha256, 0, 16))


def joined(charts: pa.Table, encoded: pa.Table) -> pa.Table:
    """The charts whose content has a code, with `code` and `perceptual_hash`, in their order."""
    place = pc.index_in(charts["sha256"], encoded["sha256"].combine_chunks())
    known = pc.is_valid(place)
    found, rows = charts.filter(known), place.filter(known).combine_chunks()
    for name in ("code", "perceptual_hash"):
        found = found.append_column(name, encoded[name].combine_chunks().take(rows))
    return found


def as_matrix(codes: pa.ChunkedArray) -> np.ndarray:
    """Codes of equal length as uint8 `(rows, code_bytes)`."""
    if not len(codes):
        return np.zeros((0, 0), dtype=np.uint8)
    return np.frombuffer(b"".join(codes.to_pylist()), dtype=np.uint8).reshape(len(codes), -1)
