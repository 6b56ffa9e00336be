"""Stage 3: which product is it? Gemma 3 with a low-rank adapter, asked to choose among candidates (R30-R36)."""

import os

# Weights come from a folder or an already filled cache (design, decision 8). huggingface_hub reads this once, when it
# is first imported; without it a missing file costs a minute of connection attempts before the error.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
