"""A predictor over the rows of a split: pixels streamed by Ray Data, columns and seconds back."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import numpy as np
import pyarrow as pa

from meteo_ray.batch import Batch, concatenate, objects
from meteo_ray.errors import UsageError
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.judging.settings import EvaluationSettings
from meteo_ray.progress import ProgressLine
from meteo_ray.streaming.image_store import ImageStore
from meteo_ray.streaming.pixels import PIXEL_COLUMNS, PreparePixels
from meteo_ray.streaming.stream import stream
from meteo_ray.vocabulary import Vocabulary


@dataclass(frozen=True)
class Judged:
    """The rows that could be read, what a predictor said about each, and how long it took.

    `columns` also holds `augmented` where the rows' pixels came from `PreparePixels`: what was done to each, as JSON.
    """

    rows: pa.Table
    columns: Batch
    seconds: float
    unreadable: int

    @property
    def seconds_per_image(self) -> float | None:
        return self.seconds / self.rows.num_rows if self.rows.num_rows else None

    def pictures(self, members: np.ndarray, pixels: Callable[[Batch], Batch]) -> list[np.ndarray]:
        """Some rows as `pixels` prepares them, by position: uint8 `(height, width, 3)` each."""
        if not len(members):
            return []
        rows = self.rows.take(pa.array(members, pa.int64()))
        return list(pixels({name: objects(rows[name].to_pylist()) for name in PIXEL_COLUMNS})["image"])


@dataclass(frozen=True)
class Judge:
    """Judges rows of one evaluation with any predictor, on pixels that the job's settings fix; `note` tells of them.

    Titles drawn on charts name other products; with `title_own_share` that share of them names the own one.
    """

    job: EvaluationSettings
    vocabulary: Vocabulary
    note: str = ""
    title_own_share: float = 0.0

    def __call__(
        self,
        label: str,
        predictor: Callable[[Batch], Batch],
        rows: pa.Table,
        size: tuple[int, int] = INPUT_SIZE,
        extra: tuple[str, ...] = (),
        batch_size: int | None = None,
    ) -> Judged:
        """Call `predictor` on batches of `rows` that hold `image` and the columns named in `extra`.

        Args:
            label: for the progress line.
            predictor: batch -> columns, one entry a row.
            rows: of the index, in any order.
            size: width and height of the images that the predictor takes.
            extra: columns of `rows` that the predictor reads besides.
            batch_size: rows of one call, default the job's.
        """
        return judge(
            f"{label}, {self.note}" if self.note else label,
            predictor,
            rows,
            self.pixels(size),
            extra,
            batch_size or self.job.batch_size,
            self.job.data_workers,
        )

    def pixels(self, size: tuple[int, int] = INPUT_SIZE) -> PreparePixels:
        """The fixed draw of every image at `size` (width, height)."""
        data = self.job.data.resolve()
        return PreparePixels(
            data,
            seed=self.job.seed,
            epoch=None,
            augmentation=self.job.augmentation,
            cache=ImageStore((self.job.cache or data / "cache").resolve(), self.job.cache_gb),
            size=size,
            vocabulary=self.vocabulary,
            title_own_share=self.title_own_share,
        )


def judge(
    label: str,
    predictor: Callable[[Batch], Batch],
    rows: pa.Table,
    prepare: Callable[[Batch], Batch],
    extra: tuple[str, ...],
    batch_size: int,
    workers: int | None,
) -> Judged:
    """`Judge.__call__` with any `prepare`; see there. Raises UsageError when there are rows and none can be read."""
    columns = list(dict.fromkeys((*PIXEL_COLUMNS, *extra)))
    numbered = rows.select(columns).append_column("row", pa.array(np.arange(rows.num_rows), pa.int64()))
    progress = ProgressLine(label, rows.num_rows)
    parts: list[Batch] = []
    seconds = 0.0
    for batch in stream(numbered, prepare, batch_size, workers) if rows.num_rows else ():
        if not len(batch["row"]):
            continue
        started = perf_counter()
        answer = predictor(batch)
        seconds += perf_counter() - started
        kept: Batch = {name: batch[name] for name in ("row", "augmented") if name in batch}
        parts.append(answer | kept)
        progress.update(len(batch["row"]))
    progress.close()
    if rows.num_rows and not parts:
        raise UsageError(f"{label}: none of the {rows.num_rows} images can be read; run jobs/prepare_data.py again")
    found = concatenate(parts) or {"row": np.zeros(0, dtype=np.int64)}
    judged = rows.take(pa.array(found.pop("row"), pa.int64()))
    return Judged(judged, found, seconds, rows.num_rows - judged.num_rows)
