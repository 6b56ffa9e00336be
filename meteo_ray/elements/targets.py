"""Rows of the index -> what the network must say about them, beside their pixels (R23)."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from meteo_ray.batch import Batch
from meteo_ray.elements.label_order import LabelOrder
from meteo_ray.elements.loss import PADDING
from meteo_ray.streaming.pixels import PreparePixels


@dataclass(frozen=True)
class PrepareElements:
    """Adds `targets`, `sequence` and `forcing_draw` to what `pixels` prepares; CPU workers call it.

    `targets` is uint8 `(rows, labels)`, multi-hot; `sequence` int64 `(rows, max_labels + 1)`: labels, <eos>, PADDING.
    With an epoch, `shuffled_share` of the rows get their labels in random order. `forcing_draw` float32, like
    `sequence`, is uniform in [0, 1): scheduled sampling forces where it is below the share of its step. All are drawn
    from (seed, epoch, image), so that they do not depend on how rows are batched.
    """

    pixels: PreparePixels
    order: LabelOrder
    max_labels: int
    shuffled_share: float
    seed: int
    epoch: int | None

    def __call__(self, batch: Batch) -> Batch:
        position = self.pixels.vocabulary.element_position
        labels = [[position[name] for name in names] for names in batch["elements"]]
        targets = np.zeros((len(labels), len(position)), dtype=np.uint8)
        sequences = np.full((len(labels), self.max_labels + 1), PADDING, dtype=np.int64)
        draws = np.zeros(sequences.shape, dtype=np.float32)
        for row, present in enumerate(labels):
            targets[row, present] = 1
            rng = self._generator(str(batch["image_id"][row]))
            shuffles = rng if rng is not None and rng.random() < self.shuffled_share else None
            ordered = self.order.sequence(present, self.max_labels, shuffles)
            sequences[row, : len(ordered) + 1] = [*ordered, len(position)]
            if rng is not None:
                draws[row] = rng.random(sequences.shape[1], dtype=np.float32)
        return {**self.pixels(batch), "targets": targets, "sequence": sequences, "forcing_draw": draws}

    def _generator(self, image_id: str) -> np.random.Generator | None:
        """Of this image's draws in this epoch; None where nothing is drawn."""
        return None if self.epoch is None else np.random.default_rng([self.seed, self.epoch, int(image_id, 16)])


def collate(batch: Batch) -> dict[str, torch.Tensor]:
    """Prepared rows as tensors; sequences are padded to the longest of this batch only (R28).

    Returns:
        image uint8 `(batch, height, width, 3)`, targets float32 `(batch, labels)`, sequences int64 `(batch, steps)` and
        forcing_draws float32 `(batch, steps)`.
    """
    sequences: NDArray[np.int64] = np.asarray(batch["sequence"])
    steps = int((sequences != PADDING).sum(axis=1).max(initial=1))
    return {
        "image": torch.from_numpy(np.array(batch["image"])),  # a copy: Ray's arrays are read-only
        "targets": torch.from_numpy(np.asarray(batch["targets"]).astype(np.float32)),
        "sequences": torch.from_numpy(np.array(sequences[:, :steps])),
        "forcing_draws": torch.from_numpy(np.array(batch["forcing_draw"][:, :steps])),
    }
