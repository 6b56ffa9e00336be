"""Beam search on small random decoders, against every possible sequence scored one by one."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meteo_ray.elements.beam_search import BeamResult, beam_search
from meteo_ray.elements.loss import PADDING
from meteo_ray.elements.model import ElementsDimensions, LabelDecoder

LABELS = 4


def random_decoder(seed: int, sharpness: float = 4.0) -> LabelDecoder:
    """Float64, with label scores spread enough that paths differ."""
    torch.manual_seed(seed)
    decoder = LabelDecoder(ElementsDimensions(LABELS, joint=6, embedding=5, hidden=7)).double()
    with torch.no_grad():
        decoder.label_matrix.weight *= sharpness
        decoder.embedding.weight *= sharpness
    return decoder


def random_images(seed: int, count: int) -> torch.Tensor:
    return torch.randn(count, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def next_probabilities(decoder: LabelDecoder, image: torch.Tensor, path: tuple[int, ...]) -> dict[int, float]:
    """P(symbol | image, path) of every symbol that may follow, by running the decoder over the path from its start."""
    state = decoder.lstm.initial_state(1)
    for symbol in (decoder.begin, *path):
        logits, state = decoder.step(torch.tensor([symbol]), image.unsqueeze(0), state)
    weights = {s: math.exp(logits[0, s]) for s in range(LABELS + 1) if s not in path}
    return {symbol: weight / sum(weights.values()) for symbol, weight in weights.items()}


def all_paths(decoder: LabelDecoder, image: torch.Tensor, longest: int) -> dict[tuple[int, ...], float]:
    """Probability of every complete sequence."""
    found = {}
    for length in range(min(longest, LABELS) + 1):
        for path in itertools.permutations(range(LABELS), length):
            probability = 1.0
            for step, symbol in enumerate(path):
                probability *= next_probabilities(decoder, image, path[:step])[symbol]
            if length < longest:
                probability *= next_probabilities(decoder, image, path)[decoder.end]
            found[path] = probability
    return found


def paths_of(result: BeamResult, image: int) -> list[tuple[int, ...]]:
    """The paths that ended, likeliest first."""
    rows = zip(result.sequences[image].tolist(), result.log_probs[image].tolist(), strict=True)
    return [tuple(s for s in row if s != PADDING) for row, log_prob in rows if log_prob > -math.inf]


@pytest.mark.parametrize(("seed", "longest"), [(0, 10), (1, 10), (2, 2), (3, 3), (4, 1)])
def test_wide_beam_finds_the_likeliest_of_all_sequences(seed, longest):
    decoder, images = random_decoder(seed), random_images(seed, 3)
    result = beam_search(decoder, images, width=70, max_labels=longest)
    for number, image in enumerate(images):
        exact = all_paths(decoder, image, longest)
        assert sum(exact.values()) == pytest.approx(1)
        best = max(exact, key=exact.__getitem__)
        assert paths_of(result, number)[0] == best
        assert result.log_probs[number, 0].item() == pytest.approx(math.log(exact[best]), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**20), st.integers(1, 6), st.integers(1, 6))
def test_every_path_is_scored_right_holds_no_label_twice_and_stands_in_order(seed, width, longest):
    decoder, images = random_decoder(seed), random_images(seed, 2)
    result = beam_search(decoder, images, width, longest)
    assert (result.log_probs.diff(dim=1)[result.log_probs[:, 1:].isfinite()] <= 0).all()
    for number, image in enumerate(images):
        paths = paths_of(result, number)
        assert paths
        assert len(set(paths)) == len(paths)
        for path, log_prob in zip(paths, result.log_probs[number].tolist(), strict=False):
            assert len(set(path)) == len(path) <= longest
            steps = [next_probabilities(decoder, image, path[:step])[symbol] for step, symbol in enumerate(path)]
            if len(path) < longest:
                steps.append(next_probabilities(decoder, image, path)[decoder.end])
            assert log_prob == pytest.approx(sum(map(math.log, steps)), abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**20), st.integers(1, 6))
def test_width_one_is_greedy(seed, longest):
    decoder, images = random_decoder(seed), random_images(seed, 2)
    result = beam_search(decoder, images, 1, longest)
    for number, image in enumerate(images):
        path: tuple[int, ...] = ()
        while len(path) < longest:
            following = next_probabilities(decoder, image, path)
            symbol = max(following, key=following.__getitem__)
            if symbol == decoder.end:
                break
            path += (symbol,)
        assert result.best()[number] == list(path)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**20), st.integers(1, 5))
def test_emission_is_a_lower_bound_of_the_marginal(seed, width):
    decoder, images = random_decoder(seed), random_images(seed, 1)
    exact = all_paths(decoder, images[0], 10)
    found = beam_search(decoder, images, width).emitted[0]
    for label in range(LABELS):
        marginal = sum(probability for path, probability in exact.items() if label in path)
        assert found[label].item() <= marginal + 1e-9


def test_emission_is_the_marginal_when_nothing_is_dropped():
    # An early <eos> is unlikely and two labels are the most: the search visits every path before an image is settled.
    decoder, images = random_decoder(5, sharpness=0.5), random_images(5, 1)
    with torch.no_grad():
        decoder.label_matrix.bias[decoder.end] = -5.0
    exact = all_paths(decoder, images[0], 2)
    found = beam_search(decoder, images, width=70, max_labels=2)
    for label in range(LABELS):
        marginal = sum(probability for path, probability in exact.items() if label in path)
        assert found.emitted[0, label].item() == pytest.approx(marginal, abs=1e-9)


def test_images_do_not_influence_each_other():
    decoder, images = random_decoder(7), random_images(7, 5)
    together = beam_search(decoder, images, 3)
    for number in range(5):
        alone = beam_search(decoder, images[number : number + 1], 3)
        assert paths_of(alone, 0) == paths_of(together, number)
        torch.testing.assert_close(alone.emitted[0], together.emitted[number], rtol=0, atol=1e-12)


def test_search_ends_when_no_open_path_can_win():
    """An image whose <eos> is all but certain takes one step, whatever the greatest length."""
    decoder, images = random_decoder(0), random_images(0, 2)
    with torch.no_grad():
        decoder.label_matrix.bias[decoder.end] = 50.0
    steps = []
    original = decoder.step
    decoder.step = lambda *arguments: steps.append(1) or original(*arguments)
    result = beam_search(decoder, images, 3)
    assert len(steps) == 1
    assert result.best() == [[], []]
