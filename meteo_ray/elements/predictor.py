"""The trained element stage at work: pixels in, elements and their sequence out."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
import torch

from meteo_ray.batch import Batch, objects
from meteo_ray.calibration.votes import stacked
from meteo_ray.elements.beam_search import beam_search
from meteo_ray.elements.bundle import ElementsBundle, read_bundle
from meteo_ray.elements.calibration import of_network
from meteo_ray.elements.heat_map import heat_map
from meteo_ray.elements.int8_encoder import activation_ranges, quantize_encoder, read_ranges, require_int8
from meteo_ray.elements.model import Encoded
from meteo_ray.imaging.fit import INPUT_SIZE
from meteo_ray.judging.pieces import in_pieces
from meteo_ray.judging.shared_images import copied_to
from meteo_ray.training.device import autocast, pick_device
from meteo_ray.vocabulary import Vocabulary
from meteo_ray.voters.text_voter import pages_of

# 128 images of 320x240 through a ResNet-50 under bfloat16 hold about 2 x 0.6 GB at the widest stage (128*256*60*80
# activations of 2 B, in and out): well inside 8 GB beside the gate. A CPU gains nothing from more than a few at once.
MICRO_BATCH = {"cuda": 128, "cpu": 16}


class ElementsPredictor:
    """Stage 2 of the cascade; see `judging.predictor.Predictor`."""

    def __init__(
        self,
        loaded: ElementsBundle,
        device: torch.device,
        beam_width: int | None = None,
        precision: str = "auto",
        micro_batch: int | None = None,
        threshold_scale: float = 1.0,
    ) -> None:
        self.device, self.precision = device, precision
        self.micro_batch = micro_batch or MICRO_BATCH[device.type]
        self.beam_width, self.max_labels = beam_width or loaded.beam_width, loaded.max_labels
        self.voters, self.version = loaded.voters, loaded.version
        self.verdict = replace(loaded.verdict, threshold_scale=threshold_scale)
        self.element_ids = self.verdict.vocabulary.element_ids
        self.model = loaded.model.to(device, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]

    @classmethod
    def load(
        cls,
        bundle: Path,
        device: str | None = None,
        vocabulary: Vocabulary | None = None,
        *,
        quantize: Literal["none", "int8"] = "none",
        sample_images: np.ndarray | None = None,
        **options: Any,
    ) -> Self:
        """Read a bundle; `options` are beam_width, threshold_scale, precision ("auto", "bf16", "fp32"), micro_batch.

        With quantize "int8" (CPU only) the encoder computes in 8 bits (R27) and the rest in float32. The ranges of its
        activations are those that training observed, or observed now on `sample_images`, uint8 `(rows, 240, 320, 3)`.

        Raises:
            UsageError: bundle missing, damaged, or trained for other labels or images; int8 where it cannot be.
        """
        place = torch.device(device) if device else pick_device()
        loaded = read_bundle(Path(bundle), vocabulary)
        if quantize == "int8":
            require_int8(place)
            if sample_images is None:
                ranges = read_ranges(Path(bundle))
            else:
                ranges = activation_ranges(loaded.model, sample_images)
            quantize_encoder(loaded.model, ranges)
            options["precision"] = "fp32"
        return cls(loaded, place, **options)

    def __call__(self, batch: Batch) -> Batch:
        """Judge `batch["image"]`, uint8 `(rows, 240, 320, 3)`, and `descriptors`, `title` and `text` where it has them.

        Returns:
            elements: lists of {"id", "score"} at or above the label's threshold, best first;
            element_sequence: lists of ids, the likeliest path of beam search, which reads no text;
            element_scores and element_thresholds: `(rows, labels)`, see `ElementsVerdict`;
            element_votes: float32 `(rows, voters, labels)`, what the verdict on the pixels is made of, in the order of
                `verdict.voters`;
            descriptors: float32 `(rows, FEATURES)`, where trees vote.
        """
        parallel, emitted, paths = self._raw(batch["image"])
        descriptors = self.voters.descriptors(batch)
        votes = {**of_network(parallel, emitted), **self.voters.on_descriptors(descriptors)}
        return {
            **({} if descriptors is None else {"descriptors": descriptors}),
            **self.verdict(votes, pages_of(batch)),
            "element_sequence": objects([[self.element_ids[label] for label in path] for path in paths]),
            "element_votes": stacked(votes, self.verdict.voters),
        }

    def heat_maps(self, images: Sequence[np.ndarray], labels: Sequence[int]) -> list[np.ndarray]:
        """Where in each image, uint8 `(240, 320, 3)`, the network sees one label: see `heat_map.heat_map`."""
        pairs = zip(images, labels, strict=True)
        return [heat_map(self.model, copied_to(image, self.device), label) for image, label in pairs]

    @torch.inference_mode()
    def _raw(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, list[list[int]]]:
        """Parallel logits and emission probabilities float32 `(rows, labels)`, and the best paths."""
        width, height = INPUT_SIZE
        if images.shape[1:] != (height, width, 3) or images.dtype != np.uint8:
            raise ValueError(f"expected uint8 (rows, {height}, {width}, 3), got {images.dtype} {images.shape}")
        if not len(images):
            empty = np.zeros((0, len(self.element_ids)), dtype=np.float32)
            return empty, empty, []
        encoded = in_pieces(self._encode, images, self.micro_batch, self.device)
        # All together: a step of the search costs much the same for a batch as for a piece of it.
        joint = torch.cat([piece.image for piece in encoded])
        found = beam_search(self.model.decoder, joint, self.beam_width, self.max_labels)
        parallel = torch.cat([piece.parallel for piece in encoded])
        return parallel.cpu().numpy(), found.emitted.cpu().numpy(), found.best()

    def _encode(self, images: np.ndarray) -> Encoded:
        with autocast(self.device, self.precision):
            return self.model.encode(copied_to(images, self.device))
