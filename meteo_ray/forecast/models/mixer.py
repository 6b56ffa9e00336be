"""A modern rival from a kept library: PatchTSMixer (Ekambaram et al. 2023) of transformers, on the same windows.

Multi-layer perceptrons mix patches of days, then channels. Only the encoder is taken: what it makes of the window goes
through the same answer as every other network here, so that networks are compared and not heads.
"""

from torch import Tensor, nn
from transformers import PatchTSMixerConfig, PatchTSMixerModel

from meteo_ray.forecast.config import LEVELS, ForecastTraining
from meteo_ray.forecast.models.answer import Answer

MOST_PATCH_DAYS = 7


class Mixer(nn.Module):
    """`hidden` numbers a patch and channel, `layers` mixer layers; channels are mixed too."""

    def __init__(self, settings: ForecastTraining, features: int, targets: int) -> None:
        super().__init__()
        patch = max(min(MOST_PATCH_DAYS, settings.lookback // 2), 1)
        self.encoder = PatchTSMixerModel(
            PatchTSMixerConfig(
                context_length=settings.lookback,
                patch_length=patch,
                patch_stride=patch,
                num_input_channels=features,
                d_model=settings.hidden,
                num_layers=settings.layers,
                dropout=settings.dropout,
                mode="mix_channel",
                scaling=None,  # windows are scaled already, by what training days say
            )
        )
        patches = (settings.lookback - patch) // patch + 1
        width = features * patches * settings.hidden
        self.dropout = nn.Dropout(settings.dropout)
        self.answer = Answer(
            width, features, settings.lookback, settings.horizon, targets, LEVELS, settings.linear_path
        )

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """`(batch, lookback, features)` -> `(batch, horizon, targets, 1 + levels)` and a penalty of zero."""
        made = self.encoder(window).last_hidden_state.flatten(1)
        return self.answer(self.dropout(made), window), window.new_zeros(())
