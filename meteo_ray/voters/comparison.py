"""How good each voter of a stage is alone, and how good they are together."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meteo_ray.batch import Batch, objects
from meteo_ray.calibration.votes import Votes
from meteo_ray.voters.boosted_trees import Trees
from meteo_ray.voters.text_voter import Page, TextVoter, pages_of
from meteo_ray.voters.voices import Voiced, voices

Measure = Callable[[NDArray[np.bool_], NDArray[np.float64]], float | None]
"""Which rows were asked, bool `(rows,)`, and their scores `(asked, questions)` -> how good these are."""


class Decides(Voiced, Protocol):
    """A verdict, with what it answers."""

    def __call__(self, votes: Votes, pages: Sequence[Page | None]) -> Batch: ...


def compared(
    verdict: Decides, votes: Votes, pages: Sequence[Page | None], column: str, measure: Measure, metric: str
) -> dict[str, dict[str, Any]]:
    """Each voter and some of them together, on the rows where they were asked.

    Args:
        verdict: of the stage.
        votes: on the pixels, `(rows, questions)` by voter.
        pages: one an image, None where its text was not read.
        column: of the verdict's answer: its scores.
        measure: how good scores are; any rising scale will do.
        metric: what it is called.

    Returns:
        name -> rows and the metric: network (all its heads together), each head where there are several, trees, words,
        names, text (both of these), pixels (all that do not read) and all; those that there are.
    """
    alone = voices(verdict, votes, pages)
    heads = [name for name in votes if name != Trees.VOTE]
    written = [name for name in TextVoter.VOTES if name in alone]
    found = {"network": _sum(alone, heads), **(alone if len(heads) > 1 else _without(alone, heads))}
    if written:
        found["text"] = _sum(alone, written)
    found["pixels"] = _scores(verdict(votes, [None] * len(pages)), column)
    if written:
        read = np.array([page is not None for page in pages])
        found["all"] = np.where(read[:, None], _scores(verdict(votes, pages), column), np.nan)
    return {name: _measured(scores, measure, metric) for name, scores in found.items()}


def pages_written(rows: pa.Table) -> list[Page | None]:
    """What is written on each row of an index with texts (`text.table.with_texts`)."""
    return pages_of({name: objects(rows[name].to_pylist()) for name in ("title", "text")})


def _measured(scores: NDArray[np.float64], measure: Measure, metric: str) -> dict[str, Any]:
    asked = np.asarray(~np.isnan(scores).any(axis=1))
    return {"rows": int(asked.sum()), metric: measure(asked, scores[asked])}


def _scores(answer: Batch, column: str) -> NDArray[np.float64]:
    """The verdict's scores with a column for each question, as voters have."""
    return np.asarray(answer[column], dtype=np.float64).reshape(len(answer[column]), -1)


def _sum(alone: Mapping[str, NDArray[np.float64]], names: Sequence[str]) -> NDArray[np.float64]:
    return np.asarray(np.sum([alone[name] for name in names], axis=0))


def _without(alone: Mapping[str, NDArray[np.float64]], names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    return {name: values for name, values in alone.items() if name not in names}
