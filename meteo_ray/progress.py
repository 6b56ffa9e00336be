"""Progress lines that stay readable in a log file: one line every few seconds, with rate and time left."""

import logging
import time
from datetime import timedelta

logger = logging.getLogger("meteo_ray")


class ProgressLine:
    """Counts towards `total` and logs `label: 120/970 (12 %)  31.4 images/s  left 0:00:27  loss 0.31`.

    `total` may be None when it is not known; then no share and no time left are shown. `done` of them were there
    before. The rate is that of the time since the previous line, from the first count on, so that a slow start, such as
    loading models, colours nothing.
    """

    def __init__(
        self, label: str, total: int | None, unit: str = "images", interval_s: float = 10.0, done: int = 0
    ) -> None:
        self.label, self.total, self.unit, self.interval_s = label, total, unit, interval_s
        self.count = self._done = done
        self._started = self._last_time = time.monotonic()
        self._last_count: int | None = None

    def update(self, count: int, **values: float) -> None:
        """Add `count` and log a line when the interval has passed; `values` are appended by name."""
        self.count += count
        if self._last_count is None:
            self._last_time, self._last_count = time.monotonic(), self.count
        elif time.monotonic() - self._last_time >= self.interval_s:
            self._log(values)

    def close(self, **values: float) -> None:
        """Log the closing line: everything done, the mean rate, the time it took."""
        seconds = time.monotonic() - self._started
        new = self.count - self._done
        parts = [f"{self.label}: {new} {self.unit} in {_clock(seconds)}"]
        parts.append(f"{new / max(seconds, 1e-9):.1f} {self.unit}/s")
        logger.info("  ".join(parts + _named(values)))

    def _log(self, values: dict[str, float]) -> None:
        now = time.monotonic()
        rate = (self.count - (self._last_count or 0)) / max(now - self._last_time, 1e-9)
        parts = [f"{self.label}: {self.count}"]
        if self.total:
            parts[0] += f"/{self.total} ({100 * self.count // self.total} %)"
        parts.append(f"{rate:.1f} {self.unit}/s")
        if self.total and rate > 0:
            parts.append(f"left {_clock((self.total - self.count) / rate)}")
        logger.info("  ".join(parts + _named(values)))
        self._last_time, self._last_count = now, self.count


def _clock(seconds: float) -> str:
    return str(timedelta(seconds=round(max(seconds, 0))))


def _named(values: dict[str, float]) -> list[str]:
    return [f"{name} {value:.4g}" for name, value in values.items()]
