"""Reads what is written on the images of a prepared data folder, once: INDEX/texts.parquet for training and evaluation.

Lines that labels.jsonl gives (`text_lines`, of drawn images) are taken from there, as many as the mode would read;
others are read by OCR, in CPU workers, and kept by content, so that a job that was stopped goes on where it was and new
images alone are read later.
"""

import hashlib
import json
import logging
import posixpath
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
from meteo_ray.preparation.given_lines import KEY, as_read, given_lines
from meteo_ray.preparation.json_lines import read_json_lines
from meteo_ray.preparation.labels_file import FILE_NAME
from meteo_ray.progress import ProgressLine
from meteo_ray.streaming.index import read_index
from meteo_ray.streaming.stream import stream
from meteo_ray.streaming.unchanged import require_unchanged
from meteo_ray.text.cache import TextCache, reading_version
from meteo_ray.text.config import ReadingSettings
from meteo_ray.text.lines import TextLine
from meteo_ray.text.modes import MODES, Mode
from meteo_ray.text.reader import LINES, TextReader
from meteo_ray.text.table import texts_path, write_texts, written

logger = logging.getLogger("meteo_ray")

CACHE_FILE = "texts.sqlite"
# What `_read` takes of a batch that PrepareTexts made.
COLUMNS = ("sha256", "path", "lines", "ok", "problem")

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
    lines = _given(data, index, MODES[config.text.mode])
    given = len(lines)
    folder = (config.cache or data / "cache").resolve()
    with closing(TextCache(folder / CACHE_FILE, reading_version(config.text))) as cache:
        missing = _recall(index, lines, cache)
        known = len(lines) - given
        for sha256, found in _read(data, index.take(missing), config):
            cache.put(sha256, found)
            lines[sha256] = found
    if len(missing) and not lines:
        raise MachineFault(f"none of {len(missing)} images could be read; see the warnings above")
    path = texts_path(data, config.index)
    try:
        write_texts(path, ({"sha256": sha256, **written(found)} for sha256, found in lines.items()), config.text.mode)
    except OSError as error:
        raise MachineFault(f"{path}: cannot be written: {error}; make room and run the job again") from None
    distinct = len(set(index["sha256"].to_pylist()))
    return TextsRead(path, given, known, len(lines) - given - known, distinct - len(lines))


@dataclass(frozen=True)
class PrepareTexts:
    """Picklable: `lines` (JSON) and `ok` of rows of the index, read by an OCR child of each worker process.

    `problem` says why a row has none. `fault` says what the machine failed at, empty where it did not: rows after that
    are not read. An exception would come out of Ray as another one, without its message for the user.
    """

    data: Path
    text: ReadingSettings

    def __call__(self, batch: Batch) -> Batch:
        lines, problems, fault = [], [], ""
        for path, sha256 in zip(batch["path"], batch["sha256"], strict=True):
            found, problem = None, fault
            try:
                found = None if fault else self._lines(str(path), str(sha256))
            except DecodeFailure as failure:
                problem = failure.detail
            except MachineFault as error:
                problem = fault = str(error)
            lines.append(found)
            problems.append(problem)
        return {
            "sha256": batch["sha256"],
            "path": batch["path"],
            "lines": objects([found or "[]" for found in lines]),
            "ok": np.array([found is not None for found in lines]),
            "problem": objects(problems),
            "fault": objects([fault] * len(lines)),
        }

    def _lines(self, path: str, sha256: str) -> str:
        """Raises DecodeFailure where the image cannot be decoded or read, or is not the one that was indexed."""
        data = read_bytes(self.data / path)
        require_unchanged(path, hashlib.sha256(data).hexdigest(), sha256)
        reading = _reader(self.text).read(page_pixels(decode(data).image))
        if reading.failure is not None:
            raise DecodeFailure("error", reading.failure, reading.detail)
        return json.dumps([asdict(line) for line in reading.lines])


@lru_cache(maxsize=1)
def _reader(settings: ReadingSettings) -> TextReader:
    """One child for each worker process: it takes seconds to start."""
    return TextReader(settings)


def _given(data: Path, index: pa.Table, mode: Mode) -> dict[str, tuple[TextLine, ...]]:
    """What labels.jsonl says is written, by content, as far as a reading in this mode would have found it.

    Of several rows of an image the first counts, as in the index.
    """
    images = {row["path"]: row for row in index.select(["path", "sha256", "width", "height"]).to_pylist()}
    found: dict[str, tuple[TextLine, ...]] = {}
    file, seen = data / FILE_NAME, set[str]()
    if not file.is_file():
        return found
    for number, row in read_json_lines(file, []):  # its other problems are prepare_data's to tell
        path = posixpath.normpath(row["path"]) if isinstance(row.get("path"), str) else ""
        if path not in images or path in seen:
            continue
        seen.add(path)
        try:
            lines = given_lines(row)
        except ValueError as error:
            raise UsageError(f"{file}:{number}: {KEY}: {error}") from None
        if lines is not None:
            image = images[path]
            found[image["sha256"]] = as_read(lines, mode, image["width"], image["height"])
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
        for sha256, path, lines, ok, problem in zip(*(batch[name] for name in COLUMNS), strict=True):
            if ok:
                yield str(sha256), LINES.validate_json(lines)
            elif not batch["fault"][0]:
                logger.warning("%s: goes without its text: %s", path, problem)
        if fault := batch["fault"][0]:
            raise MachineFault(f"{fault}; run the job again, it goes on where it stopped")
    progress.close()
