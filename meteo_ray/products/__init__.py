"""Stage 3: which product is it? Gemma 3 with a low-rank adapter, asked to choose among candidates (R30-R36)."""
