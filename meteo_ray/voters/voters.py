"""Who votes beside a stage's network, and their votes on images and on what is written on them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from meteo_ray.batch import Batch
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.boosted_trees import Trees
from meteo_ray.voters.descriptors import describe_all
from meteo_ray.voters.text_voter import Page, TextVoter, pages_of

# Before the names of votes where they travel as columns of a batch.
COLUMN = "vote_"


@dataclass(frozen=True)
class Voters:
    """Trees on descriptors of the pixels, and a linear model of what is written; either may be missing."""

    trees: Trees | None = None
    text: TextVoter | None = None
    text_mode: str | None = None
    """How the texts that `text` learnt from were read, see text.config."""

    def __bool__(self) -> bool:
        return self.trees is not None or self.text is not None

    def descriptors(self, batch: Batch) -> np.ndarray | None:
        """What trees look at, float32 `(rows, FEATURES)`: a batch's `descriptors`, or else those of its `image`, uint8
        `(rows, height, width, 3)`; None where no trees vote."""
        if self.trees is None:
            return None
        return describe_all(np.asarray(batch["image"])) if "descriptors" not in batch else batch["descriptors"]

    def on_descriptors(self, descriptors: np.ndarray | None) -> dict[str, np.ndarray]:
        """Votes `(rows, questions)` on what `descriptors` found."""
        return {} if self.trees is None or descriptors is None else {Trees.VOTE: self.trees.votes(descriptors)}

    def on_images(self, batch: Batch) -> dict[str, np.ndarray]:
        """Votes `(rows, questions)` on a batch's images, or on their descriptors where it has them."""
        return self.on_descriptors(self.descriptors(batch))

    def on_pages(self, pages: Sequence[Page | None], vocabulary: Vocabulary) -> dict[str, np.ndarray]:
        """Votes `(rows, questions)` on what is written; NaN where it was not read."""
        return {} if self.text is None else self.text.votes_where_read(pages, vocabulary)

    def write(self, folder: Path) -> dict[str, Any]:
        """Write trees.txt and text_voter.safetensors where there are such; what a bundle's config must say of it."""
        if self.trees is not None:
            self.trees.write(folder)
        if self.text is not None:
            self.text.write(folder)
        heard = {"text": self.text is not None, "text_mode": self.text_mode if self.text else None}
        return {"descriptors": self.trees is not None, **heard}

    @classmethod
    def read(cls, folder: Path, config: dict[str, Any], questions: int) -> Self:
        """Those of a bundle. Raises UsageError when a file is missing or damaged, KeyError when `config` is silent."""
        trees = Trees.read(folder, questions) if config["descriptors"] else None
        return cls(trees, TextVoter.read(folder, questions) if config["text"] else None, config.get("text_mode"))


@dataclass(frozen=True)
class PrepareVotes:
    """Picklable: adds the voters' votes to what `prepared` makes of a batch, as columns that start with COLUMN."""

    prepared: Callable[[Batch], Batch]
    voters: Voters
    vocabulary: Vocabulary

    def __call__(self, batch: Batch) -> Batch:
        found = dict(self.prepared(batch))
        votes = {**self.voters.on_images(found), **self.voters.on_pages(pages_of(found), self.vocabulary)}
        return found | {COLUMN + name: values for name, values in votes.items()}


def votes_in(batch: Batch) -> Batch:
    """The votes among a batch's columns, under their voters' names."""
    return {name.removeprefix(COLUMN): values for name, values in batch.items() if name.startswith(COLUMN)}
