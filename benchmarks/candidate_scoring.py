"""python benchmarks/candidate_scoring.py [--candidates 20] [--rounds 9]

What does scoring all candidates in one pass save against a forward pass for each? On the CPU, a small random base with
Gemma's 256 image tokens and a vocabulary so small that names take several tokens, as they do with Gemma. The loop is
given twice: as anybody would write it, and with the image's features computed once for all candidates.

CPU seconds are counted, and the three take turns in every round, so that what else the machine does falls on all of
them alike. Each round gives a ratio; printed are the median, the least and the greatest. The scores must agree, or
nothing is printed.
"""

import argparse
import logging
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from meteo_ray.products.base_model import GemmaBase
from meteo_ray.products.candidate_scoring import log_likelihoods, pack
from meteo_ray.products.config import SmallBase
from meteo_ray.products.image_features import image_features
from meteo_ray.products.prompt import PromptEncoder
from meteo_ray.products.small_base import make_small_base
from meteo_ray.vocabulary import load_vocabulary

BASE = SmallBase(
    hidden_size=256,
    layers=6,
    heads=4,
    image_size=224,
    patch_size=14,
    vision_hidden_size=128,
    vision_layers=4,
    image_tokens_per_side=16,
    vocabulary_size=600,
)


def main() -> int:
    options = parse_options()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    ways, tokens = three_ways(options.candidates)
    scores = {name: way() for name, way in ways.items()}
    for name, found in scores.items():
        if not np.allclose(found, scores["one pass"], atol=1e-3):
            raise SystemExit(f"{name} gives other scores than one pass")
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(options.rounds):
        for name, way in ways.items():
            started = time.process_time()
            way()
            seconds[name].append(time.process_time() - started)
    print(f"{options.candidates} candidates, a prompt of {tokens} tokens, {torch.get_num_threads()} threads")
    print("| | CPU time an image | times as long as one pass: median (least to greatest) |\n|---|---:|---:|")
    for name, taken in seconds.items():
        ratios = np.array(taken) / np.array(seconds["one pass"])
        spread = f"{np.median(ratios):.1f} ({ratios.min():.1f} to {ratios.max():.1f})"
        print(f"| {name} | {1000 * np.median(taken):.0f} ms | {spread} |")
    return 0


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--candidates", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=9)
    return parser.parse_args()


def three_ways(count: int) -> tuple[dict[str, Callable[[], np.ndarray]], int]:
    """Each gives the candidates' log-likelihoods; and the length of the prompt."""
    vocabulary = load_vocabulary()
    with tempfile.TemporaryDirectory() as folder:
        make_small_base(Path(folder) / "base", vocabulary, BASE)
        base = GemmaBase.open(Path(folder) / "base")
        model = base.load_model()
    encoder = PromptEncoder(base.processor, vocabulary)
    listed = vocabulary.product_ids[:count]
    prompt = encoder.encode_prompt(vocabulary.element_ids[:5], listed)
    answers = encoder.encode_answers(listed)
    width, height = base.image_size
    image = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    pixels = {"image": torch.from_numpy(image)}

    @torch.inference_mode()
    def scores(of: list[list[int]], seen: dict[str, Any]) -> np.ndarray:
        return log_likelihoods(model, {**pack([prompt], [of], base), **seen}, base)[0].numpy()

    def loop(seen: Callable[[], dict[str, Any]]) -> np.ndarray:
        given = seen()
        return np.concatenate([scores([answer], given) for answer in answers])

    @torch.inference_mode()
    def features() -> dict[str, Any]:
        return {"features": image_features(model, base, pixels["image"])}

    ways: dict[str, Callable[[], np.ndarray]] = {
        "one pass": lambda: scores(answers, pixels),
        "a pass for each candidate": lambda: loop(lambda: pixels),
        "a pass for each, the image once": lambda: loop(features),
    }
    return ways, len(prompt)


if __name__ == "__main__":
    sys.exit(main())
