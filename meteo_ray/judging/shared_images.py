"""Images on their way to a device: copied there once, whichever predictors look at which of them."""

import warnings
from typing import Self

import numpy as np
import torch

Rows = slice | list[int]


class SharedImages:
    """Rows of images, uint8 `(rows, height, width, 3)`, that predictors of one device judge one after the other.

    Stands for the array in a batch's column `image`. What a predictor lets through is chosen on the device; nothing is
    copied there before the first predictor asks, so that a device without room fails in a predictor's call.
    """

    def __init__(self, images: np.ndarray) -> None:
        self._whole, self._rows = images, np.arange(len(images))
        self._copies: dict[torch.device, torch.Tensor] = {}

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self._rows), *self._whole.shape[1:])

    @property
    def dtype(self) -> "np.dtype[np.uint8]":
        return self._whole.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, rows: Rows) -> Self:
        chosen = object.__new__(type(self))
        chosen._whole, chosen._rows, chosen._copies = self._whole, self._rows[rows], self._copies
        return chosen

    def __array__(self, dtype: "np.dtype[np.uint8] | None" = None, copy: bool | None = None) -> np.ndarray:
        return self._whole[self._rows]

    def on(self, device: torch.device) -> torch.Tensor:
        """These rows on a device. Raises torch.OutOfMemoryError when it has no room for them."""
        if device not in self._copies:
            try:
                self._copies[device] = copied_to(self._whole, device)
            except torch.OutOfMemoryError:
                if len(self) == len(self._whole):
                    raise
                return copied_to(np.asarray(self), device)
        whole = self._copies[device]
        if len(self._rows) == len(self._whole):
            return whole
        if (np.diff(self._rows) == 1).all():  # a predictor's part of a batch
            return whole[self._rows[0] : self._rows[0] + len(self._rows)]
        return whole[torch.from_numpy(self._rows).to(device)]


def copied_to(images: "np.ndarray | SharedImages", device: torch.device) -> torch.Tensor:
    """Images `(rows, height, width, 3)` for a network that only reads them: on a CPU they are not copied at all.

    A GPU gets them through pinned memory, and nobody waits for it.
    """
    if isinstance(images, SharedImages):
        return images.on(device)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")  # as are Ray's; nobody writes
        pixels = torch.from_numpy(images)
    return pixels.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else pixels.to(device)
