"""python benchmarks/products_memory.py [--cap-gb 8] [--rows 2] [--steps 5] [--layers 2] [--no-run]

Does the product stage fit an 8 GB card? Random weights at Gemma 3 4B's true shape stand in for the real ones: bytes and
seconds do not depend on their values.

- Everywhere: the arithmetic, part by part, as a Markdown table. Parameters are counted on the network itself (built
  without memory), with the types that training and scoring load them in.
- With a GPU, under a cap on this process's memory: QLoRA steps (forward, backward, AdamW) and the scoring of every
  product, with peak memory, seconds a step, images and tokens a second.
- Without: one forward and backward in NF4 of a stack of true width, cut to few layers. What it holds checks the
  arithmetic: bytes of a layer's 4-bit weights and of the activations that one layer saves.

Prompts have the plan's words, one token a Chinese character, which is more than Gemma's tokenizer makes of them.
"""

import argparse
import logging
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import bitsandbytes as bnb
import torch
from torch import nn
from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3TextConfig, SiglipVisionConfig

from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.candidate_scoring import VOCABULARY_CHUNK, log_likelihoods, pack
from meteo_ray.products.config import ProductsTraining, SmallBase
from meteo_ray.products.lora_adapter import adapter_parameters, add_adapter
from meteo_ray.products.predictor import MICRO_BATCH
from meteo_ray.products.prompt import SYSTEM, question
from meteo_ray.products.small_base import make_small_base
from meteo_ray.vocabulary import Vocabulary, load_vocabulary

LAYERS, VISION_LAYERS = 34, 27

# 4 bits a weight, one byte of scale for 64 weights, and one float32 for 256 of those scales (double quantisation).
NF4_BYTES = 1 / 2 + 1 / 64 + 4 / (64 * 256)

# Of a process that uses CUDA: context, kernels, cuBLAS workspaces. An assumption, from 0.3 to 0.6 GB on common cards.
CUDA_CONTEXT = 0.5e9

# An adapter's weight in float32: itself, its gradient, AdamW's two moments.
TRAINED_BYTES = 16

GB = 1e9


def main() -> int:
    options = parse_options()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    vocabulary = load_vocabulary()
    base = true_base(vocabulary, LAYERS, VISION_LAYERS)
    training, scoring = prompts(base, vocabulary, 12), prompts(base, vocabulary, len(vocabulary.products))
    print_arithmetic(base, training, scoring, options.rows)
    if options.no_run:
        return 0
    if torch.cuda.is_available():
        run_on_gpu(options, vocabulary, base)
    else:
        run_on_cpu(options, vocabulary)
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cap-gb", type=float, default=8.0, help="memory that the GPU may use")
    parser.add_argument("--rows", type=int, default=2, help="rows of a micro-batch in training (R34: 2)")
    parser.add_argument("--steps", type=int, default=5, help="timed steps on the GPU")
    parser.add_argument("--layers", type=int, default=2, help="decoder layers of the run on a CPU")
    parser.add_argument("--no-run", action="store_true", help="the arithmetic alone")
    return parser.parse_args()


# -- the shape ---------------------------------------------------------------------------------------------------------


def true_base(vocabulary: Vocabulary, layers: int, vision_layers: int) -> GemmaBase:
    """Gemma 3 4B's config (google/gemma-3-4b-pt), and the processor of a small base at its image size."""
    with tempfile.TemporaryDirectory() as folder:
        small = SmallBase(
            hidden_size=32, layers=1, heads=2, image_size=896, patch_size=14, vision_hidden_size=32, vision_layers=1,
            image_tokens_per_side=16,
        )  # fmt: skip
        make_small_base(Path(folder) / "base", vocabulary, small)
        base = GemmaBase.open(Path(folder) / "base")
    text = Gemma3TextConfig(
        vocab_size=262208,
        hidden_size=2560,
        intermediate_size=10240,
        num_hidden_layers=layers,
        num_attention_heads=8,
        num_key_value_heads=4,
        head_dim=256,
        query_pre_attn_scalar=256,
        sliding_window=1024,
        # Every sixth layer sees everything; a cut stack ends with such a layer.
        layer_types=[
            "full_attention" if (layer + 1) % 6 == 0 or (layers < 6 and layer == layers - 1) else "sliding_attention"
            for layer in range(layers)
        ],
    )
    vision = SiglipVisionConfig(
        hidden_size=1152,
        intermediate_size=4304,
        num_hidden_layers=vision_layers,
        num_attention_heads=16,
        image_size=896,
        patch_size=14,
        vision_use_head=False,
    )
    config = Gemma3Config(
        text_config=text,
        vision_config=vision,
        mm_tokens_per_image=256,
        image_token_index=base.config.image_token_id,
        boi_token_index=base.config.boi_token_index,
        eoi_token_index=base.config.eoi_token_index,
    )
    return replace(base, config=config)


def empty_model(base: GemmaBase) -> Any:
    """The network without memory behind its weights."""
    with torch.device("meta"):
        return Gemma3ForConditionalGeneration._from_config(
            base.config, dtype=torch.bfloat16, attn_implementation="sdpa"
        )


def random_model(base: GemmaBase, device: str) -> Any:
    """Random weights as `GemmaBase.load_model("nf4")` would hold real ones, made layer by layer on the device."""
    model = empty_model(base)
    for name, module in list(model.model.language_model.named_modules()):
        if type(module) is nn.Linear:
            shape = (module.out_features, module.in_features)
            values = torch.randn(shape, dtype=torch.bfloat16, device=device) * module.in_features**-0.5
            quantised = bnb.nn.Linear4bit(
                module.in_features, module.out_features, False, torch.bfloat16, True, "nf4", device="meta"
            )
            quantised.weight = bnb.nn.Params4bit(
                values.cpu(), requires_grad=False, compress_statistics=True, quant_type="nf4"
            ).to(device)
            quantised.support_avx512bf16_for_cpu = False
            model.model.language_model.set_submodule(name, quantised)
    materialise(model, device)
    return model.requires_grad_(False).eval()


def materialise(model: Any, device: str) -> None:
    """Give what is still without memory random values; buffers such as rotary frequencies are made as usual."""
    for module in model.modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            if parameter.is_meta:
                values = 0.02 * torch.randn(parameter.shape, dtype=parameter.dtype, device=device)
                setattr(module, name, nn.Parameter(values, requires_grad=False))
    model.tie_weights()
    fresh = Gemma3ForConditionalGeneration._from_config(shrunk(model.config), attn_implementation="sdpa")
    sources = dict(fresh.named_modules())
    for name, module in model.named_modules():
        for buffer, tensor in list(module.named_buffers(recurse=False)):
            if tensor.is_meta:
                module.register_buffer(buffer, getattr(sources[name], buffer).to(device), persistent=False)


def shrunk(config: Gemma3Config) -> Gemma3Config:
    """The same buffers with few weights: one word, one layer of no width to speak of."""
    copy = Gemma3Config.from_dict(config.to_dict())
    copy.text_config.vocab_size, copy.text_config.intermediate_size, copy.text_config.pad_token_id = 8, 8, 0
    copy.text_config.num_hidden_layers = copy.vision_config.num_hidden_layers = 1
    copy.text_config.layer_types = copy.text_config.layer_types[:1] + copy.text_config.layer_types[-1:]
    copy.vision_config.intermediate_size = 8
    return copy


# -- what is asked -----------------------------------------------------------------------------------------------------


def prompts(base: GemmaBase, vocabulary: Vocabulary, candidates: int) -> tuple[list[int], list[list[int]]]:
    """Token ids of a prompt that lists `candidates` products, and of those products' names; a token a character."""
    names = vocabulary.product_ids[:candidates]
    text = SYSTEM + question(vocabulary.element_ids[:5], names, vocabulary) + "user\nmodel\n" + " " * 6
    prompt = [*spelled(text), *[base.image_token] * 256]
    return prompt, [[*spelled(vocabulary.product_by_id[name].zh), 5] for name in names]


def spelled(text: str) -> list[int]:
    return [1000 + ord(character) for character in text]


def packed(base: GemmaBase, asked: tuple[list[int], list[list[int]]], rows: int, answers: int) -> dict[str, Any]:
    prompt, listed = asked
    batch = pack([prompt] * rows, [listed[:answers]] * rows, base)
    return {**batch, "image": torch.randint(0, 256, (rows, 896, 896, 3), dtype=torch.uint8)}


# -- the arithmetic ----------------------------------------------------------------------------------------------------


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def print_arithmetic(
    base: GemmaBase,
    training: tuple[list[int], list[list[int]]],
    scoring: tuple[list[int], list[list[int]]],
    rows: int,
) -> None:
    model = empty_model(base)
    language = model.model.language_model
    linear = sum(module.weight.numel() for module in language.layers.modules() if type(module) is nn.Linear)
    embedding = language.embed_tokens.weight.numel()
    norms = count(language) - linear - embedding
    vision = count(model.model.vision_tower) + count(model.model.multi_modal_projector)
    rank = ProductsTraining().lora_rank
    adapter = rank * sum(
        module.in_features + module.out_features for module in language.layers.modules() if type(module) is nn.Linear
    )
    weights = [
        (f"language model's linear layers, {linear / 1e6:.0f} M in NF4 at {NF4_BYTES:.4f} bytes", linear * NF4_BYTES),
        (f"embeddings, shared with the output layer, {embedding / 1e6:.0f} M in bfloat16", embedding * 2),
        (f"vision tower and projector, {vision / 1e6:.0f} M in bfloat16", vision * 2),
        (f"norms, {norms / 1e6:.1f} M in bfloat16", norms * 2),
    ]
    step = [
        *weights,
        (f"adapter of rank {rank}, {adapter / 1e6:.1f} M: float32, gradient, AdamW", adapter * TRAINED_BYTES),
        *activations(base, training, rows, 1, True),
        ("CUDA context and libraries (assumed)", CUDA_CONTEXT),
    ]
    rows_scored = MICRO_BATCH["cuda"]
    score = [
        *weights,
        (f"adapter, {adapter / 1e6:.1f} M in float32", adapter * 4),
        *activations(base, scoring, rows_scored, len(scoring[1]), False),
        ("CUDA context and libraries (assumed)", CUDA_CONTEXT),
    ]
    tokens = len(training[0]), len(scoring[0])
    print(f"prompt of 12 candidates: {tokens[0]} tokens; of all {len(scoring[1])} products: {tokens[1]}\n")
    table(f"a QLoRA step, {rows} rows", step)
    table(f"scoring all products, {rows_scored} rows", score)
    beside = [
        ("products, as above", sum(size for _, size in score)),
        ("gate and elements: ResNet-18 and ResNet-50 with head, 11.7 M and 40 M at most in float32", 51.7e6 * 4),
        # The widest maps of ResNet-50 at 320x240: 64 images x 256 channels x 80 x 60 x 4 bytes, about four at a time.
        ("gate and elements: activations of 64 images", 4 * 64 * 256 * 80 * 60 * 4),
        ("gate and elements: CUDA context and libraries (assumed)", CUDA_CONTEXT),
    ]
    table("both actors of an archive on one card", beside)


def activations(
    base: GemmaBase, asked: tuple[list[int], list[list[int]]], rows: int, answers: int, trains: bool
) -> Iterator[tuple[str, float]]:
    text, seen = base.config.text_config, base.config.vision_config
    batch = pack([asked[0]], [asked[1][:answers]], base)
    length, slots = batch["input_ids"].shape[1], int(batch["slots"][0, 0])
    tokens, patches = rows * length, rows * (896 // 14) ** 2
    # Residual, its norm, and the two widest maps of the MLP, in bfloat16; attention keeps no matrix (SDPA).
    yield "vision tower's widest moment", patches * (2 * seen.hidden_size + 2 * seen.intermediate_size) * 2
    if trains:
        kept = LAYERS * tokens * text.hidden_size * 2
        yield f"inputs of {LAYERS} checkpointed layers, {tokens} tokens in bfloat16", kept
        yield "what one layer saves while it is computed again", tokens * SAVED_A_TOKEN
    else:
        # Gate, up, their product, in bfloat16, beside the residual and its float32 norm.
        yield "a layer's widest moment", tokens * (3 * text.intermediate_size * 2 + 3 * text.hidden_size * 4)
    yield "two masks, bool, and their bfloat16 copy", rows * length**2 * (2 + 2)
    yield "a layer's largest weight, dequantised to bfloat16", text.intermediate_size * text.hidden_size * 2
    copies = 3 if trains else 2  # logits, their exponentials, their gradient
    chunk = VOCABULARY_CHUNK * (rows * slots * copies + text.hidden_size * (2 if trains else 1)) * 4
    yield f"float32 logits of {rows * slots} slots and {VOCABULARY_CHUNK} words, with their weights", chunk
    picked = rows * answers * max(map(len, asked[1][:answers])) * text.hidden_size * 4 * 3
    yield "hidden states and words of the answers' tokens, float32", picked


# Bytes that autograd keeps of one decoder layer for each token, adapters with dropout included: measured by this very
# script on a CPU, see `saved_bytes`.
SAVED_A_TOKEN = 286_000


def table(title: str, parts: list[tuple[str, float]]) -> None:
    print(f"| {title} | GB |\n|---|---:|")
    for name, size in parts:
        print(f"| {name} | {size / GB:.2f} |")
    print(f"| **sum** | **{sum(size for _, size in parts) / GB:.2f}** |\n")


# -- runs --------------------------------------------------------------------------------------------------------------


def run_on_gpu(options: argparse.Namespace, vocabulary: Vocabulary, base: GemmaBase) -> None:
    device = "cuda"
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(min(1.0, options.cap_gb * GB / total))
    model = adapted(random_model(base, device), device)
    print(f"{torch.cuda.get_device_name(0)}, at most {options.cap_gb:g} GB for tensors")
    print(f"weights and adapter: {torch.cuda.memory_allocated() / GB:.2f} GB")
    batch = to(packed(base, prompts(base, vocabulary, 12), options.rows, 1), device)
    optimizer = torch.optim.AdamW(adapter_parameters(model), lr=1e-4, fused=True)
    checkpointing(model)
    timed("a QLoRA step", options, batch, lambda: step(model.train(), batch, base, optimizer))
    model.eval()
    every = len(vocabulary.products)
    batch = to(packed(base, prompts(base, vocabulary, every), MICRO_BATCH["cuda"], every), device)
    with torch.inference_mode(), torch.autocast("cuda", torch.bfloat16):
        timed(f"scoring {every} products", options, batch, lambda: log_likelihoods(model, batch, base))


def timed(title: str, options: argparse.Namespace, batch: dict[str, torch.Tensor], run: Any) -> None:
    run()  # the first one also chooses kernels
    torch.cuda.reset_peak_memory_stats()
    seconds = []
    for _ in range(options.steps):
        torch.cuda.synchronize()
        started = time.perf_counter()
        run()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    median = sorted(seconds)[len(seconds) // 2]
    rows, length = batch["input_ids"].shape
    print(
        f"{title}, {rows} rows of {length} tokens: peak {torch.cuda.max_memory_allocated() / GB:.2f} GB allocated, "
        f"{torch.cuda.max_memory_reserved() / GB:.2f} GB reserved; {median:.3f} s (median of {len(seconds)}), "
        f"{rows / median:.2f} images/s, {rows * length / median:.0f} tokens/s"
    )


def run_on_cpu(options: argparse.Namespace, vocabulary: Vocabulary) -> None:
    base = true_base(vocabulary, options.layers, 1)
    model = adapted(random_model(base, "cpu"), "cpu").train()
    layers = model.model.language_model.layers
    stored = sum(stored_bytes(module) for module in layers.modules() if isinstance(module, bnb.nn.Linear4bit))
    linear = sum(m.in_features * m.out_features for m in layers.modules() if isinstance(m, bnb.nn.Linear4bit))
    print(
        f"{options.layers} layers in NF4 on the CPU: {stored / linear:.4f} bytes a weight (arithmetic {NF4_BYTES:.4f})"
    )
    batch = packed(base, prompts(base, vocabulary, 12), 1, 1)
    print(f"one layer saves {saved_bytes(model, batch, base) / batch['input_ids'].numel():.0f} bytes a token")
    checkpointing(model)
    optimizer = torch.optim.AdamW(adapter_parameters(model), lr=1e-4)
    started = time.perf_counter()
    loss = step(model, batch, base, optimizer)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(
        f"forward, backward and AdamW of {batch['input_ids'].numel()} tokens and one image: loss {loss:.2f}, "
        f"{seconds:.1f} s, peak of the process {peak / GB:.2f} GB"
    )


def adapted(model: Any, device: str) -> Any:
    add_adapter(model, ProductsTraining().lora_rank, ProductsTraining().lora_alpha, ProductsTraining().lora_dropout)
    return model.to(device)


def checkpointing(model: Any) -> None:
    model.model.language_model.activation_checkpointing_enable({"use_reentrant": False})
    model.model.language_model.disable_input_require_grads()


def step(model: Any, batch: dict[str, torch.Tensor], base: GemmaBase, optimizer: torch.optim.Optimizer) -> float:
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast(batch["image"].device.type, torch.bfloat16):
        loss = -log_likelihoods(model, batch, base).mean()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(adapter_parameters(model), 1.0)
    if not torch.isfinite(norm):
        raise SystemExit("the gradient is not a number")
    optimizer.step()
    return float(loss.detach())


def stored_bytes(layer: Any) -> int:
    state = layer.weight.quant_state
    tensors = [layer.weight, state.absmax, state.state2.absmax]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def saved_bytes(model: Any, batch: dict[str, torch.Tensor], base: GemmaBase) -> int:
    """What autograd keeps of the last decoder layer, weights left out, each storage once."""
    weights = {tensor.untyped_storage().data_ptr() for tensor in model.state_dict().values()}
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with (
        watched(model.model.language_model.layers[-1], keep),
        torch.autocast(batch["image"].device.type, torch.bfloat16),
    ):
        log_likelihoods(model, batch, base).sum().backward()
    model.zero_grad(set_to_none=True)
    return sum(kept.values())


@contextmanager
def watched(layer: nn.Module, keep: Any) -> Iterator[None]:
    plain = layer.forward

    def forward(*arguments: Any, **options: Any) -> Any:
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            return plain(*arguments, **options)

    layer.forward = forward
    try:
        yield
    finally:
        del layer.forward


def to(batch: dict[str, torch.Tensor], device: str) -> dict[str, torch.Tensor]:
    return {name: tensor.to(device) for name, tensor in batch.items()}


if __name__ == "__main__":
    sys.exit(main())
