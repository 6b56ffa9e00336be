"""Lists the archive beside the judging, so that the first image need not wait for the last name."""

import logging
from collections.abc import Iterator
from threading import Condition, Thread

from meteo_ray.archive.inputs.listing import Entry
from meteo_ray.archive.inputs.manifest import Manifest
from meteo_ray.archive.inputs.source import LocalSource, RemoteSource

# A scan that hangs on a share is left alone after so many seconds.
STOP_TIMEOUT_S = 10.0

logger = logging.getLogger("meteo_ray")


class Listing:
    """A listing on its way into the manifest."""

    def __init__(self, source: LocalSource | RemoteSource, manifest: Manifest) -> None:
        self._source, self._manifest = source, manifest
        self._news = Condition()
        self._error: BaseException | None = None
        self._stopped = False
        self._thread = Thread(target=self._list, name="listing", daemon=True)
        self.rows = manifest.rows()
        """Files listed so far, by earlier calls of the job too."""
        self._thread.start()

    @property
    def finished(self) -> bool:
        return not self._thread.is_alive()

    def wait(self, timeout_s: float = 1.0) -> None:
        """Until there is another shard or the listing has ended, at most so long."""
        with self._news:
            if not self.finished:
                self._news.wait(timeout_s)

    def require_complete(self) -> None:
        """Wait for the end.

        Raises:
            MachineFault: when the archive could not be listed to its end.
        """
        self._thread.join()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the listing, wherever it is: nothing may be written once the job has let the folder go."""
        self._stopped = True
        self._thread.join(STOP_TIMEOUT_S)

    def _entries(self) -> Iterator[Entry]:
        for found in self._source.entries():
            if self._stopped:
                return
            yield found

    def _list(self) -> None:
        try:
            for rows in self._manifest.extend(self._entries()):
                self.rows += rows
                self._tell()
        except BaseException as error:  # raised again where somebody can act on it
            self._error = error
        self._tell()

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()
