"""Our LSTM against torch's, weights copied, in float64."""

import pytest
import torch

from meteo_ray.elements.lstm import LSTM, LSTMState


def torch_twin(ours: LSTM, input_size: int) -> torch.nn.LSTM:
    """torch.nn.LSTM with the weights of ours; torch splits each layer's matrix by what it reads and adds two biases."""
    twin = torch.nn.LSTM(input_size, ours.hidden_size, len(ours.layers), batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        for number, layer in enumerate(ours.layers):
            reads = layer.gates.in_features - ours.hidden_size
            getattr(twin, f"weight_ih_l{number}").copy_(layer.gates.weight[:, :reads])
            getattr(twin, f"weight_hh_l{number}").copy_(layer.gates.weight[:, reads:])
            getattr(twin, f"bias_ih_l{number}").copy_(layer.gates.bias)
            getattr(twin, f"bias_hh_l{number}").zero_()
    return twin


@pytest.mark.parametrize("layers", [1, 2, 3])
def test_forward_equals_torch(layers):
    torch.manual_seed(layers)
    ours = LSTM(5, 7, layers).double()
    inputs = torch.randn(3, 6, 5, dtype=torch.float64)
    hidden, cell = torch.randn(2, layers, 3, 7, dtype=torch.float64)
    outputs, state = ours(inputs, LSTMState(hidden, cell))
    expected, (expected_hidden, expected_cell) = torch_twin(ours, 5)(inputs, (hidden, cell))
    torch.testing.assert_close(outputs, expected, rtol=0, atol=1e-10)
    torch.testing.assert_close(state.hidden, expected_hidden, rtol=0, atol=1e-10)
    torch.testing.assert_close(state.cell, expected_cell, rtol=0, atol=1e-10)


def test_gradients_equal_torch():
    torch.manual_seed(0)
    ours = LSTM(4, 6, 2).double()
    twin = torch_twin(ours, 4)
    inputs = torch.randn(3, 5, 4, dtype=torch.float64, requires_grad=True)
    twin_inputs = inputs.detach().clone().requires_grad_()
    direction = torch.randn(3, 5, 6, dtype=torch.float64)
    (ours(inputs)[0] * direction).sum().backward()
    (twin(twin_inputs)[0] * direction).sum().backward()
    torch.testing.assert_close(inputs.grad, twin_inputs.grad, rtol=0, atol=1e-10)
    for number, layer in enumerate(ours.layers):
        names = (f"weight_ih_l{number}", f"weight_hh_l{number}")
        expected = torch.cat([getattr(twin, name).grad for name in names], dim=1)
        torch.testing.assert_close(layer.gates.weight.grad, expected, rtol=0, atol=1e-10)
        torch.testing.assert_close(layer.gates.bias.grad, getattr(twin, f"bias_ih_l{number}").grad, rtol=0, atol=1e-10)


def test_steps_equal_the_whole_sequence():
    torch.manual_seed(0)
    lstm = LSTM(4, 6, 2).double()
    inputs = torch.randn(2, 3, 4, dtype=torch.float64)
    whole, _ = lstm(inputs)
    state = lstm.initial_state(2)
    for step in range(3):
        output, state = lstm.step(inputs[:, step], state)
        torch.testing.assert_close(output, whole[:, step], rtol=0, atol=1e-12)


def test_select_takes_the_state_of_batch_rows():
    state = LSTMState(torch.arange(6.0).view(1, 3, 2), torch.arange(6.0, 12.0).view(1, 3, 2))
    chosen = state.select(torch.tensor([2, 2, 0]))
    assert chosen.hidden.tolist() == [[[4, 5], [4, 5], [0, 1]]]
    assert chosen.cell.tolist() == [[[10, 11], [10, 11], [6, 7]]]
