"""What an archive holds: its files, wherever they lie, and the manifest of those that a run has."""
