"""What the models say of rows when what is written on them is known: votes on the pixels and the text together."""

from collections.abc import Sequence

import numpy as np

from meteo_ray.archive.cascade.judged_rows import Row
from meteo_ray.archive.cascade.models import Model
from meteo_ray.calibration.votes import unstacked
from meteo_ray.judging.verdict import Verdict
from meteo_ray.stage import Judging
from meteo_ray.voters.text_voter import Page


class JudgingAnew:
    """The verdicts of models, without their networks; a model to which text says nothing keeps its answers.

    Raises:
        UsageError: when a verdict cannot be loaded.
    """

    def __init__(self, models: Sequence[Model]) -> None:
        self._judging = [model.judging for model in models]
        self._verdicts = [model.load_verdict() if model.load_verdict is not None else None for model in models]

    def __call__(self, rows: Sequence[Row]) -> None:
        """Judge rows of JUDGED anew, in place, by their votes and the columns `title` and `text`, where these are.

        A row that a stage does not let through loses the answers of later ones, which judged it in case it would be.
        """
        left = list(rows)
        for place, (judging, verdict) in enumerate(zip(self._judging, self._verdicts, strict=True)):
            if verdict is not None and verdict.reads_text:
                _judge(judging, verdict, left)
            if judging.passes is None:
                continue
            later = [name for other in self._judging[place + 1 :] for name in other.answers]
            for row in left:
                row.update({} if row[judging.passes] else dict.fromkeys(later))
            left = [row for row in left if row[judging.passes]]


def _judge(judging: Judging, verdict: Verdict, rows: Sequence[Row]) -> None:
    """Update the answers of those rows that have votes and were read."""
    votes = str(judging.votes)
    heard = [row for row in rows if row["text"] is not None and row.get(votes) is not None]
    if not heard:
        return
    stack = np.array([row[votes] for row in heard], dtype=np.float32)
    pages = [Page.of(row["title"], row["text"]) for row in heard]
    answer = verdict(unstacked(stack, verdict.voters), pages)
    for place, row in enumerate(heard):
        row.update({name: answer[name][place] for name in judging.answers if name in answer})
