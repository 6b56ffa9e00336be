"""python -m benchmarks.products_memory.run [--cap-gb 8] [--rows 2] [--steps 5] [--layers 2] [--no-run]

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
import sys

import torch

from benchmarks.products_memory.arithmetic import print_arithmetic
from benchmarks.products_memory.questions import prompts
from benchmarks.products_memory.runs import run_on_cpu, run_on_gpu
from benchmarks.products_memory.shape import LAYERS, VISION_LAYERS, true_base
from meteo_ray.vocabulary import load_vocabulary


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


if __name__ == "__main__":
    sys.exit(main())
