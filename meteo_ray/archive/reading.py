"""Listed files -> their pixels, or why there are none: what cannot be read is marked, never raised.

What is wrong with the machine, its mounts or the network is no verdict on a file: no doubtful one leaves here before
the archive has been seen to be well. All reading happens in a guarded child, within bounds of time and size.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from meteo_ray.archive.claims import Claims
from meteo_ray.archive.containers import ContainerLimits
from meteo_ray.archive.fetching import Fetcher
from meteo_ray.archive.health import require_healthy
from meteo_ray.archive.limits import Limits
from meteo_ray.archive.source import LocalSource, RemoteSource
from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.guarded_decoding import loaded_image
from meteo_ray.imaging.guarded_process import GuardedProcess, Returned, persistently
from meteo_ray.imaging.load import LoadedImage
from meteo_ray.schema import OK

HOLD_FILE = "meteo_ray.archive.guarded_reading:hold_file"
HOLD_MEMBER = "meteo_ray.archive.guarded_reading:hold_member"
HOLD_DESCRIPTOR = "meteo_ray.archive.guarded_reading:hold_descriptor"
GIVE = "meteo_ray.archive.guarded_reading:give_held"
LOOK = "meteo_ray.archive.guarded_reading:look"

TWIN = "twin"
"""Status of a row whose content another row brings; never written."""

# Reasons for which an outage could be to blame; those of the first two are read again when the archive is well.
READ_AGAIN = ("io", "changed")
DOUBTFUL = (*READ_AGAIN, "timeout", "crashed")

ATTEMPTS = 2
# A member of a compressed tar lies behind everything before it; the slowest method (bz2) unpacks about this fast.
UNPACKED_BYTES_PER_SECOND = 20e6


@dataclass(frozen=True)
class Read:
    """What became of one file: its image, or why there is none, in a word and in the decoder's words."""

    status: str
    reason: str = ""
    detail: str = ""
    sha256: str = ""
    image: LoadedImage | None = None


class Reader:
    """Reads listed files at one size, through one guarded child process.

    `claims`, if given, says who brings a content that several files share; the others are read, but not decoded.
    """

    def __init__(
        self,
        source: LocalSource | RemoteSource,
        limits: Limits,
        size: tuple[int, int],
        claims: Claims | None = None,
    ) -> None:
        self.source, self.limits, self.size, self._claims = source, limits, size, claims
        functions = (HOLD_FILE, HOLD_MEMBER, HOLD_DESCRIPTOR, GIVE, LOOK, limits.decode)
        self._child = GuardedProcess(limits.memory_limit_mb << 20, *functions)
        self._fetcher = Fetcher(source, limits.timeout_s) if isinstance(source, RemoteSource) else None
        self._last_good: str | None = None

    def read_rows(self, rows: Sequence[Mapping[str, Any]]) -> list[Read]:
        """Read rows of the manifest, in order; those with a status keep it.

        Raises:
            MachineFault: when files cannot be read because the machine or the archive as a whole is not well.
        """
        found = [self.read(row) for row in rows]
        if self._require_well(rows, found):
            again = [place for place in self._doubtful(rows, found) if found[place].reason in READ_AGAIN]
            for place in again:
                found[place] = self.read(rows[place])
            if again:
                self._require_well(rows, found)
        return found

    def read(self, row: Mapping[str, Any]) -> Read:
        """One row's pixels, `(height, width, 3)` uint8, or the status and reason of their absence."""
        if row["status"]:
            return Read(row["status"], row["reason"], row["detail"] or "")
        held: dict[str, Any] = {}
        try:
            image = persistently(ATTEMPTS, partial(self._load, row, held), str(row["path"]))
        except DecodeFailure as failure:
            return Read(failure.status, failure.reason, failure.detail, held.get("sha256", ""))
        if image is None:
            return Read(TWIN, sha256=held["sha256"])
        if isinstance(self.source, LocalSource):
            self._last_good = self.source.place(row).path
        return Read(OK, sha256=held["sha256"], image=image)

    def bytes(self, row: Mapping[str, Any]) -> bytes:
        """A row's file as it is, at most `DecodeLimits.max_bytes`.

        Raises:
            DecodeFailure: when it cannot be read.
        """

        def give() -> Returned:
            self._hold(row)
            return self._child.call(GIVE, self.limits.timeout_s)

        return persistently(ATTEMPTS, give, str(row["path"])).payload

    def close(self) -> None:
        """End the child process."""
        self._child.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _load(self, row: Mapping[str, Any], held: dict[str, Any]) -> LoadedImage | None:
        """The image, or None when another row brings its content; `held` receives the sha256 as soon as it is known."""
        held.update(self._hold(row))
        if self._claims is not None and self._claims.owner(held["sha256"], row["image_id"]) != row["image_id"]:
            return None
        return loaded_image(self._child.call(self.limits.decode, self.limits.timeout_s, size=self.size))

    def _hold(self, row: Mapping[str, Any]) -> dict[str, Any]:
        if self._fetcher is not None:
            with self._fetcher.descriptor(row) as descriptor:
                return self._child.call(HOLD_DESCRIPTOR, self.limits.timeout_s, descriptor).fields
        assert isinstance(self.source, LocalSource)
        place = self.source.place(row)
        hold: Callable[..., Any] = partial(
            self._child.call, path=place.path, size=row["size"], modified_ns=row["modified_ns"], inside=place.inside
        )
        if row["position"] < 0:
            return hold(HOLD_FILE, self.limits.timeout_s).fields
        before = min(row["position"], ContainerLimits.stream_bytes)
        timeout_s = self.limits.timeout_s + before / UNPACKED_BYTES_PER_SECOND
        return hold(HOLD_MEMBER, timeout_s, position=row["position"]).fields

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
            require_healthy(self.source, self._look, self._last_good, found[doubtful[-1]].detail)
        return bool(doubtful)

    def _look(self, path: str) -> dict[str, Any]:
        return persistently(ATTEMPTS, lambda: self._child.call(LOOK, self.limits.timeout_s, path=path), path).fields
