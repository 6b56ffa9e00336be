"""How well similar charts are found, by which method: `python -m benchmarks.retrieval.run --help`."""
