"""The text voter, and what it would have said of training pages had it not known the sources that they come from.

What is written tells much about charts of offices that were learnt from, and little about others: a voter judged by its
own pages, or by one source that happens to write alike, would be believed too readily.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file
from sklearn.model_selection import GroupKFold

from meteo_ray.errors import UsageError
from meteo_ray.preparation.duplicates import duplicate_groups
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.text_voter import Page, TextFeatures, TextVoter

FOLDS = 5

HELD_OUT, TARGETS = "held_out_text.safetensors", "targets"


@dataclass(frozen=True)
class HeldOutText:
    """The voter of all pages; `votes` `(pages, questions)` by name, each by one that had not seen the page's source,
    and their `targets`. Neither has rows of pages that no others could teach, as where there are no two sources."""

    voter: TextVoter
    votes: dict[str, np.ndarray]
    targets: NDArray[np.generic]

    @classmethod
    def fit(
        cls,
        pages: Sequence[Page],
        targets: np.ndarray,
        weights: np.ndarray,
        sources: NDArray[np.int64],
        vocabulary: Vocabulary,
        images: NDArray[np.generic] | None = None,
        earlier: TextVoter | None = None,
    ) -> Self:
        """Fit as `TextVoter.fit`, once for all and once for each fold of the sources.

        Args:
            sources: the source of each of the first pages; those that follow are learnt from in every fold.
            images: a number for each page that near-equal images share: what another source, or a page that follows,
                has copied is not learnt from where it is asked. Default: no two are.
            earlier: a voter that all of them go on from. Pages that it has learnt from itself flatter it.
        """
        features = TextFeatures.of(pages, vocabulary, targets.shape[1])
        voter = TextVoter.learnt(features, targets, weights, earlier)
        votes = {name: np.zeros((len(sources), targets.shape[1]), np.float32) for name in TextVoter.VOTES}
        folds = min(FOLDS, len(np.unique(sources)))
        if folds < 2:
            return cls(voter, {name: values[:0] for name, values in votes.items()}, targets[:0])
        beside, told = np.arange(len(sources), len(pages)), np.zeros(len(sources), dtype=bool)
        for known, unseen in GroupKFold(folds).split(sources, groups=sources):
            rows = np.concatenate([known, beside])
            if images is not None:
                rows = rows[~np.isin(images[rows], images[unseen])]
            if targets[rows].all() or not targets[rows].any():
                continue  # such as one source of charts alone and one of other images: neither teaches both answers
            told[unseen] = True
            found = TextVoter.learnt(features.taken(rows), targets[rows], weights[rows], earlier)
            for name, values in found.votes_on(features.taken(unseen)).items():
                votes[name][unseen] = values
        return cls(voter, {name: values[told] for name, values in votes.items()}, targets[: len(sources)][told])

    def write(self, folder: Path) -> None:
        """Write the votes and targets into a folder; the voter has a file of its own."""
        arrays = {**self.votes, TARGETS: self.targets}
        save_file({name: np.ascontiguousarray(values) for name, values in arrays.items()}, folder / HELD_OUT)

    @classmethod
    def read(cls, folder: Path, voter: TextVoter) -> Self:
        """Raises UsageError when the file is missing or damaged."""
        try:
            found = load_file(folder / HELD_OUT)
            return cls(voter, {name: found[name] for name in TextVoter.VOTES}, found[TARGETS])
        except (OSError, SafetensorError, KeyError) as error:
            raise UsageError(f"{folder / HELD_OUT}: cannot be read ({error})") from None


def image_numbers(rows: pa.Table) -> NDArray[np.int64]:
    """A number for each row of one index or of several, the same for images that are equal or nearly."""
    hashes = pc.coalesce(rows["perceptual_hash"], rows["sha256"])  # both have 64 hex digits
    return duplicate_groups(rows["sha256"].to_pylist(), hashes.to_pylist()).astype(np.int64)


def source_numbers(rows: pa.Table) -> NDArray[np.int64]:
    """A number for the source of each row of an index; where all have one, near-equal images stand for a source."""
    sources = np.unique([str(name) for name in rows["source"].to_pylist()], return_inverse=True)[1]
    if len(np.unique(sources)) > 1:
        return sources.astype(np.int64)
    return np.asarray(rows["duplicate_group"].to_numpy(), dtype=np.int64)
