"""The trained gate at work: pixels in, `is_meteo` and `gate_score` out."""

from pathlib import Path
from typing import Any, Self

import numpy as np
import torch

from meteo_ray.batch import Batch
from meteo_ray.calibration.votes import stacked
from meteo_ray.gate.bundle import Gate, read_bundle
from meteo_ray.gate.calibration import NETWORK
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.judging.pieces import in_pieces
from meteo_ray.judging.shared_images import copied_to
from meteo_ray.training.device import autocast, pick_device
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.text_voter import pages_of

# 256 images of 320x240 need about 1.5 GB under bfloat16 (the stem's output alone is 256*64*120*160*2 B = 0.6 GB): a
# fifth of an 8 GB card. A CPU gains nothing from more than a few images at once.
MICRO_BATCH = {"cuda": 256, "cpu": 16}


class GatePredictor:
    """Stage 1 of the cascade; see `judging.predictor.Predictor`."""

    def __init__(
        self,
        gate: Gate,
        device: torch.device,
        precision: str = "auto",
        compile_model: bool = False,
        micro_batch: int | None = None,
    ) -> None:
        self.voters, self.verdict, self.version = gate.voters, gate.verdict, gate.version
        self.device = device
        self.precision, self.micro_batch = precision, micro_batch or MICRO_BATCH[device.type]
        self.model = gate.model.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
        self.padded = compile_model and device.type == "cuda"
        if self.padded:
            self.model.compile(dynamic=False)

    @classmethod
    def load(
        cls,
        bundle: Path,
        device: str | None = None,
        vocabulary: Vocabulary | None = None,
        *,
        threshold: float | None = None,
        min_recall: float | None = None,
        min_precision: float | None = None,
        **options: Any,
    ) -> Self:
        """Read a bundle. At most one of threshold, min_recall and min_precision replaces the threshold of best F1.

        `options` are precision ("auto", "bf16", "fp32"), compile_model (GPU only) and micro_batch. `vocabulary` is what
        every predictor is given; the gate names nothing of it.

        Raises:
            UsageError: bundle missing, damaged or of another size; operating point not available.
        """
        gate = read_bundle(Path(bundle))
        asked = gate._replace(verdict=gate.verdict.asked_for(threshold, min_recall, min_precision))
        return cls(asked, torch.device(device) if device else pick_device(), **options)

    def __call__(self, batch: Batch) -> Batch:
        """Judge `batch["image"]`, uint8 `(rows, 240, 320, 3)`, and `descriptors`, `title` and `text` where it has them.

        Returns:
            is_meteo (bool) and gate_score (float32, the calibrated probability), each `(rows,)`;
            gate_votes: float32 `(rows, voters, 1)`, what the verdict on the pixels is made of, as `verdict.voters`.
        """
        votes = self.votes(batch)
        return {**self.verdict(votes, pages_of(batch)), "gate_votes": stacked(votes, self.verdict.voters)}

    @torch.inference_mode()
    def votes(self, batch: Batch) -> dict[str, np.ndarray]:
        """Uncalibrated log-odds float32 `(rows, 1)` of `image`, uint8 `(rows, 240, 320, 3)`, by voter.

        Raises:
            FloatingPointError: when the network answers something else than numbers.
        """
        images, (width, height) = batch["image"], INPUT_SIZE
        if images.shape[1:] != (height, width, 3) or images.dtype != np.uint8:
            raise ValueError(f"expected uint8 (rows, {height}, {width}, 3), got {images.dtype} {images.shape}")
        found = in_pieces(self._micro_batch, images, self.micro_batch, self.device)
        others = self.voters.on_images(batch)  # on the CPU, while the device works
        logits: np.ndarray = torch.cat(found).cpu().numpy() if found else np.zeros(0, dtype=np.float32)
        if not np.isfinite(logits).all():
            raise FloatingPointError(f"gate {self.version}: {int((~np.isfinite(logits)).sum())} logits are not numbers")
        return {NETWORK: logits[:, None], **others}

    def _micro_batch(self, images: np.ndarray) -> torch.Tensor:
        """Logits `(rows,)` on the device; nothing waits for the device here, so copies and kernels overlap."""
        rows = len(images)
        pixels = copied_to(images, self.device)
        if self.padded and rows < self.micro_batch:  # a compiled model keeps to one shape
            pixels = torch.cat([pixels, pixels.new_zeros((self.micro_batch - rows, *pixels.shape[1:]))])
        with autocast(self.device, self.precision):
            logits: torch.Tensor = self.model(pixels).chart
        return logits[:rows]
