"""Rows of the prepared index -> batches of pixels, decoded and augmented on CPU workers ahead of their consumer (R7).

index      the index on disk
sampling   in which order an epoch draws its rows
pixels     from a row to what a network reads; image_store keeps what is the same in all epochs
unchanged  whether files still are what was indexed
stream     the Ray Data stream
"""
