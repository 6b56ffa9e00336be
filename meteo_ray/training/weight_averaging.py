"""Weights averaged over training: validation, the best checkpoint and the bundle use them instead of the last ones.

An exponential moving average follows the optimiser at a distance and is not thrown by single batches (Polyak &
Juditsky 1992; Tarvainen & Valpola 2017 for the exponential form). It matters most where the images to be judged differ
from those that are learnt: there a network's weights jump about while its training loss falls smoothly.
"""

from torch import Tensor, nn
from torch.optim.swa_utils import PARAM_LIST, AveragedModel, get_ema_multi_avg_fn


class WeightAverage:
    """`(1 - d) * weights + d * average` after every optimiser step, batch statistics included; integers are copied.

    d is `decay`, but at most (1 + step) / (10 + step), so that the random first weights are soon forgotten.

    Args:
        model: on its device; it is copied.
        decay: d once training is under way, in (0, 1).
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        def average(averaged: PARAM_LIST, current: PARAM_LIST, step: Tensor | int) -> None:
            if not averaged[0].is_floating_point():  # counters, and the packed codes of quantised weights
                for kept, new in zip(averaged, current, strict=True):
                    kept.copy_(new)
                return
            done = self.steps  # and not `step`: its copy on the model's device, for which the process would wait
            reached = min(decay, (1 + done) / (10 + done))
            get_ema_multi_avg_fn(reached)(averaged, current, step)

        self._averaged = AveragedModel(model, multi_avg_fn=average, use_buffers=True)

    @property
    def model(self) -> nn.Module:
        """The module with the averaged weights."""
        return self._averaged.module

    def update(self, model: nn.Module) -> None:
        """Account for one optimiser step of `model`."""
        self._averaged.update_parameters(model)

    @property
    def steps(self) -> int:
        """Optimiser steps accounted for."""
        return int(self._averaged.n_averaged)

    @steps.setter
    def steps(self, count: int) -> None:
        self._averaged.n_averaged.fill_(count)
