"""The networks against formulas in float64; the graph's fixed point and its gradient."""

import numpy as np
import pytest
import torch

from meteo_ray.errors import UsageError
from meteo_ray.forecast.config import ForecastTraining, GraphSettings
from meteo_ray.forecast.models.fixed_point import fixed_point, solve
from meteo_ray.forecast.models.graph import LinearTransition, NonlinearTransition, StationGraph, nearest_neighbours
from meteo_ray.forecast.models.recurrent import CnnLstm, Lstm, StationLstm

PLACES = np.stack([np.linspace(44, 60, 7), np.linspace(0, 18, 7)[::-1]], axis=1)


def settings(**changes) -> ForecastTraining:
    return ForecastTraining(**{"lookback": 6, "horizon": 3, "hidden": 5, "dropout": 0, **changes})


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_state(lstm: torch.nn.LSTM, window: np.ndarray) -> np.ndarray:
    """The last hidden state by the formulas of Hochreiter & Schmidhuber with a forget gate, in float64."""
    w_in, w_state, b_in, b_state = (p.detach().numpy().astype(np.float64) for p in lstm.parameters())
    hidden = cell = np.zeros((len(window), lstm.hidden_size))
    for day in range(window.shape[1]):
        gates = window[:, day] @ w_in.T + b_in + hidden @ w_state.T + b_state
        enter, forget, new, out = np.split(gates, 4, axis=1)
        cell = sigmoid(forget) * cell + sigmoid(enter) * np.tanh(new)
        hidden = sigmoid(out) * np.tanh(cell)
    return hidden


def random_answers(model) -> None:
    """Answers start at zero, which would hide what is before them."""
    torch.nn.init.normal_(model.answer.out.weight)
    if model.answer.linear is not None:
        torch.nn.init.normal_(model.answer.linear.weight)


def test_the_lstm_is_what_the_formulas_say():
    torch.manual_seed(0)
    model = Lstm(settings(activation="relu"), 4, 2).eval()
    random_answers(model)
    window = np.random.default_rng(0).normal(size=(3, 6, 4))
    with torch.no_grad():
        answers, penalty = model(torch.tensor(window, dtype=torch.float32))
    made = np.maximum(lstm_state(model.lstm, window), 0)
    out, linear = model.answer.out, model.answer.linear
    expected = (made @ out.weight.detach().double().numpy().T + out.bias.detach().double().numpy()).reshape(3, 3, 2, 11)
    shift = window.reshape(3, -1) @ linear.weight.detach().double().numpy().T
    expected += shift.reshape(3, 3, 2, 1)
    expected[..., 1:] = np.sort(expected[..., 1:], axis=-1)
    np.testing.assert_allclose(answers.numpy(), expected, atol=1e-5)
    assert penalty == 0


@pytest.mark.parametrize("kind", [Lstm, CnnLstm])
def test_an_untrained_network_answers_its_base_with_normal_quantiles(kind):
    answers, _ = kind(settings(), 4, 2).eval()(torch.randn(3, 6, 4))
    assert answers.shape == (3, 3, 2, 11)
    assert answers[..., 0].abs().max() == 0
    np.testing.assert_allclose(answers[0, 0, 0, [1, -1]].detach().numpy(), [-1.645, 1.645], atol=1e-3)


def test_the_station_lstm_reads_one_number_and_shares_its_weights():
    model = StationLstm(settings(linear_path=False), 8, (0, 2)).eval()
    random_answers(model)
    assert model.lstm.input_size == 1
    window = torch.randn(4, 6, 8)
    with torch.no_grad():
        answers, _ = model(window)
        assert answers.shape == (4, 3, 2, 11)
        swapped = window.clone()
        swapped[..., [0, 2]] = window[..., [2, 0]]
        np.testing.assert_allclose(model(swapped)[0].flip(2).numpy(), answers.numpy(), atol=1e-6)
        other = window.clone()
        other[..., [1, 3, 4, 5, 6, 7]] = 99
        np.testing.assert_array_equal(model(other)[0].numpy(), answers.numpy())


@pytest.mark.parametrize("kind", [Lstm, CnnLstm, StationLstm])
def test_quantiles_never_cross(kind):
    torch.manual_seed(1)
    model = kind(settings(), 4, (0, 1) if kind is StationLstm else 2).eval()
    random_answers(model)
    answers, _ = model(torch.randn(50, 6, 4))
    assert (answers[..., 2:] >= answers[..., 1:-1]).all()


def test_neighbours_are_the_nearest_by_the_great_circle():
    edges, labels = nearest_neighbours(np.array([[50.0, 0], [50, 1], [50, 5], [60, 0]]), 2)
    heard = {node: set(edges[1, edges[0] == node]) for node in range(4)}
    assert heard == {0: {1, 2}, 1: {0, 2}, 2: {1, 0}, 3: {0, 1}}
    # A degree of longitude at 50 degrees north: 111.19 km * cos(50).
    np.testing.assert_allclose(labels[0], [0.0715, 0.0715, 0], atol=2e-4)
    with pytest.raises(UsageError, match="two stations"):
        nearest_neighbours(PLACES[:1], 2)
    with pytest.raises(UsageError, match="latitude and longitude"):
        nearest_neighbours(np.full((3, 2), np.nan), 2)


def transition(kind, contraction=0.8):
    torch.manual_seed(2)
    edges, labels = nearest_neighbours(PLACES, 3)
    return kind(edges, labels, 7, 4, GraphSettings(state=3, contraction=contraction)).double()


def whole_matrix(linear: LinearTransition, labels: torch.Tensor) -> np.ndarray:
    """A as one matrix, `(nodes * state, nodes * state)`."""
    blocks, size = linear.matrices(labels)[0].detach().numpy(), linear.state
    whole = np.zeros((7 * size, 7 * size))
    for edge, (to, of) in enumerate(linear.edges.T.tolist()):
        whole[to * size : (to + 1) * size, of * size : (of + 1) * size] += blocks[edge]
    return whole


def test_the_linear_form_contracts_whatever_is_learnt_and_finds_the_solution():
    linear = transition(LinearTransition)
    with torch.no_grad():
        for parameter in linear.parameters():
            parameter.mul_(50)
    labels = torch.randn(1, 7, 4, dtype=torch.float64)
    matrix = whole_matrix(linear, labels)
    assert np.abs(matrix).sum(axis=0).max() <= 0.8 + 1e-12
    with torch.no_grad():
        state, penalty = linear.fixed(labels, torch.zeros(1, 7, 3, dtype=torch.float64), 500)
        own = torch.tanh(linear.own(labels)).reshape(-1).numpy()
    np.testing.assert_allclose(state.reshape(-1).numpy(), np.linalg.solve(np.eye(21) - matrix, own), atol=1e-4)
    assert penalty == 0


@pytest.mark.parametrize("kind", [LinearTransition, NonlinearTransition])
def test_the_fixed_point_does_not_depend_on_its_start(kind):
    model, labels = transition(kind), torch.randn(2, 7, 4, dtype=torch.float64)
    with torch.no_grad():
        starts = [torch.zeros(2, 7, 3, dtype=torch.float64), 100 * torch.randn(2, 7, 3, dtype=torch.float64)]
        first, second = (model.fixed(labels, start, 500)[0] for start in starts)
    np.testing.assert_allclose(first.numpy(), second.numpy(), atol=1e-4)
    assert first.abs().max() > 0.01


def gradients(model, run) -> list[np.ndarray]:
    model.zero_grad()
    run().square().sum().backward()
    return [parameter.grad.numpy().copy() for parameter in model.parameters()]


@pytest.mark.parametrize("kind", [LinearTransition, NonlinearTransition])
def test_the_backward_iteration_gives_autograds_gradient(kind, monkeypatch):
    model, labels = transition(kind), torch.randn(2, 7, 4, dtype=torch.float64)
    start = torch.zeros(2, 7, 3, dtype=torch.float64)
    module = "meteo_ray.forecast.models.graph.fixed_point"
    monkeypatch.setattr(module, lambda step, start, iterations: fixed_point(step, start, iterations, 1e-12))
    implicit = gradients(model, lambda: model.fixed(labels, start, 2000)[0])

    def unrolled(step, start, iterations):
        state = start
        for _ in range(300):
            state = step(state)
        return state

    monkeypatch.setattr(module, unrolled)
    explicit = gradients(model, lambda: model.fixed(labels, start, 0)[0])
    for one, other in zip(implicit, explicit, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-8)
    assert max(np.abs(one).max() for one in explicit) > 1e-3


def test_the_penalty_is_of_the_jacobians_own_columns():
    model, labels = transition(NonlinearTransition), torch.randn(1, 7, 4, dtype=torch.float64)
    with torch.no_grad():
        model.out.weight.mul_(20)
    given, state = model.from_labels(model.edge_inputs(labels)), torch.randn(1, 7, 3, dtype=torch.float64)

    def step(flat):
        x = flat.reshape(1, 7, 3)
        return model.gather(model.out(torch.tanh(model.from_state(x[:, model.edges[1]]) + given))).reshape(-1)

    jacobian = torch.autograd.functional.jacobian(step, state.reshape(-1))
    sums = model.column_sums(state, given).reshape(-1)
    np.testing.assert_allclose(sums.detach().numpy(), jacobian.abs().sum(dim=0).numpy(), rtol=1e-10)
    assert sums.max() > model.contraction


def test_solving_stops_where_the_state_stands_still():
    steps = []

    def step(x):
        steps.append(1)
        return 0.5 * x + 1

    assert float(solve(step, torch.zeros(1), 1000)) == pytest.approx(2, abs=1e-4)
    assert len(steps) < 30


@pytest.mark.parametrize("form", ["linear", "nonlinear"])
def test_a_station_hears_its_neighbours_through_the_graph(form):
    torch.manual_seed(3)
    chosen = settings(model="graph", graph={"form": form, "neighbours": 3, "state": 4})
    model = StationGraph(chosen, 4, 1, PLACES).eval().double()
    random_answers(model)
    window = torch.randn(2, 7, 6, 4, dtype=torch.float64)
    with torch.no_grad():
        first, _ = model(window)
        window[:, 1] += 1
        second, _ = model(window)
    assert first.shape == (2, 7, 3, 1, 11)
    changed = (first - second).abs().amax(dim=(0, 2, 3, 4))
    assert (changed > 1e-9).all()  # even those that reach it only through others
