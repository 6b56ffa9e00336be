"""Does the product stage fit an 8 GB card? What is measured, and how, says `run.py`."""
