"""How a stage measures what its predictor said; one subclass of `StageEvaluation` in every stage's folder."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
from PIL import Image

from meteo_ray.batch import Batch
from meteo_ray.judging.judge import Judge, Judged
from meteo_ray.judging.settings import EvaluationSettings
from meteo_ray.text.table import with_texts, without_texts
from meteo_ray.vocabulary import Vocabulary


@dataclass(frozen=True)
class Scored:
    """A stage's entry of the metrics file, and the judgements that a report draws from."""

    metrics: dict[str, Any]
    judged: Judged


@dataclass(frozen=True)
class Mistakes:
    """Rows that were judged wrong, the worst first, int64 `(mistakes,)`, and the score of each, `(mistakes,)`.

    `score` says in words what the scores are; `details`, where there are any, what is wrong with each row, in lines.
    """

    title: str
    score: str
    rows: np.ndarray
    scores: np.ndarray
    details: Sequence[str] = ()


@dataclass(frozen=True)
class Sheet:
    """Pictures made of some rows, int64 `(pictures,)`, with a text for each; `note` says what they show."""

    title: str
    note: str
    rows: np.ndarray
    images: list[Image.Image]
    texts: list[str]


@dataclass(frozen=True)
class SplitContext:
    """What there is to score on: the index, the vocabulary in force and the job's settings."""

    job: EvaluationSettings
    index: pa.Table
    vocabulary: Vocabulary
    judge: Judge

    @property
    def data(self) -> Path:
        return self.job.data.resolve()

    def with_texts(self, rows: pa.Table) -> pa.Table:
        """Rows of the index with `title` and `text`, null where no text was read or none is to be heard."""
        return with_texts(rows, self.data, self.job.index) if self.job.text else without_texts(rows)

    def unaltered(self) -> Self:
        """For the measures on images as they are (R5)."""
        job = self.job.unaltered()
        return replace(self, job=job, judge=replace(self.judge, job=job, note="as they are"))


class StageEvaluation(ABC):
    """A stage's measures on a labelled split, on its own and as a part of the cascade.

    `headline` names the metrics worth a line, the target's first; `cascade_headline` those of `end_to_end`.
    `batch_size` is how many images one call of the predictor gets in the cascade; None: as many as the job says.
    """

    headline: ClassVar[tuple[str, ...]]
    cascade_headline: ClassVar[tuple[str, ...]] = ()
    batch_size: ClassVar[int | None] = None

    @abstractmethod
    def rows(self, context: SplitContext) -> pa.Table:
        """The rows of the split that carry the label which the stage is scored by. Raises UsageError on wrong ones."""

    @abstractmethod
    def score(self, context: SplitContext, predictor: Any, rows: pa.Table) -> Scored:
        """Judge `rows` and measure; `metrics` holds seconds_per_image, rows and unreadable besides the stage's own."""

    def end_to_end(self, judged: Mapping[str, Judged], vocabulary: Vocabulary) -> dict[str, Any]:
        """What the stage adds to the cascade's metrics, from every stage's judgements of what was left to it."""
        return {}

    def plots(self, scored: Scored) -> list[str]:
        """Plots for the report as `data:` URIs."""
        return []

    def classes(self, scored: Scored) -> list[dict[str, Any]]:
        """A line for each class that the stage tells apart, for the report's table and the CSV file beside it.

        Its name comes first, then `support`, the rows of that class; lines without any are shown apart.
        """
        return []

    def mistakes(self, scored: Scored) -> list[Mistakes]:
        """Kinds of mistakes that the report shows with pictures."""
        return []

    def sheets(self, scored: Scored, predictor: Any, pixels: Callable[[Batch], Batch]) -> list[Sheet]:
        """Pictures for the report on which the stage shows more than it answers; `pixels` prepares rows."""
        return []


def cost(judged: Judged) -> dict[str, Any]:
    """What a run took: rows, unreadable, seconds_per_image."""
    return {
        "rows": judged.rows.num_rows,
        "unreadable": judged.unreadable,
        "seconds_per_image": judged.seconds_per_image,
    }
