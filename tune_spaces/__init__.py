"""One search space a file; `jobs/tune.py --space NAME` reads them."""
