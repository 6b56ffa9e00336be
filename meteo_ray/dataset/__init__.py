"""labels.jsonl -> index -> splits -> sampling -> streamed batches.

Reading order: json_lines, labels_file, cleaning (what the user wrote), probe, duplicates (what the images are),
splits, leakage (who learns from what), index (all of it, on disk), report; then sampling, streaming and pixels, which
training uses.
"""
