"""What a step, scoring and both actors of an archive take, part by part, as Markdown tables."""

from collections.abc import Iterator

from torch import nn

from benchmarks.products_memory.questions import Asked
from benchmarks.products_memory.shape import LAYERS, empty_model
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.candidate_scoring import VOCABULARY_CHUNK, pack
from meteo_ray.products.config import ProductsTraining
from meteo_ray.products.language_model import MICRO_BATCH

# 4 bits a weight, one byte of scale for 64 weights, and one float32 for 256 of those scales (double quantisation).
NF4_BYTES = 1 / 2 + 1 / 64 + 4 / (64 * 256)

# Of a process that uses CUDA: context, kernels, cuBLAS workspaces. An assumption, from 0.3 to 0.6 GB on common cards.
CUDA_CONTEXT = 0.5e9

# An adapter's weight in float32: itself, its gradient, AdamW's two moments.
TRAINED_BYTES = 16

GB = 1e9

# Bytes that autograd keeps of one decoder layer for each token, adapters with dropout included: measured on a CPU, see
# `one_step.saved_bytes`.
SAVED_A_TOKEN = 286_000


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def print_arithmetic(
    base: GemmaBase,
    training: Asked,
    scoring: Asked,
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


def activations(base: GemmaBase, asked: Asked, rows: int, answers: int, trains: bool) -> Iterator[tuple[str, float]]:
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


def table(title: str, parts: list[tuple[str, float]]) -> None:
    print(f"| {title} | GB |\n|---|---:|")
    for name, size in parts:
        print(f"| {name} | {size / GB:.2f} |")
    print(f"| **sum** | **{sum(size for _, size in parts) / GB:.2f}** |\n")
