"""Forecasts of station series: readers, honest splits, baselines, networks, scores."""
