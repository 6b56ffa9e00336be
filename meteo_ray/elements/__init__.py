"""Stage 2: which elements does a chart show? The CNN-RNN unified framework of Wang et al. 2016 (R20-R27)."""
