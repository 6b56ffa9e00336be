"""The voters' part of a training: who is asked, from what they learn, and their votes in validation."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from meteo_ray.batch import Batch, concatenate, objects
from meteo_ray.bundle import folder_named
from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, write_json
from meteo_ray.imaging.augment_config import UNALTERED, AugmentConfig
from meteo_ray.text.table import texts_mode
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.boosted_trees import Trees, bundle_with_trees, check_installed
from meteo_ray.voters.config import VoterSettings
from meteo_ray.voters.descriptors import PrepareDescriptors
from meteo_ray.voters.earlier_voters import EarlierVoters
from meteo_ray.voters.held_out_text import HeldOutText, image_numbers, source_numbers
from meteo_ray.voters.text_voter import TEXT_VOTER, pages_of
from meteo_ray.voters.voters import COLUMN, PrepareVotes, Voters

logger = logging.getLogger("meteo_ray")

# Which voters were fitted, beside their files.
FITTED = "voters.json"

Targets = Callable[[Batch], np.ndarray]
"""Columns of rows -> 0 and 1, `(rows, questions)`."""

Look = Callable[[int | None, AugmentConfig], Callable[[Batch], Batch]]
"""An epoch, or None for what is the same in all, and what is done to the images -> a prepare callable."""

Collect = Callable[[str, Callable[[Batch], Batch]], Batch]
"""`training.task.Collect`: a label and a prepare callable -> every training row as that makes it."""


class VoterTraining:
    """Fits the voters of one task.

    Args:
        settings: who is to vote.
        init: the network's first weights; voters of their bundle are gone on with where they answer the same questions.
        stage: whose questions these are.
        labels: what they are about, one a question; empty for a stage with a single one.
        rounds: trees of each question, where there are no earlier ones.
    """

    def __init__(
        self, settings: VoterSettings, init: str, stage: str, labels: Sequence[str], rounds: int, seed: int
    ) -> None:
        self._settings, self._stage, self._rounds, self._seed = settings, stage, rounds, seed
        self._questions = len(labels) or 1
        by_default = init == "none" or bundle_with_trees(init) is not None
        self.with_trees = by_default if settings.descriptors is None else settings.descriptors
        if self.with_trees:
            check_installed()
        self._heard_before = (folder_named(init) / TEXT_VOTER).is_file()
        self._earlier = EarlierVoters.of(init, stage, labels, trees=self.with_trees, text=settings.text is not False)
        self._pages: Batch = {}
        self._sources, self._contents = np.zeros(0, dtype=np.int64), pa.table({})
        self._text_mode: str | None = None
        self._share_read = ""
        self.voters = Voters()
        self.written: HeldOutText | None = None

    def see(self, training: pa.Table, asked: int, columns: Sequence[str], texts: Path) -> None:
        """Keep what is written on the training rows, with the `columns` that tell their targets; it comes from `texts`.

        The first `asked` rows shall tell how strange their sources are to each other, see `HeldOutText`; auxiliary ones
        stand beside them and cannot.

        Raises:
            UsageError: when text is to vote and none was read.
        """
        first = pa.array(np.arange(training.num_rows) < asked)
        read = training.append_column("asked", first).filter(training["text"].is_valid())
        if self._settings.text and not read.num_rows:
            raise UsageError(
                "text is to vote, but no training image's text was read; run jobs/read_text.py --data DATA"
            )
        if self._settings.text is not False and read.num_rows:
            self._share_read = f"{read.num_rows} of {training.num_rows}"
            self._text_mode = texts_mode(texts)
            self._pages = {name: objects(read[name].to_pylist()) for name in ("title", "text", *columns)}
            self._sources = source_numbers(read.filter(read["asked"]))
            self._contents = read.select(["sha256", "perceptual_hash"])
        elif self._settings.text is None and self._heard_before:
            self._heard_before = False  # said once
            logger.warning(
                "%s: what is written will not vote, as it does in the model that this one goes on from: no training "
                "image's text was read; run jobs/read_text.py --data DATA, then train (--no-%s.text: leave it so)",
                self._stage,
                self._stage,
            )

    def fit(
        self, collect: Collect, look: Look, augmentation: AugmentConfig, targets: Targets, vocabulary: Vocabulary
    ) -> None:
        """Fit the trees on every image as it is and as the first epoch alters it, the text voter on what is written."""
        trees = self._fit_trees(collect, look, augmentation, targets) if self.with_trees else None
        if self._pages:
            logger.info("what is written votes: it was read on %s training images", self._share_read)
            pages = [page for page in pages_of(self._pages) if page is not None]
            truth, weights = targets(self._pages), _weights(self._pages)
            images = image_numbers(self._contents) if len(self._sources) else None
            earlier = self._earlier.text
            self.written = HeldOutText.fit(pages, truth, weights, self._sources, vocabulary, images, earlier)
        self.voters = Voters(trees, self.written.voter if self.written else None, self._text_mode)

    def keep(self, folder: Path) -> None:
        """Write what `fit` found into a folder; `recall` takes it."""
        write_json(folder / FITTED, self.voters.write(folder))
        if self.written:
            self.written.write(folder)

    def recall(self, folder: Path) -> bool:
        """Whether `keep` has written there what these settings want. Raises UsageError when a file is damaged."""
        fitted = read_json(folder / FITTED) if (folder / FITTED).is_file() else {}
        if (fitted.get("descriptors"), fitted.get("text")) != (self.with_trees, bool(self._pages)):
            return False
        voters = Voters.read(folder, fitted, self._questions)
        self.written = HeldOutText.read(folder, voters.text) if voters.text else None
        self.voters = voters
        return True

    def preparing(self, prepared: Callable[[Batch], Batch], vocabulary: Vocabulary) -> Callable[[Batch], Batch]:
        """What validation prepares: votes beside the rest, where somebody votes."""
        return PrepareVotes(prepared, self.voters, vocabulary) if self.voters else prepared

    def origin(self) -> list[str]:
        """Digests of what the voters depend on besides rows and what was read on them: those that they go on from."""
        return self._earlier.digests()

    def _fit_trees(self, collect: Collect, look: Look, augmentation: AugmentConfig, targets: Targets) -> Trees:
        if self._earlier.trees and not self._settings.further_trees:
            return self._earlier.trees
        looks = _looks(look, augmentation).items()
        seen = concatenate([collect(label, PrepareDescriptors(one, keep_image=False)) for label, one in looks])
        more = (self._earlier.trees, self._settings.further_trees)
        return Trees.fit(seen["descriptors"], targets(seen), _weights(seen), self._seed, self._rounds, *more)


def vote_tensors(batch: Batch) -> dict[str, torch.Tensor]:
    """The voters' columns of a validation batch, for `Task.collate`."""
    return {name: torch.from_numpy(np.array(batch[name])) for name in batch if name.startswith(COLUMN)}


def vote_arrays(batch: Mapping[str, torch.Tensor]) -> Batch:
    """The same columns again, for `Task.outputs`."""
    return {name: votes.cpu().numpy() for name, votes in batch.items() if name.startswith(COLUMN)}


def _looks(look: Look, augmentation: AugmentConfig) -> dict[str, Callable[[Batch], Batch]]:
    """Prepare callables by the label of their progress line."""
    found = {"descriptors": look(None, UNALTERED)}
    return found | ({"descriptors, augmented": look(0, augmentation)} if augmentation.enabled else {})


def _weights(batch: Batch) -> np.ndarray:
    rows: Any = next(iter(batch.values()))
    return np.asarray(batch.get("weight", np.ones(len(rows))), dtype=np.float64)
