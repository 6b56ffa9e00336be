"""The trained retrieval stage at work: pixels in, codes and features out."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from meteo_ray.batch import Batch, objects
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.judging.pieces import in_pieces
from meteo_ray.judging.shared_images import copied_to
from meteo_ray.retrieval.bundle import RetrievalBundle, read_bundle, unit
from meteo_ray.retrieval.codes import pack
from meteo_ray.retrieval.model import Encoded
from meteo_ray.training.device import autocast, pick_device
from meteo_ray.vocabulary import Vocabulary

# As the elements', whose trunk it has.
MICRO_BATCH = {"cuda": 128, "cpu": 16}


class RetrievalPredictor:
    """See `judging.predictor.Predictor`."""

    def __init__(self, loaded: RetrievalBundle, device: torch.device, precision: str = "auto") -> None:
        self.device, self.precision, self.version = device, precision, loaded.version
        self.background, self.bits = loaded.background, loaded.model.dimensions.bits
        self.micro_batch = MICRO_BATCH[device.type]
        self.model = loaded.model.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    @classmethod
    def load(
        cls, bundle: Path, device: str | None = None, vocabulary: Vocabulary | None = None, **options: Any
    ) -> Self:
        """Read a bundle; `options` is precision ("auto", "bf16", "fp32").

        Raises:
            UsageError: when it is missing, damaged, or made for other images.
        """
        place = torch.device(device) if device else pick_device()
        return cls(read_bundle(Path(bundle), vocabulary), place, **options)

    def __call__(self, batch: Batch) -> Batch:
        """Encode `batch["image"]`, uint8 `(rows, 240, 320, 3)`.

        Returns:
            code: bytes, see `codes.pack`;
            features: float32 `(rows, features)` of length 1: cosines between them tell more than codes, and cost more.
        """
        outputs, features = self.encode(batch["image"])
        return {"code": objects([row.tobytes() for row in pack(outputs)]), "features": features}

    def encode(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Outputs `(rows, bits)` and features `(rows, features)`, float32."""
        width, height = INPUT_SIZE
        if images.shape[1:] != (height, width, 3) or images.dtype != np.uint8:
            raise ValueError(f"expected uint8 (rows, {height}, {width}, 3), got {images.dtype} {images.shape}")
        if not len(images):
            size = self.background.features.shape[1]
            return np.zeros((0, self.bits), np.float32), np.zeros((0, size), np.float32)
        encoded = in_pieces(self._encode, images, self.micro_batch, self.device)
        outputs, pooled = (torch.cat(parts).float().cpu().numpy() for parts in zip(*encoded, strict=True))
        return outputs, unit(pooled)

    def _encode(self, images: np.ndarray) -> Encoded:
        with autocast(self.device, self.precision):
            encoded: Encoded = self.model(copied_to(images, self.device))
        return encoded
