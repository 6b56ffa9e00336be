"""What each labelled image is: checksum, size, format, perceptual hash; found by CPU workers, one decode an image.

Broken and hostile images end as a reason, not as an exception: decoding happens in a guarded child process.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from meteo_ray.batch import Batch, concatenate
from meteo_ray.cluster import connect
from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.imaging.guarded_decoding import GuardedLoader
from meteo_ray.preparation.duplicates import perceptual_hash
from meteo_ray.progress import ProgressLine
from meteo_ray.streaming.stream import stream

BATCH_ROWS = 64


@dataclass(frozen=True)
class ProbeImages:
    """Reads column `path`; adds sha256, width, height, format, perceptual_hash, `ok` and `reason` (empty when ok)."""

    data: Path
    timeout_s: float

    def __call__(self, batch: Batch) -> Batch:
        found = [self._probe(str(path)) for path in batch["path"]]
        columns = {name: [row[name] for row in found] for name in found[0]}
        whole = {name: np.array(columns.pop(name), dtype=np.int32) for name in ("width", "height")}
        ok = np.array([not reason for reason in columns["reason"]], dtype=bool)
        return {**batch, **whole, **{name: np.array(texts, dtype=object) for name, texts in columns.items()}, "ok": ok}

    def _probe(self, path: str) -> dict[str, str | int]:
        try:
            image = _loader(self.timeout_s).load(self.data / path, INPUT_SIZE)
        except DecodeFailure as failure:
            nothing: dict[str, str | int] = {"sha256": "", "width": 0, "height": 0, "format": "", "perceptual_hash": ""}
            return {**nothing, "reason": failure.reason}
        return {
            "sha256": image.sha256,
            "width": image.width,
            "height": image.height,
            "format": image.format,
            "perceptual_hash": perceptual_hash(image.pixels),
            "reason": "",
        }


@lru_cache(maxsize=1)
def _loader(timeout_s: float) -> GuardedLoader:
    """One guarded child per worker process, kept between batches: starting it costs more than a batch of decodes."""
    return GuardedLoader(timeout_s=timeout_s)


def probe_images(data: Path, paths: list[str], timeout_s: float, workers: int | None) -> Batch:
    """Probe every path under `data`, in the order given, whatever the number of workers."""
    connect()
    progress = ProgressLine("reading images", len(paths))
    parts = []
    rows = pa.table({"path": pa.array(paths, pa.string())})
    for batch in stream(rows, ProbeImages(data.resolve(), timeout_s), BATCH_ROWS, workers, drop_failed=False):
        parts.append(batch)
        progress.update(len(batch["path"]))
    progress.close()
    return concatenate(parts)
