"""Trained models scored on a labelled split: each stage on its own, and all of them end to end (R43)."""
