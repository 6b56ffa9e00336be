"""Reads what is written on the images of a prepared data folder, once: INDEX/texts.parquet for training and evaluation.

Lines that labels.jsonl gives (`text_lines`, of drawn images) are taken as they are; others are read by OCR, in CPU
workers, and kept by content, so that a job that was stopped goes on where it was and new images alone are read later.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from meteo_ray.batch import Batch, objects
from meteo_ray.cluster import connect
from meteo_ray.errors import MachineFault, UsageError
from meteo_ray.imaging.decode import DecodeFailure, decode, read_bytes
from meteo_ray.imaging.page_pixels import page_pixels
from meteo_ray.preparation.config import ReadText
from meteo_ray.preparation.given_lines import given_lines
from meteo_ray.preparation.json_lines import read_json_lines
from meteo_ray.preparation.labels_file import FILE_NAME
from meteo_ray.progress import ProgressLine
from meteo_ray.streaming.index import read_index
from meteo_ray.streaming.stream import stream
from meteo_ray.text.cache import TextCache, reading_version
from meteo_ray.text.config import TextSettings
from meteo_ray.text.lines import TextLine
from meteo_ray.text.reader import LINES, TextReader
from meteo_ray.text.table import texts_path, write_texts, written

logger = logging.getLogger("meteo_ray")

CACHE_FILE = "texts.sqlite"
BATCH_ROWS = 8  # an image takes about a second: a worker's task is some seconds long, and progress is seen


@dataclass(frozen=True)
class TextsRead:
    """How many images have their text, and where it came from."""

    path: Path
    given: int
    known: int
    read: int
    failed: int

    def summary(self) -> str:
        parts = f"{self.given} from labels.jsonl, {self.known} read before, {self.read} read now, {self.failed} failed"
        return f"{self.path}: what is written on {self.given + self.known + self.read} images: {parts}"


def read_texts(config: ReadText) -> TextsRead:
    """Write texts.parquet beside the index.

    Raises:
        UsageError: when the data folder is not prepared, or text is not to be read.
        MachineFault: when texts cannot be read on this machine; those that were are kept.
    """
    if config.data is None:
        raise UsageError("--data is required (or set METEO_RAY_DATA)")
    if config.text.mode == "off":
        raise UsageError("--text.mode off reads nothing; choose title or page")
    data = config.data.resolve()
    index = read_index(data, config.index)
    lines = _given(data, index)
    given = len(lines)
    folder = (config.cache or data / "cache").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    with closing(TextCache(folder / CACHE_FILE, reading_version(config.text))) as cache:
        missing = _recall(index, lines, cache)
        known = len(lines) - given
        for sha256, found in _read(data, index.take(missing), config):
            cache.put(sha256, found)
            lines[sha256] = found
    path = texts_path(data, config.index)
    write_texts(path, ({"sha256": sha256, **written(found)} for sha256, found in lines.items()))
    distinct = len(set(index["sha256"].to_pylist()))
    return TextsRead(path, given, known, len(lines) - given - known, distinct - len(lines))


@dataclass(frozen=True)
class PrepareTexts:
    """Picklable: `lines` (JSON) and `ok` of rows of the index, read by an OCR child of each worker process.

    `fault` says what the machine failed at, empty where it did not: rows after that are not read. An exception would
    come out of Ray as another one, without its message for the user.
    """

    data: Path
    text: TextSettings

    def __call__(self, batch: Batch) -> Batch:
        found: list[str | None] = []
        fault = ""
        try:
            for path in batch["path"]:
                found.append(self._lines(str(path)))
        except MachineFault as error:
            fault = str(error)
        found += [None] * (len(batch["path"]) - len(found))
        return {
            "sha256": batch["sha256"],
            "lines": objects([lines or "[]" for lines in found]),
            "ok": np.array([lines is not None for lines in found]),
            "fault": objects([fault] * len(found)),
        }

    def _lines(self, path: str) -> str | None:
        """None where the image cannot be decoded or read."""
        try:
            reading = _reader(self.text).read(page_pixels(decode(read_bytes(self.data / path)).image))
        except DecodeFailure:
            return None
        return None if reading.failure else json.dumps([asdict(line) for line in reading.lines])


@lru_cache(maxsize=1)
def _reader(settings: TextSettings) -> TextReader:
    """One child for each worker process: it takes seconds to start."""
    return TextReader(settings)


def _given(data: Path, index: pa.Table) -> dict[str, tuple[TextLine, ...]]:
    """What labels.jsonl says is written, by content; its problems are prepare_data's to tell."""
    content = dict(zip(index["path"].to_pylist(), index["sha256"].to_pylist(), strict=True))
    found: dict[str, tuple[TextLine, ...]] = {}
    if not (data / FILE_NAME).is_file():
        return found
    for _, row in read_json_lines(data / FILE_NAME, []):
        lines, path = given_lines(row), row.get("path")
        if lines is not None and path in content:
            found[content[path]] = lines
    return found


def _recall(index: pa.Table, lines: dict[str, tuple[TextLine, ...]], cache: TextCache) -> np.ndarray:
    """Add what was read before to `lines`; the rows of the first image of each content that is still to be read."""
    missing: dict[str, int] = {}
    for row, sha256 in enumerate(index["sha256"].to_pylist()):
        if sha256 in lines or sha256 in missing:
            continue
        known = cache.get(sha256)
        if known is None:
            missing[sha256] = row
        else:
            lines[sha256] = known
    return np.array(list(missing.values()), dtype=np.int64)


def _read(data: Path, rows: pa.Table, config: ReadText) -> Iterator[tuple[str, tuple[TextLine, ...]]]:
    if not rows.num_rows:
        return
    connect()
    progress = ProgressLine("reading text", rows.num_rows)
    prepare = PrepareTexts(data, config.text)
    for batch in stream(rows.select(["path", "sha256"]), prepare, BATCH_ROWS, config.workers, drop_failed=False):
        progress.update(len(batch["ok"]))
        for sha256, lines, ok in zip(batch["sha256"], batch["lines"], batch["ok"], strict=True):
            if ok:
                yield str(sha256), LINES.validate_json(lines)
        if fault := next(filter(None, batch["fault"]), ""):
            raise MachineFault(f"{fault}; run the job again, it goes on where it stopped")
    progress.close()
