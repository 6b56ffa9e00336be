"""The Gemma 3 checkpoint that the product stage starts from: found on this machine, checked, loaded (R30)."""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Self

import torch
from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError
from safetensors import SafetensorError
from transformers import (
    AutoProcessor,
    BitsAndBytesConfig,
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3Processor,
)
from transformers.utils import logging as transformers_logging

from meteo_ray.errors import UsageError
from meteo_ray.products.base_sums import INDEX_FILE, SINGLE_FILE, base_sums, digest_of

Quantize = Literal["nf4", "none"]

DEFAULT_NAME = "google/gemma-3-4b-pt"
HUB_NAME = r"[\w.-]+/[\w.-]+"  # owner/model; anything else can only be a folder

# Bars of a loader that takes seconds drown the job's own progress lines.
transformers_logging.disable_progress_bar()

FILES = (
    "config.json",
    f"{SINGLE_FILE} (or the numbered model-*.safetensors with {INDEX_FILE})",
    "tokenizer.json, tokenizer_config.json",
    "processor_config.json, preprocessor_config.json (whichever the checkpoint has)",
)


@dataclass(frozen=True)
class GemmaBase:
    """A checkpoint folder with its config, tokenizer and image settings; the weights are read by `load_model`."""

    folder: Path
    config: Gemma3Config
    processor: Gemma3Processor

    @classmethod
    def open(cls, name: str | Path, with_weights: bool = True, advice: str = "") -> Self:
        """Open a folder, or a model that the local hub cache holds; the network is never asked.

        Args:
            name: folder or model name.
            with_weights: whether the folder must hold weights; a fully trained bundle keeps them elsewhere.
            advice: what to do where it cannot be used; default: how to give a training its base model.

        Raises:
            UsageError: when nothing is there, a file is missing, or it is not a Gemma 3 with vision.
        """
        folder = find(str(name), advice)
        _require_gemma3(folder, with_weights, advice)
        try:
            config = Gemma3Config.from_pretrained(folder, local_files_only=True)
            processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError, KeyError) as error:
            raise UsageError(f"{folder}: cannot read the base model: {error}") from None
        return cls(folder, config, processor)

    @property
    def image_size(self) -> tuple[int, int]:
        """Width and height that the vision tower takes, in pixels."""
        side = int(self._part("vision_config").image_size)
        return side, side

    @property
    def feature_shape(self) -> tuple[int, int]:
        """Soft tokens that an image becomes, and their width."""
        return int(self._part("mm_tokens_per_image")), int(self._part("text_config").hidden_size)

    @staticmethod
    def weight_type(device: str, train_all: bool = False) -> torch.dtype:
        """Of a loaded model's weights but the quantised ones: bfloat16 on CUDA (in float16 Gemma 3 overflows), float32
        on a CPU and, because an optimiser's small steps vanish in bfloat16, wherever all are trained."""
        return torch.bfloat16 if device.startswith("cuda") and not train_all else torch.float32

    @property
    def image_token(self) -> int:
        return int(self.config.image_token_id)

    @property
    def sliding_window(self) -> int:
        """How many positions back, itself included, a token of the windowed layers sees."""
        return int(self._part("text_config").sliding_window)

    def _part(self, name: str) -> Any:
        return getattr(self.config, name)

    @cached_property
    def _mean_and_std(self) -> tuple[list[float], list[float]]:
        images = self.processor.image_processor
        return list(images.image_mean), list(images.image_std)

    def pixel_values(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 `(batch, height, width, 3)` -> float32 `(batch, 3, height, width)`, normalised as the tower expects."""
        mean, std = (torch.tensor(values, device=images.device).view(3, 1, 1) for values in self._mean_and_std)
        return (images.permute(0, 3, 1, 2).float() / 255 - mean) / std

    def load_model(
        self,
        quantize: Quantize = "none",
        device: str = "cpu",
        train_all: bool = False,
        dtype: torch.dtype | None = None,
    ) -> torch.nn.Module:
        """The whole model in evaluation mode on `device`, frozen unless `train_all`.

        Weights are of `weight_type`, if no other `dtype` is given. With `nf4` the language model's linear layers alone
        are in 4 bits: vision tower (0.4 of 4.3 billion weights) and projector stay whole.

        Raises:
            UsageError: when the weights are missing or damaged.
        """
        try:
            model = Gemma3ForConditionalGeneration.from_pretrained(
                self.folder,
                local_files_only=True,
                dtype=dtype or self.weight_type(device, train_all),
                attn_implementation="sdpa",
                quantization_config=_nf4() if quantize == "nf4" else None,
                device_map={"": device},
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            raise UsageError(f"{self.folder}: cannot load the base model's weights: {error}") from None
        _keep_4bit_layout(model)
        if not train_all:
            model.requires_grad_(False)
        return model.eval()

    def empty_model(self, device: str = "cpu") -> torch.nn.Module:
        """The model with random weights, in evaluation mode, for weights that come from a bundle."""
        model = Gemma3ForConditionalGeneration._from_config(
            self.config, dtype=self.weight_type(device), attn_implementation="sdpa"
        )
        return model.to(device).eval()

    def fingerprint(self) -> dict[str, str]:
        """File name -> sha256 of all that an answer depends on: config, every file of weights, tokenizer, processor."""
        return base_sums(self.folder)

    @property
    def digest(self) -> str:
        """64 hex digits that stand for the whole fingerprint."""
        return digest_of(self.fingerprint())


def find(name: str, advice: str = "") -> Path:
    """The folder of a base model: `name` itself, or its snapshot in the local hub cache. Raises UsageError, which ends
    with the `advice` of `GemmaBase.open`."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder.resolve()
    if re.fullmatch(HUB_NAME, name):
        try:
            return Path(snapshot_download(name, local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError, HfHubHTTPError, OSError):
            pass
    raise UsageError(
        f"base model {name!r}: neither a folder here nor in the local hub cache, and nothing is fetched at run time. "
        f"{advice or _advice(name if re.fullmatch(HUB_NAME, name) else DEFAULT_NAME)}"
    )


def _require_gemma3(folder: Path, with_weights: bool, advice: str) -> None:
    config = folder / "config.json"
    if not config.is_file():
        raise UsageError(f"{folder}: no config.json, so no base model. {advice or _advice()}")
    try:
        kind = json.loads(config.read_text("utf-8")).get("model_type")
    except ValueError as error:
        raise UsageError(f"{config}: cannot read: {error}") from None
    if kind != "gemma3":
        raise UsageError(f"{folder}: model_type is {kind!r}, wanted 'gemma3' (Gemma 3 with vision, 4B or larger)")
    if with_weights and not list(folder.glob("model*.safetensors")):
        raise UsageError(f"{folder}: no model*.safetensors. {advice or _advice()}")


def _advice(name: str = DEFAULT_NAME) -> str:
    listed = "\n".join(f"  {file}" for file in FILES)
    return (
        f"Put the files of {name} into one folder:\n{listed}\nand name it with "
        "--products.base-model FOLDER. A small random stand-in: python jobs/make_small_base.py --out FOLDER"
    )


# Named here because transformers leaves out its own choice, the output layer, once anything is named. Embeddings are
# never quantised. SigLIP in 4 bits would save 0.6 GB and cost the image detail in a measure that nobody knows.
NOT_QUANTISED = ["lm_head", "model.vision_tower", "model.multi_modal_projector"]


def _nf4() -> BitsAndBytesConfig:
    return BitsAndBytesConfig(
        load_in_4bit=True,
        llm_int8_skip_modules=NOT_QUANTISED,  # of every kind of quantisation, whatever its name says
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
    )


def _keep_4bit_layout(model: torch.nn.Module) -> None:
    """Stop bitsandbytes from repacking weights in a CPU's evaluation mode.

    It gains speed on CPUs with AVX512-BF16, but is not undone for training, which follows every validation.
    """
    layers: list[Any] = [module for module in model.modules() if hasattr(module, "support_avx512bf16_for_cpu")]
    for layer in layers:
        layer.support_avx512bf16_for_cpu = False
