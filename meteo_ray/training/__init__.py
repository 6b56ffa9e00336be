"""One training loop for every task, and its launch on Ray Train."""
