"""Overnight sweeps on Ray Tune with Optuna: of a stage's training, or of a trained cascade's thresholds (R42)."""
