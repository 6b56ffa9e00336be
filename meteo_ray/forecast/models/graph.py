"""A graph network over stations: each one's state depends on its neighbours' states, up to their common fixed point.

Scarselli, Gori, Tsoi, Hagenbuchner and Monfardini, "The Graph Neural Network Model", 2009. Nodes are stations; a node's
label is what a small LSTM, shared by all, makes of the station's own days; an edge's label says how far and in which
direction the neighbour lies. The state then is mapped to the forecast together with the label.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn

from meteo_ray.errors import UsageError
from meteo_ray.forecast.config import LEVELS, ForecastTraining, GraphSettings
from meteo_ray.forecast.models.answer import Answer
from meteo_ray.forecast.models.fixed_point import fixed_point

EARTH_KM = 6371.0
EDGE_LABEL = 3
"""Distance in 1000 km, and its parts to the east and to the north."""


def nearest_neighbours(places: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges from the `count` nearest stations to each, int64 `(2, edges)` (listener, heard), and labels `(edges, 3)`.

    Args:
        places: latitude and longitude in degrees, `(stations, 2)`.
        count: at most the number of the other stations.

    Raises:
        UsageError: when a place is not known, or there is one station only.
    """
    if not np.isfinite(places).all():
        raise UsageError("the graph network needs latitude and longitude of every station: `stations` in the source")
    if len(places) < 2:
        raise UsageError("the graph network needs two stations at least; --forecast.model lstm takes one")
    latitude, longitude = np.radians(places).T
    north = latitude[None] - latitude[:, None]
    east = (longitude[None] - longitude[:, None] + np.pi) % (2 * np.pi) - np.pi
    east = east * np.cos((latitude[None] + latitude[:, None]) / 2)
    offsets = np.stack([east, north], axis=-1) * EARTH_KM / 1000
    distance = np.linalg.norm(offsets, axis=-1)
    np.fill_diagonal(distance, np.inf)
    heard = np.argsort(distance, axis=1, kind="stable")[:, : min(count, len(places) - 1)]
    listener = np.repeat(np.arange(len(places)), heard.shape[1])
    edges = np.stack([listener, heard.ravel()])
    labels = np.concatenate([distance[edges[0], edges[1], None], offsets[edges[0], edges[1]]], axis=1)
    return edges, labels


class Transition(nn.Module):
    """F(x): every node's state from its neighbours' states. What both forms share."""

    edges: Tensor
    edge_labels: Tensor
    heard_by: Tensor

    def __init__(self, edges: np.ndarray, labels: np.ndarray, nodes: int) -> None:
        super().__init__()
        self.nodes = nodes
        self.register_buffer("edges", torch.from_numpy(edges), persistent=False)
        self.register_buffer("edge_labels", torch.from_numpy(labels).float(), persistent=False)
        degree = np.bincount(edges[1], minlength=nodes)[edges[1]]
        self.register_buffer("heard_by", torch.from_numpy(degree).float(), persistent=False)

    def edge_inputs(self, labels: Tensor) -> Tensor:
        """Labels of listener and heard, and of the edge: `(batch, edges, 2 * label + 3)`."""
        edge = self.edge_labels.expand(len(labels), -1, -1)
        return torch.cat([labels[:, self.edges[0]], labels[:, self.edges[1]], edge], dim=-1)

    def gather(self, messages: Tensor) -> Tensor:
        """Sum of the messages `(batch, edges, state)` to each listener, `(batch, nodes, state)`."""
        zeros = messages.new_zeros(len(messages), self.nodes, messages.shape[-1])
        return zeros.index_add(1, self.edges[0], messages)


class LinearTransition(Transition):
    """x_n = sum_u A_nu x_u + b_n, with A_nu = mu / (s * d_u) * tanh(...): a contraction whatever is learnt.

    d_u is how many listen to u and s the length of a state: the absolute sum of each column of the whole matrix is at
    most mu < 1, so it contracts in the 1-norm by mu.
    """

    def __init__(self, edges: np.ndarray, labels: np.ndarray, nodes: int, label: int, settings: GraphSettings) -> None:
        super().__init__(edges, labels, nodes)
        self.state, self.contraction = settings.state, settings.contraction
        self.blocks = nn.Linear(2 * label + EDGE_LABEL, settings.state**2)
        self.own = nn.Linear(label, settings.state)

    def matrices(self, labels: Tensor) -> Tensor:
        """A of every edge, `(batch, edges, state, state)`."""
        raw = torch.tanh(self.blocks(self.edge_inputs(labels))).unflatten(-1, (self.state, self.state))
        return raw * (self.contraction / (self.state * self.heard_by))[None, :, None, None]

    def fixed(self, labels: Tensor, start: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
        """The state `(batch, nodes, state)` and no penalty."""
        matrices, own = self.matrices(labels), torch.tanh(self.own(labels))

        def step(state: Tensor) -> Tensor:
            return self.gather((matrices @ state[:, self.edges[1], :, None])[..., 0]) + own

        return fixed_point(step, start, iterations), labels.new_zeros(())


class NonlinearTransition(Transition):
    """x_n = sum_u W2 tanh(W1 x_u + c(labels)), c of both labels and the edge; a penalty keeps it contracting."""

    def __init__(self, edges: np.ndarray, labels: np.ndarray, nodes: int, label: int, settings: GraphSettings) -> None:
        super().__init__(edges, labels, nodes)
        self.state, self.contraction = settings.state, settings.contraction
        width = 2 * settings.state
        self.from_labels = nn.Linear(2 * label + EDGE_LABEL, width)
        self.from_state = nn.Linear(settings.state, width, bias=False)
        self.out = nn.Linear(width, settings.state, bias=False)
        with torch.no_grad():  # contracts well at the start: the columns' sums are of the order of a tenth
            self.from_state.weight.mul_(0.3)
            self.out.weight.mul_(0.3 / math.sqrt(max(edges.shape[1] / nodes, 1)))

    def fixed(self, labels: Tensor, start: Tensor, iterations: int) -> tuple[Tensor, Tensor]:
        """The state `(batch, nodes, state)` and the penalty for columns beyond the contraction."""
        given = self.from_labels(self.edge_inputs(labels))

        def step(state: Tensor) -> Tensor:
            return self.gather(self.out(torch.tanh(self.from_state(state[:, self.edges[1]]) + given)))

        state = fixed_point(step, start, iterations)
        columns = self.column_sums(state, given)
        return state, (columns - self.contraction).clamp(min=0).square().mean()

    def column_sums(self, state: Tensor, given: Tensor) -> Tensor:
        """Absolute sums of the columns of dF/dx, `(batch, nodes, state)`; the largest is its 1-norm.

        The block of an edge is W2 diag(1 - tanh^2) W1; no two edges share a block of the whole matrix.
        """
        slope = 1 - torch.tanh(self.from_state(state[:, self.edges[1]]) + given).square()
        blocks = torch.einsum("ik,bek,kj->beij", self.out.weight, slope, self.from_state.weight)
        sums = blocks.abs().sum(dim=2)
        zeros = sums.new_zeros(len(sums), self.nodes, self.state)
        return zeros.index_add(1, self.edges[1], sums)


class StationGraph(nn.Module):
    """Windows of all stations in, the forecasts of all stations out."""

    def __init__(self, settings: ForecastTraining, features: int, targets: int, places: np.ndarray) -> None:
        super().__init__()
        edges, labels = nearest_neighbours(places, settings.graph.neighbours)
        form = LinearTransition if settings.graph.form == "linear" else NonlinearTransition
        self.iterations, self.state = settings.graph.iterations, settings.graph.state
        self.dropout = nn.Dropout(settings.dropout)
        self.encoder = nn.LSTM(features, settings.hidden, settings.layers, batch_first=True)
        self.transition = form(edges, labels, len(places), settings.hidden, settings.graph)
        self.answer = Answer(
            settings.hidden + settings.graph.state,
            features,
            settings.lookback,
            settings.horizon,
            targets,
            LEVELS,
            settings.linear_path,
        )

    def labels(self, window: Tensor) -> Tensor:
        """What the nodes are, `(batch, stations, hidden)`."""
        states, _ = self.encoder(self.dropout(window).flatten(0, 1))
        return states[:, -1].unflatten(0, window.shape[:2])

    def forward(self, window: Tensor) -> tuple[Tensor, Tensor]:
        """`(batch, stations, lookback, features)` -> `(batch, stations, horizon, targets, 1 + levels)`, penalty."""
        labels = self.labels(window)
        start = labels.new_zeros(*labels.shape[:2], self.state)
        state, penalty = self.transition.fixed(labels, start, self.iterations)
        return self.answer(self.dropout(torch.cat([labels, state], dim=-1)), window), penalty
