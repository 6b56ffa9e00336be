"""Sorts folders of images into weather charts, their meteorological elements and products, on Ray."""

__version__ = "0.1.0"
