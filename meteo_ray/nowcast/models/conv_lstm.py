"""Convolutional LSTM with peepholes (Shi et al. 2015, equations 3).

    i = s(W_xi * X + W_hi * H + w_ci . C  + b_i)
    f = s(W_xf * X + W_hf * H + w_cf . C  + b_f)
    C' = f . C + i . tanh(W_xc * X + W_hc * H + b_c)
    o = s(W_xo * X + W_ho * H + w_co . C' + b_o)
    H' = o . tanh(C')

`*` is a convolution that keeps the size, `.` a product number by number. A peephole has one weight a channel and not
one for each place as in the paper: then the network takes fields of any size, and rain is the same wherever it falls.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]
"""H and C, each `(batch, hidden, rows, columns)`."""


class ConvLstmCell(nn.Module):
    """One step.

    Args:
        inputs: channels of X.
        hidden: channels of H and C.
        kernel: side of the convolutions, odd.
        peepholes: without them the w_c are zero.
    """

    def __init__(self, inputs: int, hidden: int, kernel: int = 3, peepholes: bool = True) -> None:
        super().__init__()
        self.hidden = hidden
        self.gates = nn.Conv2d(inputs + hidden, 4 * hidden, kernel, padding=kernel // 2)
        self.peepholes = nn.Parameter(torch.zeros(3, hidden, 1, 1)) if peepholes else None
        with torch.no_grad():  # to remember at first (Jozefowicz et al. 2015)
            self.gates.bias[hidden : 2 * hidden].fill_(1.0)  # type: ignore[index]

    def begin(self, like: Tensor) -> State:
        """Zeros for a batch of the rows and columns of `like`."""
        zeros = like.new_zeros(len(like), self.hidden, *like.shape[-2:])
        return zeros, zeros

    def forward(self, inputs: Tensor, state: State) -> State:
        hidden, cell = state
        enter, forget, new, out = self.gates(torch.cat([inputs, hidden], dim=1)).chunk(4, dim=1)
        if self.peepholes is not None:
            enter, forget = enter + self.peepholes[0] * cell, forget + self.peepholes[1] * cell
        cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
        if self.peepholes is not None:
            out = out + self.peepholes[2] * cell
        return out.sigmoid() * cell.tanh(), cell


class ConvLstm(nn.Module):
    """Layers of cells, each reading the hidden state of the one below."""

    def __init__(self, inputs: int, hidden: Sequence[int], kernel: int, peepholes: bool) -> None:
        super().__init__()
        below = [inputs, *hidden[:-1]]
        cells = [ConvLstmCell(before, own, kernel, peepholes) for before, own in zip(below, hidden, strict=True)]
        self.cells = nn.ModuleList(cells)

    def begin(self, like: Tensor) -> list[State]:
        return [cast(ConvLstmCell, cell).begin(like) for cell in self.cells]

    def step(self, inputs: Tensor, states: list[State]) -> list[State]:
        """The states after one more field."""
        found = []
        for cell, state in zip(self.cells, states, strict=True):
            state = cell(inputs, state)
            found.append(state)
            inputs = state[0]
        return found
