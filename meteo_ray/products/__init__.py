"""Stage 3: which product is it? Gemma 3 with a low-rank adapter, asked to choose among candidates (R30-R36)."""

import logging
import os

# Weights come from a folder or an already filled cache. huggingface_hub reads this once, when it
# is first imported; without it a missing file costs a minute of connection attempts before the error.
os.environ.setdefault("HF_HUB_OFFLINE", "1")

# On some CPUs bitsandbytes, when imported, looks for a kernel that it would fetch, and warns although its own works.
logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
