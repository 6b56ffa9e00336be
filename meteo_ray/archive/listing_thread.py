"""Lists the archive beside the judging, so that the first image need not wait for the last name."""

import logging
from threading import Condition, Thread

from meteo_ray.archive.manifest import Manifest
from meteo_ray.archive.source import LocalSource, RemoteSource

logger = logging.getLogger("meteo_ray")


class Listing:
    """A listing on its way into the manifest."""

    def __init__(self, source: LocalSource | RemoteSource, manifest: Manifest) -> None:
        self._source, self._manifest = source, manifest
        self._news = Condition()
        self._error: BaseException | None = None
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

    def _list(self) -> None:
        try:
            for rows in self._manifest.extend(self._source.entries()):
                self.rows += rows
                self._tell()
        except BaseException as error:  # raised again where somebody can act on it
            self._error = error
        self._tell()

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()
