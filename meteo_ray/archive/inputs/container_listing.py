"""Lists what is in tar and zip files, in a guarded child: their directories are hostile bytes like any others."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from meteo_ray.archive.inputs.container_members import UNPACKED_BYTES_PER_SECOND, ContainerLimits
from meteo_ray.archive.inputs.listing import Entry, member_entry, require_root
from meteo_ray.files import storable
from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.guarded_decoding import MEMORY_LIMIT_BYTES
from meteo_ray.imaging.guarded_process import GuardedProcess, persistently

if TYPE_CHECKING:
    from meteo_ray.archive.inputs.source import Place

LIST_CONTAINER = "meteo_ray.archive.reading.guarded_reading:list_container"

# A compressed tar is unpacked once to find its members.
TIMEOUT_S = ContainerLimits.stream_bytes / UNPACKED_BYTES_PER_SECOND


class ContainerLister:
    """Gives the entries of the members of a tar or zip file; a context manager.

    One that is damaged, or beyond the limits of archive.containers, has a row of its own that says so, beside those
    of the members that could be found.
    """

    def __init__(self, root: str, place: "Callable[[dict[str, object]], Place]") -> None:
        self._root, self._place = root, place
        self._process = GuardedProcess(MEMORY_LIMIT_BYTES, LIST_CONTAINER, readable=(root,))

    def __call__(self, container: Entry) -> Iterator[Entry]:
        place = self._place({"name": container.name})
        ask = partial(
            self._process.call,
            LIST_CONTAINER,
            TIMEOUT_S,
            path=place.path,
            modified_ns=container.modified_ns,
            inside=place.inside,
        )
        try:
            returned = persistently(2, ask, container.path)
            members, failure = returned.fields["members"], returned.fields["failure"]
        except DecodeFailure as refused:
            require_root(self._root)
            members, failure = [], (refused.status, refused.reason, refused.detail)
        yield from (member_entry(container, member) for member in members)
        if failure is not None:
            yield _own_row(container, *failure)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._process.close()


def _own_row(container: Entry, status: str, reason: str, detail: str) -> Entry:
    return replace(container, status=status, reason=reason, detail=storable(detail))
