"""Does a training ever wait for its data? See run.py."""
