"""Real steps: on a GPU under a cap on memory, or of a few layers on a CPU."""

import argparse
import resource
import time
from typing import Any

import bitsandbytes as bnb
import torch

from benchmarks.products_memory.arithmetic import GB, NF4_BYTES
from benchmarks.products_memory.one_step import adapted, checkpointing, saved_bytes, step, stored_bytes
from benchmarks.products_memory.questions import packed, prompts
from benchmarks.products_memory.shape import random_model, true_base
from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.candidate_scoring import log_likelihoods
from meteo_ray.products.language_model import MICRO_BATCH
from meteo_ray.products.lora_adapter import adapter_parameters
from meteo_ray.vocabulary import Vocabulary


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


def to(batch: dict[str, torch.Tensor], device: str) -> dict[str, torch.Tensor]:
    return {name: tensor.to(device) for name, tensor in batch.items()}
