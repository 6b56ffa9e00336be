"""Our own LSTM, written from the gate equations (R20; Hochreiter & Schmidhuber 1997 with Gers et al.'s forget gate).

For the input x_t and the previous hidden state h and cell state c of a layer:

    i = sigmoid(W_i [x_t, h] + b_i)      input gate: how much of the candidate enters
    f = sigmoid(W_f [x_t, h] + b_f)      forget gate: how much of the old cell stays
    g = tanh   (W_g [x_t, h] + b_g)      candidate
    o = sigmoid(W_o [x_t, h] + b_o)      output gate
    c_t = f * c + i * g
    h_t = o * tanh(c_t)

The four W stand in one matrix, so a layer's step is one matrix product.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn

# A new cell should remember until it has learnt to forget (Jozefowicz et al. 2015, section 2.2).
FORGET_BIAS = 1.0


class LSTMState(NamedTuple):
    """What an LSTM carries from step to step: both `(layers, batch, hidden)`."""

    hidden: Tensor
    cell: Tensor

    def select(self, rows: Tensor) -> "LSTMState":
        """The state of the given batch rows, `rows` int64 `(chosen,)`; a row may be taken twice."""
        return LSTMState(self.hidden.index_select(1, rows), self.cell.index_select(1, rows))


class LSTMCell(nn.Module):
    """A layer's step: `(batch, input_size)` and its state -> the next hidden and cell state `(batch, hidden_size)`."""

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__()
        self.gates = nn.Linear(input_size + hidden_size, 4 * hidden_size)
        bound = hidden_size**-0.5
        nn.init.uniform_(self.gates.weight, -bound, bound)
        nn.init.zeros_(self.gates.bias)
        with torch.no_grad():
            self.gates.bias[hidden_size : 2 * hidden_size] = FORGET_BIAS

    def forward(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        i, f, g, o = self.gates(torch.cat([inputs, hidden], dim=1)).chunk(4, dim=1)
        cell = torch.sigmoid(f) * cell + torch.sigmoid(i) * torch.tanh(g)
        return torch.sigmoid(o) * torch.tanh(cell), cell


class LSTM(nn.Module):
    """Stacked LSTM layers; each layer reads the hidden states of the one below."""

    def __init__(self, input_size: int, hidden_size: int, layers: int = 2) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        sizes = [input_size] + [hidden_size] * (layers - 1)
        self.layers = nn.ModuleList(LSTMCell(size, hidden_size) for size in sizes)

    def initial_state(self, batch: int) -> LSTMState:
        """All zeros, in the weights' dtype and on their device."""
        zeros = next(self.parameters()).new_zeros(len(self.layers), batch, self.hidden_size)
        return LSTMState(zeros, zeros)

    def step(self, inputs: Tensor, state: LSTMState) -> tuple[Tensor, LSTMState]:
        """One time step: `(batch, input_size)` -> the top layer's `(batch, hidden_size)` and the next state."""
        hidden, cell = [], []
        for number, layer in enumerate(self.layers):
            inputs, layer_cell = layer(inputs, state.hidden[number], state.cell[number])
            hidden.append(inputs)
            cell.append(layer_cell)
        return inputs, LSTMState(torch.stack(hidden), torch.stack(cell))

    def forward(self, inputs: Tensor, state: LSTMState | None = None) -> tuple[Tensor, LSTMState]:
        """A whole sequence: `(batch, steps, input_size)` -> `(batch, steps, hidden_size)` and the last state."""
        state = self.initial_state(len(inputs)) if state is None else state
        outputs = []
        for step in range(inputs.shape[1]):
            output, state = self.step(inputs[:, step], state)
            outputs.append(output)
        return torch.stack(outputs, dim=1), state
