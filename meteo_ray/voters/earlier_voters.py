"""The voters of the model that a training goes on from: what they know is kept, and one's own images add to it."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from meteo_ray.bundle import CONFIG, check_file, folder_named
from meteo_ray.files import read_json, sha256_of
from meteo_ray.voters.boosted_trees import Trees, trees_file
from meteo_ray.voters.text_voter import TEXT_VOTER, TextVoter

logger = logging.getLogger("meteo_ray")


@dataclass(frozen=True)
class EarlierVoters:
    """Those that answer the same questions, or the first of them; `files` is where they stand."""

    trees: Trees | None = None
    text: TextVoter | None = None
    files: tuple[Path, ...] = ()

    @classmethod
    def of(cls, init: str, stage: str, labels: Sequence[str], trees: bool, text: bool) -> Self:
        """The voters of the bundle that `init` names, see `bundle.folder_named`; none where it is no bundle.

        Args:
            stage: whose questions these are.
            labels: what they are about, one a question; empty for a stage with a single one.
            trees, text: which are wanted.

        Raises:
            UsageError: when a file is damaged.
        """
        folder = folder_named(init)
        path_of_trees, path_of_text = trees_file(folder), folder / TEXT_VOTER
        wanted = [path_of_trees] if trees and path_of_trees else []
        wanted += [path_of_text] if text and path_of_text.is_file() else []
        if not wanted or not (known := _questions(folder, stage, labels)):
            return cls()
        for path in wanted:
            check_file(folder, path.name)  # LightGBM may die of damaged ones
        return cls(
            trees=Trees.read(folder, len(labels) or 1) if path_of_trees in wanted else None,
            text=TextVoter.read(folder, known) if path_of_text in wanted else None,
            files=tuple(wanted),
        )

    def digests(self) -> list[str]:
        """A run that goes on from others is another run."""
        return [sha256_of(path) for path in self.files]


def _questions(folder: Path, stage: str, labels: Sequence[str]) -> int:
    """How many questions a bundle answers, if they are those of `stage` about the first of `labels`; else 0."""
    document = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    known = document.get("labels", [])
    if document.get("stage") == stage and list(labels[: len(known)]) == known:
        return len(known) or 1
    logger.info("%s: its voters answer other questions than the %s here; new ones are fitted", folder, stage)
    return 0
