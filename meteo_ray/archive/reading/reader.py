"""Listed files -> their pixels, or why there are none: what cannot be read is marked, never raised.

What is wrong with the machine, its mounts or the network is no verdict on a file: no doubtful one leaves here before
the archive has been seen to be well. All reading happens in a guarded child, within bounds of time and size.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self

import numpy as np

from meteo_ray.archive.inputs.container_members import UNPACKED_BYTES_PER_SECOND, ContainerLimits
from meteo_ray.archive.inputs.source import LocalSource, RemoteSource
from meteo_ray.archive.reading.claims import Claims
from meteo_ray.archive.reading.fetching import Fetcher
from meteo_ray.archive.reading.health import Health
from meteo_ray.archive.reading.limits import Limits
from meteo_ray.files import storable
from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.guarded_decoding import bytes_of_image, loaded_image
from meteo_ray.imaging.guarded_process import ChildLost, GuardedProcess, Returned, persistently
from meteo_ray.imaging.load import LoadedImage
from meteo_ray.schema import ERROR, OK

HOLD_FILE = "meteo_ray.archive.reading.guarded_reading:hold_file"
HOLD_MEMBER = "meteo_ray.archive.reading.guarded_reading:hold_member"
HOLD_DESCRIPTOR = "meteo_ray.archive.reading.guarded_reading:hold_descriptor"
RELEASE = "meteo_ray.archive.reading.guarded_reading:release"
GIVE = "meteo_ray.archive.reading.guarded_reading:give_held"
LOOK = "meteo_ray.archive.reading.guarded_reading:look"

TWIN = "twin"
"""Status of a row whose content another row brings; never written."""

# Bytes of files that wait in the child for the answer to whether they are to be decoded: a block of usual charts.
HELD_BYTES = 64 * 2**20

# Reasons for which an outage could be to blame.
DOUBTFUL = ("io", "changed", "timeout", "crashed")

ATTEMPTS = 2


@dataclass(frozen=True)
class Read:
    """What became of one file: its image, or why there is none, in a word and in the decoder's words."""

    status: str
    reason: str = ""
    detail: str = ""
    sha256: str = ""
    image: LoadedImage | None = None


class Reader:
    """Reads listed files through one guarded child process, at one size (width, height) or, with None, as the pages
    that they are (imaging.page_pixels).

    `claims`, if given, says who brings a content that several files share; the others are read, but not decoded. With
    `features`, their number, images come with their descriptors.
    """

    def __init__(
        self,
        source: LocalSource | RemoteSource,
        limits: Limits,
        size: tuple[int, int] | None,
        claims: Claims | None = None,
        features: int = 0,
    ) -> None:
        self.source, self.limits, self.size, self._claims = source, limits, size, claims
        self._features = features
        functions = (HOLD_FILE, HOLD_MEMBER, HOLD_DESCRIPTOR, RELEASE, GIVE, LOOK, limits.decode)
        shared_bytes = bytes_of_image(size, features)
        memory_limit_bytes = limits.memory_limit_mb << 20
        self._child = GuardedProcess(
            memory_limit_bytes, *functions, readable=source.readable, shared_bytes=shared_bytes
        )
        self._fetcher = Fetcher(source, limits.timeout_s) if isinstance(source, RemoteSource) else None
        self._held_by: dict[str, int] = {}  # image id -> number of the child that holds its bytes
        self._health = Health(source, self._look)

    def read_rows(self, rows: Sequence[Mapping[str, Any]], into: np.ndarray | None = None) -> list[Read]:
        """Read rows of the manifest, in order; those with a status keep it.

        Args:
            into: uint8 `(rows, height, width, 3)`, where the pixels are to be put; by default in arrays of their own.

        Raises:
            MachineFault: when files cannot be read because the machine or the archive as a whole is not well.
        """
        places: Sequence[np.ndarray | None] = [None] * len(rows) if into is None else list(into)
        found: list[Read] = []
        for group in _groups(rows):
            found += self._read_group(group, places[len(found) : len(found) + len(group)])
        if self._require_well(rows, found):
            again = [place for place in self._doubtful(rows, found) if _may_heal(found[place])]
            for place in again:
                (found[place],) = self._read_group([rows[place]], [places[place]])
            if again:
                self._require_well(rows, found)
        return found

    def read(self, row: Mapping[str, Any]) -> Read:
        """One row's pixels, `(height, width, 3)` uint8, or the status and reason of their absence."""
        return self._read_group([row], [None])[0]

    def bytes(self, row: Mapping[str, Any]) -> bytes:
        """A row's file as it is, at most `DecodeLimits.max_bytes`.

        Raises:
            DecodeFailure: when it cannot be read.
        """

        def give() -> Returned:
            self._hold(row)
            return self._child.call(GIVE, self.limits.timeout_s, key=row["image_id"])

        return bytes(persistently(ATTEMPTS, give, str(row["path"])).payload)

    def close(self) -> None:
        """End the child process."""
        self._child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _read_group(self, rows: Sequence[Mapping[str, Any]], places: Sequence[np.ndarray | None]) -> list[Read]:
        """Read rows, ask who brings their contents, decode what is theirs."""
        self._release()
        held = [self._held(row) for row in rows]
        known = [(read.sha256, row["image_id"]) for row, read in zip(rows, held, strict=True) if read.status == OK]
        owners = set(known if self._claims is None else self._owned(known))
        return [
            read
            if read.status != OK
            else self._decode(row, read, place)
            if (read.sha256, row["image_id"]) in owners
            else replace(read, status=TWIN)
            for row, read, place in zip(rows, held, places, strict=True)
        ]

    def _owned(self, contents: list[tuple[str, str]]) -> list[tuple[str, str]]:
        assert self._claims is not None
        owners = self._claims.owners(contents) if contents else []
        return [content for content, owner in zip(contents, owners, strict=True) if owner == content[1]]

    def _release(self) -> None:
        self._held_by.clear()
        if self._child.number:
            try:
                self._child.call(RELEASE, self.limits.timeout_s)
            except ChildLost:  # with all that it held
                return
            except DecodeFailure:  # it cannot fail at that
                self._child.close()

    def _held(self, row: Mapping[str, Any]) -> Read:
        """A row's sha256, its bytes being in the child; or why there is none."""
        if row["status"] == OK:  # judged once, and lost since, with its file
            return Read(ERROR, "changed", "it is not listed any more")
        if row["status"]:
            return Read(row["status"], row["reason"], row["detail"] or "")
        try:
            return Read(OK, sha256=persistently(ATTEMPTS, partial(self._hold, row), str(row["path"]))["sha256"])
        except DecodeFailure as failure:
            return self._failed(row, failure)

    def _decode(self, row: Mapping[str, Any], held: Read, into: np.ndarray | None) -> Read:
        def decode() -> LoadedImage:
            if self._held_by.get(row["image_id"]) != self._child.number:  # the bytes went with the child that held them
                self._hold(row)
            wanted = {"key": row["image_id"], "size": self.size, "described": bool(self._features)}
            with self._child.ended_if_disbelieved():
                returned = self._child.call(self.limits.decode, self.limits.timeout_s, **wanted)
                return loaded_image(returned, self.size, self._features, into)

        try:
            image = persistently(ATTEMPTS, decode, str(row["path"]))
        except DecodeFailure as failure:
            return self._failed(row, failure, held.sha256)
        if image.sha256 != held.sha256:
            return Read(ERROR, "changed", "it changed while it was read", held.sha256)
        return replace(held, image=image)

    def _failed(self, row: Mapping[str, Any], failure: DecodeFailure, sha256: str = "") -> Read:
        """The words of a failure without the path, which stands beside them and differs between equal files."""
        detail = failure.detail
        for path in (self._path(row), row["path"]):
            detail = detail.removeprefix(f"{path}: ")
        return Read(failure.status, failure.reason, storable(detail), sha256)

    def _hold(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Have the child read a row's file; its sha256 comes back. Raises ChildLost when that is none."""
        with self._child.ended_if_disbelieved():
            fields = self._fetched(row) if self._fetcher is not None else self._opened(row)
            told = fields.get("sha256")
            if not isinstance(told, str) or not told.isascii():
                raise ChildLost("crashed", "its process told nonsense of the file")
        self._held_by[row["image_id"]] = self._child.number
        return fields

    def _fetched(self, row: Mapping[str, Any]) -> dict[str, Any]:
        assert self._fetcher is not None
        with self._fetcher.descriptor(row) as descriptor:
            return self._child.call(HOLD_DESCRIPTOR, self.limits.timeout_s, descriptor, key=row["image_id"]).fields

    def _opened(self, row: Mapping[str, Any]) -> dict[str, Any]:
        assert isinstance(self.source, LocalSource)
        place = self.source.place(row)
        listed = {"size": row["size"], "modified_ns": row["modified_ns"], "inside": place.inside}
        arguments: dict[str, Any] = {"key": row["image_id"], "path": place.path, **listed}
        if row["position"] < 0:
            return self._child.call(HOLD_FILE, self.limits.timeout_s, **arguments).fields
        before = min(row["position"], ContainerLimits.stream_bytes)
        timeout_s = self.limits.timeout_s + before / UNPACKED_BYTES_PER_SECOND
        return self._child.call(HOLD_MEMBER, timeout_s, position=row["position"], **arguments).fields

    @staticmethod
    def _doubtful(rows: Sequence[Mapping[str, Any]], found: Sequence[Read]) -> list[int]:
        return [
            place
            for place, (row, read) in enumerate(zip(rows, found, strict=True))
            if not row["status"] and read.reason in DOUBTFUL
        ]

    def _require_well(self, rows: Sequence[Mapping[str, Any]], found: Sequence[Read]) -> bool:
        """Whether verdicts were in doubt; if so the archive has been found to be well."""
        doubtful = self._doubtful(rows, found)
        if doubtful:
            self._child.close()  # its rights are those on the folder that stood there when it started
        for place in doubtful:
            self._health.require(self._path(rows[place]), found[place].detail)
        return bool(doubtful)

    def _path(self, row: Mapping[str, Any]) -> str:
        return self.source.place(row).path if isinstance(self.source, LocalSource) else str(row["path"])

    def _look(self, path: str) -> dict[str, Any]:
        return persistently(ATTEMPTS, lambda: self._child.call(LOOK, self.limits.timeout_s, path=path), path).fields


def _may_heal(read: Read) -> bool:
    """Whether a file is read again when the archive is well: its bytes never came."""
    return read.reason in ("io", "changed") or (read.reason == "timeout" and not read.sha256)


def _groups(rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Rows in order, so many together as the child may hold at once."""
    group: list[Mapping[str, Any]] = []
    waiting = 0
    for row in rows:
        if group and waiting + (row["size"] or 0) > HELD_BYTES:
            yield group
            group, waiting = [], 0
        group.append(row)
        waiting += row["size"] or 0
    if group:
        yield group
