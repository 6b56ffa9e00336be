"""How good each voter of a stage is alone, and how good they are together."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from meteo_ray.batch import objects
from meteo_ray.calibration.votes import Votes
from meteo_ray.voters.boosted_trees import Trees
from meteo_ray.voters.text_voter import Page, TextVoter, pages_of
from meteo_ray.voters.verdict import VotedVerdict, asked

Measure = Callable[[np.ndarray, np.ndarray], float | None]
"""Targets and scores `(rows, questions)` of the rows that were asked -> how good these are, on any rising scale."""


def compared(
    verdict: VotedVerdict[Any],
    votes: Votes,
    pages: Sequence[Page | None],
    targets: np.ndarray,
    measure: Measure,
    metric: str,
) -> dict[str, dict[str, Any]]:
    """Each voter and some of them together, on the rows where they were asked.

    Args:
        verdict: of the stage.
        votes: on the pixels, `(rows, questions)` by voter.
        pages: one an image, None where its text was not read.
        targets: what is right, with a row for each image.
        measure: how good scores are.
        metric: what that is called.

    Returns:
        name -> rows and the metric: network (all its heads together), each head where there are several, trees, words,
        names, text (both of these), pixels (all that do not read) and all; those that there are.
    """
    alone = verdict.voices(votes, pages)
    heads = [name for name in verdict.voters if name != Trees.VOTE]
    written = [name for name in TextVoter.VOTES if name in alone]
    shown = {name: scores for name, scores in alone.items() if len(heads) > 1 or name not in heads}
    found = {"network": _sum([alone[name] for name in heads]), **shown}
    if written:
        found["text"] = _sum([alone[name] for name in written])
    found["pixels"] = verdict.image.scores(votes)
    if written:
        scores, read = verdict.heard(votes, pages)
        found["all"] = np.where(_by_question(read), _by_question(scores), np.nan)
    return {name: _measured(targets, _by_question(scores), measure, metric) for name, scores in found.items()}


def pages_written(rows: pa.Table) -> list[Page | None]:
    """What is written on each row of an index with texts (`text.table.with_texts`)."""
    return pages_of({name: objects(rows[name].to_pylist()) for name in ("title", "text")})


def _measured(targets: np.ndarray, scores: np.ndarray, measure: Measure, metric: str) -> dict[str, Any]:
    rows = asked(scores)
    return {"rows": int(rows.sum()), metric: measure(targets[rows], scores[rows])}


def _by_question(values: np.ndarray) -> np.ndarray:
    """A column for each question, also where there is only one."""
    return values.reshape(len(values), -1)


def _sum(scores: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    return np.asarray(np.sum(scores, axis=0))
