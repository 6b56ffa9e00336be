"""The network that the settings ask for."""

from torch import nn

from meteo_ray.forecast.config import ForecastTraining
from meteo_ray.forecast.models.graph import StationGraph
from meteo_ray.forecast.models.recurrent import CnnLstm, Lstm, StationLstm
from meteo_ray.forecast.windows import Windows


def build_model(settings: ForecastTraining, windows: Windows) -> nn.Module:
    """On the CPU, with random weights that answer the base forecast. Raises UsageError where a graph cannot be."""
    features, targets = windows.features, len(windows.targets)
    if settings.model == "graph":
        return StationGraph(settings, features, targets, windows.panel.places)
    if settings.model == "station_lstm":
        return StationLstm(settings, features, windows.targets)
    if settings.model == "mixer":  # transformers takes seconds to import
        from meteo_ray.forecast.models.mixer import Mixer

        return Mixer(settings, features, targets)
    if settings.model == "cnn_lstm":
        return CnnLstm(settings, features, targets)
    return Lstm(settings, features, targets)
