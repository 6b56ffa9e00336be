"""The networks: windows in, a point forecast and its quantiles out."""
