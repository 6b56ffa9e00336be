"""Stage 1: is it a weather chart? ResNet-18 with one logit (R10-R14)."""
