"""What every forecasting network ends with: a number and its quantiles for each lead and target.

It starts at the base forecast with the quantiles of a normal distribution around it, so that an untrained network is
no worse than what it adds to. Quantiles are put in order (Chernozhukov et al. 2010), which never makes them worse.
"""

from collections.abc import Sequence
from statistics import NormalDist

import torch
from torch import Tensor, nn

LINEAR_DAYS = 7
"""Days that the linear path reads, as many as ridge regression does."""


class Answer(nn.Module):
    """From what a network made of a window to `(..., horizon, targets, 1 + levels)`.

    Args:
        width: of what the network hands over.
        features: of a day; the linear path reads the last days of the window.
        lookback: days of a window.
        horizon: days ahead.
        targets: how many.
        levels: of the quantiles.
        linear_path: whether there is one.
    """

    def __init__(
        self,
        width: int,
        features: int,
        lookback: int,
        horizon: int,
        targets: int,
        levels: Sequence[float],
        linear_path: bool,
    ) -> None:
        super().__init__()
        self.shape = (horizon, targets, 1 + len(levels))
        self.days = min(LINEAR_DAYS, lookback)
        self.out = nn.Linear(width, horizon * targets * (1 + len(levels)))
        nn.init.zeros_(self.out.weight)
        first = torch.tensor([0.0, *(NormalDist().inv_cdf(level) for level in levels)])
        with torch.no_grad():
            self.out.bias.copy_(first.repeat(horizon * targets))
        self.linear = nn.Linear(self.days * features, horizon * targets) if linear_path else None
        if self.linear is not None:
            nn.init.zeros_(self.linear.weight)
            nn.init.zeros_(self.linear.bias)

    def forward(self, made: Tensor, window: Tensor) -> Tensor:
        """`made` `(..., width)`, `window` `(..., lookback, features)`; the first of the last axis is the forecast."""
        answers: Tensor = self.out(made).unflatten(-1, self.shape)
        if self.linear is not None:
            shift = self.linear(window[..., -self.days :, :].flatten(-2)).unflatten(-1, self.shape[:2])
            answers = answers + shift[..., None]
        return torch.cat([answers[..., :1], answers[..., 1:].sort(dim=-1).values], dim=-1)
