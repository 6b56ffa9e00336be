"""ConvLSTM cells against formulas in float64; what the encoder-forecaster must keep to."""

import numpy as np
import pytest
import torch
from scipy.signal import correlate2d

from meteo_ray.nowcast.config import NowcastTraining
from meteo_ray.nowcast.models.conv_lstm import ConvLstm, ConvLstmCell
from meteo_ray.nowcast.models.forecaster import GATE_AT_FIRST, Forecaster, to_rain, to_scale


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def random_cell(inputs=2, hidden=3, kernel=3) -> ConvLstmCell:
    torch.manual_seed(0)
    cell = ConvLstmCell(inputs, hidden, kernel)
    torch.nn.init.normal_(cell.peepholes)
    return cell


def convolved(weight, bias, field):
    """Convolution that keeps the size, one channel after the other."""
    return np.stack(
        [
            bias[out] + sum(correlate2d(field[k], weight[out, k], mode="same") for k in range(len(field)))
            for out in range(len(weight))
        ]
    )


def test_a_cell_is_what_the_formulas_say():
    cell, rng = random_cell(), np.random.default_rng(1)
    inputs, hidden, memory = rng.normal(size=(2, 6, 5)), rng.normal(size=(3, 6, 5)), rng.normal(size=(3, 6, 5))
    weight, bias, peep = (p.detach().numpy().astype(np.float64) for p in (*cell.gates.parameters(), cell.peepholes))
    gates = convolved(weight, bias, np.concatenate([inputs, hidden])).reshape(4, 3, 6, 5)
    enter, forget = sigmoid(gates[0] + peep[0] * memory), sigmoid(gates[1] + peep[1] * memory)
    new = forget * memory + enter * np.tanh(gates[2])
    expected = sigmoid(gates[3] + peep[2] * new) * np.tanh(new)
    given = [torch.tensor(field, dtype=torch.float32)[None] for field in (inputs, hidden, memory)]
    with torch.no_grad():
        found = cell(given[0], (given[1], given[2]))
    np.testing.assert_allclose(found[0][0].numpy(), expected, atol=1e-6)
    np.testing.assert_allclose(found[1][0].numpy(), new, atol=1e-6)


def peephole_lstm(cell: ConvLstmCell, sequence: np.ndarray) -> np.ndarray:
    """An LSTM with peepholes (Gers & Schmidhuber 2000) on vectors `(steps, inputs)`, in float64."""
    middle = cell.gates.kernel_size[0] // 2
    weight = cell.gates.weight.detach().double().numpy()[:, :, middle, middle]
    bias = cell.gates.bias.detach().double().numpy()
    peep = cell.peepholes.detach().double().numpy()[:, :, 0, 0]
    hidden = memory = np.zeros(cell.hidden)
    for inputs in sequence:
        enter, forget, new, out = np.split(weight @ np.concatenate([inputs, hidden]) + bias, 4)
        memory = sigmoid(forget + peep[1] * memory) * memory + sigmoid(enter + peep[0] * memory) * np.tanh(new)
        hidden = sigmoid(out + peep[2] * memory) * np.tanh(memory)
    return hidden


@pytest.mark.parametrize("kernel", [1, 3])
def test_on_maps_of_one_place_it_is_an_lstm_with_peepholes(kernel):
    cell = random_cell(kernel=kernel)
    sequence = np.random.default_rng(2).normal(size=(7, 2))
    state = cell.begin(torch.zeros(1, 2, 1, 1))
    with torch.no_grad():
        for inputs in sequence:
            state = cell(torch.tensor(inputs, dtype=torch.float32)[None, :, None, None], state)
    np.testing.assert_allclose(state[0][0, :, 0, 0].numpy(), peephole_lstm(cell, sequence), atol=1e-6)


def test_peepholes_matter_and_layers_are_stacked():
    cell = random_cell()
    state = cell.begin(torch.zeros(1, 2, 4, 4))
    inputs = torch.randn(1, 2, 4, 4)
    with torch.no_grad():
        once = cell(inputs, cell(inputs, state))[0]
        cell.peepholes.zero_()
        assert (cell(inputs, cell(inputs, state))[0] - once).abs().max() > 1e-3
        layers = ConvLstm(2, (3, 5), 3, peepholes=True)
        states = layers.step(inputs, layers.begin(inputs))
    assert [state[0].shape[1] for state in states] == [3, 5]


def test_the_scale_goes_there_and_back():
    rain = torch.tensor([0.0, 0.1, 0.5, 2, 20, 100])
    np.testing.assert_allclose(to_rain(to_scale(rain)).numpy(), rain.numpy(), rtol=1e-5, atol=1e-6)
    assert to_scale(torch.tensor(float("nan"))) == 0
    below = torch.tensor([0.05], requires_grad=True)
    to_rain(below).sum().backward()
    assert below.grad > 0


def settings(**changes) -> NowcastTraining:
    return NowcastTraining(**{"leads": 4, "crop": 16, "hidden": (4, 4), **changes})


def given(rows=16, columns=16):
    torch.manual_seed(3)
    return [4 * torch.rand(2, frames, rows, columns) ** 3 for frames in (4, 4, 4)]


def test_an_untrained_residual_network_answers_between_the_extrapolations_and_nearer_to_the_blurred():
    assert GATE_AT_FIRST > 0
    past, sharp, soft = given()
    with torch.no_grad():
        rain, logits = Forecaster(settings())(past, sharp, soft)
    assert rain.shape == (2, 4, 16, 16)
    assert logits.shape == (2, 4, 3, 16, 16)
    share = torch.sigmoid(torch.tensor(GATE_AT_FIRST))
    mixed = (1 - share) * sharp + share * soft
    np.testing.assert_allclose(rain[mixed >= 0.1].numpy(), mixed[mixed >= 0.1].numpy(), rtol=1e-3)
    sure = logits[:, :, 0].sigmoid()
    assert sure[mixed > 2].min() > 0.5 > sure[mixed < 0.2].max()


@pytest.mark.parametrize(("rows", "columns"), [(16, 16), (15, 22), (7, 7)])
@pytest.mark.parametrize("residual", [True, False])
def test_fields_of_any_size_and_unseen_squares(rows, columns, residual):
    past, sharp, soft = given(rows, columns)
    for field in (past, sharp, soft):
        field[..., :3, :2] = torch.nan
    rain, logits = Forecaster(settings(residual=residual))(past, sharp, soft)
    assert rain.shape == (2, 4, rows, columns)
    assert rain.isfinite().all()
    assert logits.isfinite().all()


def test_every_weight_learns():
    model = Forecaster(settings())
    torch.nn.init.normal_(model.out.weight, std=0.1)
    rain, logits = model(*given())
    (rain.square().mean() + logits.square().mean()).backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or p.grad.abs().max() == 0]
    # The last step of the encoder's states is read, and the first cell's peepholes see no memory before.
    assert not silent
