"""LSTM, convolutions before an LSTM, and one LSTM that all quantities share.

They return the answers and a penalty, which only the graph network has.
"""

import torch
from torch import Tensor, nn

from meteo_ray.forecast.config import LEVELS, ForecastTraining
from meteo_ray.forecast.models.answer import Answer

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "none": nn.Identity}


class Lstm(nn.Module):
    """The last state of an LSTM over the window."""

    def __init__(self, settings: ForecastTraining, features: int, targets: int) -> None:
        super().__init__()
        self.dropout = nn.Dropout(settings.dropout)
        self.lstm = nn.LSTM(self._first(settings, features), settings.hidden, settings.layers, batch_first=True)
        self.activation = ACTIVATIONS[settings.activation]()
        self.answer = Answer(
            settings.hidden, features, settings.lookback, settings.horizon, targets, LEVELS, settings.linear_path
        )

    def _first(self, settings: ForecastTraining, features: int) -> int:
        return features

    def sequence(self, window: Tensor) -> Tensor:
        """What the LSTM reads, `(batch, days, numbers)`."""
        return window

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """`(batch, lookback, features)` -> `(batch, horizon, targets, 1 + levels)` and a penalty of zero."""
        states, _ = self.lstm(self.sequence(self.dropout(window)))
        made = self.dropout(self.activation(states[:, -1]))
        return self.answer(made, window), window.new_zeros(())


class CnnLstm(Lstm):
    """Two convolutions along the days, three wide, before the LSTM: they see a day with its neighbours."""

    def __init__(self, settings: ForecastTraining, features: int, targets: int) -> None:
        super().__init__(settings, features, targets)
        self.convolutions = nn.Sequential(
            nn.Conv1d(features, settings.channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv1d(settings.channels, settings.channels, 3, padding=1),
            nn.ReLU(),
        )

    def _first(self, settings: ForecastTraining, features: int) -> int:
        return settings.channels

    def sequence(self, window: Tensor) -> Tensor:
        found: Tensor = self.convolutions(window.transpose(1, 2)).transpose(1, 2)
        return found


class StationLstm(nn.Module):
    """One number in, `horizon` numbers out: every quantity goes through the same small LSTM on its own.

    A value that is missing is zero, which under the scaling `anomaly` is the climatology.
    """

    def __init__(self, settings: ForecastTraining, features: int, targets: tuple[int, ...]) -> None:
        super().__init__()
        self.targets = list(targets)
        self.lstm = nn.LSTM(1, settings.hidden, settings.layers, batch_first=True)
        self.dropout = nn.Dropout(settings.dropout)
        self.activation = ACTIVATIONS[settings.activation]()
        self.answer = Answer(settings.hidden, 1, settings.lookback, settings.horizon, 1, LEVELS, settings.linear_path)

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """As `Lstm.forward`; only the targets' own columns of the window are read."""
        batch, days = window.shape[:2]
        series = window[:, :, self.targets].transpose(1, 2).reshape(batch * len(self.targets), days, 1)
        states, _ = self.lstm(series)
        answers = self.answer(self.dropout(self.activation(states[:, -1])), series)
        return answers.reshape(batch, len(self.targets), *answers.shape[1:]).squeeze(3).transpose(1, 2), torch.zeros(
            (), device=window.device
        )
