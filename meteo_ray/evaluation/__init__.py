"""What a trained cascade is worth: metrics, calibration, robustness, baselines and the report (R14, R26, R36, R43)."""
