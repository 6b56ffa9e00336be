"""The whole system tried on drawn data: the data set and archive on disk (data_set, awkward_archive), and the walk
through every job (walkthrough)."""
