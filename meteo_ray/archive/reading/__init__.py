"""From a listed file to pixels, or to why there are none, in a guarded child; and whose fault it was."""
