"""One training loop for every task, its launch on Ray Train, and sweeps on Ray Tune."""
