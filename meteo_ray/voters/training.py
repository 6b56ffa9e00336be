"""The voters' part of a training: who is asked, from what they learn, and their votes in validation."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from meteo_ray.batch import Batch, concatenate, objects
from meteo_ray.errors import UsageError
from meteo_ray.files import sha256_of
from meteo_ray.text.table import texts_path
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.boosted_trees import TREES, Trees, bundle_with_trees, check_installed
from meteo_ray.voters.config import VoterSettings
from meteo_ray.voters.descriptors import PrepareDescriptors
from meteo_ray.voters.text_voter import TextVoter, pages_of
from meteo_ray.voters.voters import PrepareVotes, Voters

Targets = Callable[[Batch], np.ndarray]
"""Columns of rows -> 0 and 1, `(rows, questions)`."""

Collect = Callable[[str, Callable[[Batch], Batch]], Batch]
"""`training.task.Collect`: a label and a prepare callable -> every training row as that makes it."""


class VoterTraining:
    """Fits the voters of one task.

    Args:
        settings: who is to vote.
        init: the network's first weights; trees of their bundle are gone on with.
        questions: how many the stage answers.
        rounds: trees of each question, where there are no earlier ones.
    """

    def __init__(self, settings: VoterSettings, init: str, questions: int, rounds: int, seed: int) -> None:
        self._settings, self._rounds, self._seed = settings, rounds, seed
        self._earlier_bundle = None if settings.descriptors is False else bundle_with_trees(init)
        by_default = init == "none" or self._earlier_bundle is not None
        self.with_trees = by_default if settings.descriptors is None else settings.descriptors
        if self.with_trees:
            check_installed()
        self._earlier = Trees.read(self._earlier_bundle, questions) if self._earlier_bundle else None
        self._written: Batch = {}
        self.voters = Voters()

    def see(self, training: pa.Table, columns: Sequence[str]) -> None:
        """Keep what is written on the training rows, with the `columns` that tell their targets.

        Raises:
            UsageError: when text is to vote and none was read.
        """
        read = training.filter(training["text"].is_valid())
        if self._settings.text and not read.num_rows:
            raise UsageError(
                "text is to vote, but no training image's text was read; run jobs/read_text.py --data DATA"
            )
        if self._settings.text is not False and read.num_rows:
            self._written = {name: objects(read[name].to_pylist()) for name in ("title", "text", *columns)}

    def fit(
        self, collect: Collect, looks: Mapping[str, Callable[[Batch], Batch]], targets: Targets, vocabulary: Vocabulary
    ) -> None:
        """Fit the trees on every look at the training images, and the text voter on what is written on them.

        Args:
            looks: prepare callables by label: the images as they are, and as the first epoch alters them.
        """
        trees = self._fit_trees(collect, looks, targets) if self.with_trees else None
        text = None
        if self._written:
            pages = [page for page in pages_of(self._written) if page is not None]
            text = TextVoter.fit(pages, targets(self._written), _weights(self._written), vocabulary)
        self.voters = Voters(trees, text)

    def preparing(self, prepared: Callable[[Batch], Batch], vocabulary: Vocabulary) -> Callable[[Batch], Batch]:
        """What validation prepares: votes beside the rest, where somebody votes."""
        return PrepareVotes(prepared, self.voters, vocabulary) if self.voters else prepared

    def origin(self, data: Path, index: Path | None = None) -> list[str]:
        """Digests of what the voters depend on: trees that they go on with, and what was read, see `texts_path`."""
        texts = texts_path(data, index)
        files = [self._earlier_bundle / TREES] if self._earlier_bundle else []
        return [
            sha256_of(file)
            for file in (*files, *([texts] if self._settings.text is not False and texts.is_file() else []))
        ]

    def _fit_trees(self, collect: Collect, looks: Mapping[str, Callable[[Batch], Batch]], targets: Targets) -> Trees:
        if self._earlier and not self._settings.further_trees:
            return self._earlier
        seen = concatenate(
            [collect(label, PrepareDescriptors(look, keep_image=False)) for label, look in looks.items()]
        )
        more = (self._earlier, self._settings.further_trees)
        return Trees.fit(seen["descriptors"], targets(seen), _weights(seen), self._seed, self._rounds, *more)


def _weights(batch: Batch) -> np.ndarray:
    rows: Any = next(iter(batch.values()))
    return np.asarray(batch.get("weight", np.ones(len(rows))), dtype=np.float64)
