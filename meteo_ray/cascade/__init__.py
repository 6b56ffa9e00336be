"""The stages one after the other, over rows of an index; archives have a graph of their own (archive.cascade)."""
