"""A small, randomly initialised Gemma 3 in a folder of its own: the stand-in base for demos and tests without weights.

Same classes, files and code path as google/gemma-3-4b-pt, only every size is smaller and the tokenizer knows just the
words of the vocabulary. It has seen nothing: train it with `adaptation: full`.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from torch import nn
from transformers import (
    Gemma3Config,
    Gemma3ForConditionalGeneration,
    Gemma3ImageProcessor,
    Gemma3Processor,
    Gemma3TextConfig,
    PreTrainedTokenizerFast,
    SiglipVisionConfig,
)
from transformers.utils import logging as transformers_logging

from meteo_ray.files import SIGN, make_folder, replace_folder, require_ours
from meteo_ray.products.config import SmallBase
from meteo_ray.products.prompt import SYSTEM, question
from meteo_ray.vocabulary import Vocabulary

# In the order, and the first four at the places, that Gemma's own tokenizer gives them.
SPECIAL_TOKENS = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>")
IMAGE_TOKENS = {
    "boi_token": "<start_of_image>",
    "image_token": "<image_soft_token>",
    "eoi_token": "<end_of_image>",
}

# Whatever separates names in a prompt; between two of these a name stays whole and can become one token.
SEPARATORS = Regex(r"[、|：。，\s]")


def make_small_base(folder: Path, vocabulary: Vocabulary, config: SmallBase | None = None) -> None:
    """Write the base model, its tokenizer and its image processor; what stood at `folder` is replaced at the end.

    Raises:
        UsageError: when that is anything but an earlier base of this kind, such as a real Gemma, or
            the place cannot be written to.
    """
    require_ours(folder, "small base model")
    config = config or SmallBase()
    scratch = folder.with_name(f".{folder.name}.{os.getpid()}.new")
    make_folder(folder)
    transformers_logging.disable_progress_bar()  # it would leave control characters in a job's log
    try:
        processor = _processor(vocabulary, config)
        processor.save_pretrained(scratch)
        _model(processor, config).save_pretrained(scratch)
        (scratch / SIGN).touch()
        replace_folder(scratch, folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _corpus(vocabulary: Vocabulary) -> Iterator[str]:
    """Every sentence that a prompt can hold, often enough that each name outweighs the chance pairs inside it."""
    for _ in range(8):
        yield SYSTEM
        yield question(vocabulary.element_ids, vocabulary.product_ids, vocabulary)
        yield question([], [], vocabulary)
        yield "user\nmodel\n"


def _tokenizer(vocabulary: Vocabulary, size: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE: names of the vocabulary become single tokens, any other text still has an encoding."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(SEPARATORS, "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        special_tokens=[*SPECIAL_TOKENS, *IMAGE_TOKENS.values()],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(vocabulary), trainer)
    pad, eos, bos, unknown = SPECIAL_TOKENS[:4]
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=pad,
        eos_token=eos,
        bos_token=bos,
        unk_token=unknown,
        padding_side="left",
        extra_special_tokens=IMAGE_TOKENS,
    )


def _processor(vocabulary: Vocabulary, config: SmallBase) -> Gemma3Processor:
    images = Gemma3ImageProcessor(
        size={"height": config.image_size, "width": config.image_size},
        image_mean=[0.5, 0.5, 0.5],  # Gemma 3's own: pixels become -1 to 1
        image_std=[0.5, 0.5, 0.5],
    )
    tokenizer = _tokenizer(vocabulary, config.vocabulary_size)
    return Gemma3Processor(images, tokenizer, image_seq_length=config.image_tokens_per_side**2)


def _model(processor: Gemma3Processor, config: SmallBase) -> Gemma3ForConditionalGeneration:
    """Initialised from the seed alone; the caller's random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = Gemma3ForConditionalGeneration(_config(processor.tokenizer, config))
        # transformers starts the projection at zero, for it expects trained weights to follow; then neither side of
        # it learns at first. Unit-variance input times 1/sqrt(width) keeps the image as loud as the text.
        projection = model.model.multi_modal_projector.mm_input_projection_weight
        nn.init.normal_(projection, std=config.vision_hidden_size**-0.5)
    return model


def _config(tokenizer: PreTrainedTokenizerFast, config: SmallBase) -> Gemma3Config:
    head = config.hidden_size // config.heads
    text = Gemma3TextConfig(
        vocab_size=len(tokenizer),
        hidden_size=config.hidden_size,
        intermediate_size=2 * config.hidden_size,
        num_hidden_layers=config.layers,
        num_attention_heads=config.heads,
        num_key_value_heads=config.heads // 2,
        head_dim=head,
        query_pre_attn_scalar=head,
        max_position_embeddings=4096,
        sliding_window=512,
        layer_types=["sliding_attention"] * (config.layers - 1) + ["full_attention"],
        initializer_range=config.hidden_size**-0.5,
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=tokenizer.bos_token_id,
    )
    vision = SiglipVisionConfig(
        hidden_size=config.vision_hidden_size,
        intermediate_size=2 * config.vision_hidden_size,
        num_hidden_layers=config.vision_layers,
        num_attention_heads=config.heads,
        image_size=config.image_size,
        patch_size=config.patch_size,
        vision_use_head=False,
    )
    return Gemma3Config(
        text_config=text,
        vision_config=vision,
        mm_tokens_per_image=config.image_tokens_per_side**2,
        boi_token_index=tokenizer.boi_token_id,
        eoi_token_index=tokenizer.eoi_token_id,
        image_token_index=tokenizer.image_token_id,
    )
