"""Defaults of the streaming room that jobs show in their help; light, so that `--help` stays fast."""

MOST_CACHE_GB = 30.0
"""Of decoded images, 10^9 bytes: 120,000 images of 0.25 MB."""
