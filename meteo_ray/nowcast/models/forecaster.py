"""Encoder-forecaster (Shi et al. 2015): one ConvLSTM reads the past, another goes on from its state, lead by lead.

Rain is read on a logarithmic scale: z = (10 log10(mm/h) + 15) / 35, from 0 (none) to 1 (100 mm/h). As a residual
network it is given the extrapolation of every lead, sharp and blurred; what it answers is a mixture of the two, place
by place, and a correction of that. Untrained it answers the blurred extrapolation, nearly: of the two the better one,
and what a network that learnt too little should fall back to.
"""

import torch
from torch import Tensor, nn

from meteo_ray.nowcast.config import COARSER, THRESHOLDS, NowcastTraining
from meteo_ray.nowcast.extrapolation import LEAST_RAIN, NO_RAIN_DB
from meteo_ray.nowcast.models.conv_lstm import ConvLstm

RANGE_DB = 35.0
"""From NO_RAIN_DB to 20 dB, 100 mm/h."""

GATE_AT_FIRST = 2.0
"""Logit of the blurred extrapolation's share: 0.88."""

SKIP = 8
"""Channels that go around the coarse grid."""


def to_scale(rain: Tensor) -> Tensor:
    """mm/h to z; unseen (NaN) as no rain."""
    rain = rain.nan_to_num()
    decibels = 10 * torch.log10(rain.clamp(min=LEAST_RAIN))
    scaled = (decibels - NO_RAIN_DB) / RANGE_DB
    return torch.where(rain >= LEAST_RAIN, scaled, torch.zeros_like(scaled))


def to_rain(scaled: Tensor) -> Tensor:
    """z to mm/h; what lies below 0.1 mm/h fades to zero in a straight line, so that a gradient remains."""
    lowest = (10 * torch.log10(torch.tensor(LEAST_RAIN)).item() - NO_RAIN_DB) / RANGE_DB
    above = 10 ** ((RANGE_DB * scaled.clamp(lowest, 1.1) + NO_RAIN_DB) / 10)
    return torch.where(scaled >= lowest, above, LEAST_RAIN * scaled.clamp(min=0) / lowest)


class Forecaster(nn.Module):
    """Past frames and extrapolations in, rain and the likelihood of thresholds out, on fields of any size."""

    def __init__(self, settings: NowcastTraining) -> None:
        super().__init__()
        self.residual, self.leads = settings.residual, settings.leads
        hidden = settings.hidden
        given = 2 if settings.residual else 1
        self.down = nn.Conv2d(1, hidden[0], COARSER, stride=COARSER)
        self.encoder = ConvLstm(hidden[0], hidden, settings.kernel, settings.peepholes)
        self.down_ahead = nn.Conv2d(given, hidden[0], COARSER, stride=COARSER)
        self.forecaster = ConvLstm(hidden[0], hidden, settings.kernel, settings.peepholes)
        self.up = nn.ConvTranspose2d(hidden[-1], SKIP, COARSER, stride=COARSER)
        self.skip = nn.Conv2d(given, SKIP, 3, padding=1)
        self.out = nn.Conv2d(SKIP, 2 + len(THRESHOLDS), 3, padding=1)
        nn.init.zeros_(self.out.weight)
        with torch.no_grad():
            self.out.bias.copy_(torch.tensor([GATE_AT_FIRST, 0.0, *[0.0] * len(THRESHOLDS)]))  # type: ignore[union-attr]
        self.sharpness = nn.Parameter(torch.full((len(THRESHOLDS),), 10.0))

    def forward(self, past: Tensor, sharp: Tensor, soft: Tensor) -> tuple[Tensor, Tensor]:
        """All in mm/h, NaN where unseen.

        Args:
            past: `(batch, frames, rows, columns)`, the newest last.
            sharp: the extrapolations, `(batch, leads, rows, columns)`.
            soft: the same, blurred.

        Returns:
            Rain `(batch, leads, rows, columns)` in mm/h, and logits `(batch, leads, thresholds, rows, columns)` of rain
            at or above THRESHOLDS.
        """
        rows, columns = past.shape[-2:]
        past, sharp, soft = (_padded(field) for field in (past, sharp, soft))
        scaled = to_scale(past)
        states = self.encoder.begin(self.down(scaled[:, :1]))
        for frame in range(scaled.shape[1]):
            states = self.encoder.step(self.down(scaled[:, frame : frame + 1]), states)
        found = []
        for lead in range(self.leads):
            given = self._given(scaled, sharp[:, lead], soft[:, lead])
            states = self.forecaster.step(self.down_ahead(given), states)
            found.append(self._answer(states[-1][0], given, sharp[:, lead], soft[:, lead]))
        rain = torch.stack([rain for rain, _ in found], dim=1)[..., :rows, :columns]
        logits = torch.stack([logits for _, logits in found], dim=1)[..., :rows, :columns]
        return rain, logits

    def _given(self, past: Tensor, sharp: Tensor, soft: Tensor) -> Tensor:
        """What the forecaster reads at a lead: both extrapolations, else the last frame."""
        if self.residual:
            return torch.stack([to_scale(sharp), to_scale(soft)], dim=1)
        return past[:, -1:]

    def _answer(self, hidden: Tensor, given: Tensor, sharp: Tensor, soft: Tensor) -> tuple[Tensor, Tensor]:
        made = self.out(torch.relu(self.up(hidden) + self.skip(given)))
        gate, correction, chances = made[:, 0], made[:, 1], made[:, 2:]
        if self.residual:
            share = gate.sigmoid()
            scaled = to_scale((1 - share) * sharp.nan_to_num() + share * soft.nan_to_num()) + correction
        else:
            scaled = correction
        at = to_scale(torch.tensor(THRESHOLDS, device=scaled.device))[None, :, None, None]
        logits = self.sharpness[None, :, None, None] * (scaled[:, None] - at) + chances
        return to_rain(scaled), logits


def _padded(field: Tensor) -> Tensor:
    """With unseen rows and columns added to a multiple of the coarser grid."""
    rows, columns = (-size % COARSER for size in field.shape[-2:])
    return nn.functional.pad(field, (0, columns, 0, rows), value=float("nan")) if rows or columns else field
