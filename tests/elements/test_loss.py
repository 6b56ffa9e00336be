"""Both losses against the plan's formulas, term by term in float64."""

import math

import numpy as np
import pytest
import torch

from meteo_ray.elements.loss import PADDING, asymmetric_loss, parallel_loss, sequence_loss


def test_parallel_loss_is_the_weighted_focal_formula():
    rng = np.random.default_rng(0)
    logits, targets = rng.normal(0, 3, (4, 5)), rng.integers(0, 2, (4, 5))
    weights, gamma = rng.uniform(0.2, 4, 5), 2.0
    expected = []
    for row in range(4):
        terms = []
        for label in range(5):
            p = 1 / (1 + math.exp(-logits[row, label]))
            if targets[row, label]:
                terms.append(-weights[label] * (1 - p) ** gamma * math.log(p))
            else:
                terms.append(-(p**gamma) * math.log(1 - p))
        expected.append(sum(terms) / 5)
    found = parallel_loss(torch.tensor(logits), torch.tensor(targets), torch.tensor(weights), gamma)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10)


def test_without_focus_and_weights_it_is_binary_cross_entropy():
    logits, targets = torch.randn(3, 4, dtype=torch.float64), torch.tensor([[0.0, 1, 0, 1]] * 3).double()
    plain = torch.nn.functional.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(1)
    found = parallel_loss(logits, targets, torch.ones(4, dtype=torch.float64), gamma=0.0)
    torch.testing.assert_close(found, plain, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("gammas", "margin"), [((0.0, 4.0), 0.05), ((1.0, 2.5), 0.3), ((0.0, 0.0), 0.1)])
def test_asymmetric_loss_is_the_weighted_formula_of_its_paper(gammas, margin):
    rng = np.random.default_rng(2)
    logits, targets = rng.normal(0, 3, (6, 5)), rng.integers(0, 2, (6, 5))
    weights = rng.uniform(0.2, 4, 5)
    p = 1 / (1 + np.exp(-logits))
    shifted = np.where(p > margin, p - margin, 0)
    assert (shifted[targets == 0] == 0).any()
    terms = targets * weights * (1 - p) ** gammas[0] * np.log(p)
    terms += (1 - targets) * shifted ** gammas[1] * np.log(1 - shifted)
    found = asymmetric_loss(torch.tensor(logits), torch.tensor(targets), torch.tensor(weights), gammas, margin)
    np.testing.assert_allclose(found.numpy(), -terms.sum(axis=1) / 5, rtol=1e-10)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_equal_gammas_without_a_margin_are_the_focal_loss(gamma):
    logits = torch.randn(6, 5, dtype=torch.float64).mul(4).requires_grad_()
    targets, weights = torch.randint(0, 2, (6, 5)), torch.rand(5, dtype=torch.float64)
    asymmetric = asymmetric_loss(logits, targets, weights, (gamma, gamma), 0.0)
    focal = parallel_loss(logits, targets, weights, gamma)
    torch.testing.assert_close(asymmetric, focal, rtol=1e-9, atol=0)
    gradients = [torch.autograd.grad(loss.sum(), logits)[0] for loss in (asymmetric, focal)]
    torch.testing.assert_close(*gradients, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("margin", [0.0, 0.05])
@pytest.mark.parametrize("gammas", [(0.0, 4.0), (0.5, 0.5)])
def test_the_asymmetric_loss_bears_logits_of_any_size(gammas, margin):
    logits = torch.tensor([[-1e4, -90.0, -20.0, 0.0, 20.0, 90.0, 1e4]], requires_grad=True)
    for targets in (torch.zeros(1, 7), torch.ones(1, 7)):
        loss = asymmetric_loss(logits, targets, torch.ones(7), gammas, margin)
        (gradient,) = torch.autograd.grad(loss.sum(), logits)
        assert loss.isfinite().all()
        assert gradient.isfinite().all()


def test_absent_labels_below_the_margin_pull_at_nothing():
    logits = torch.tensor([[-4.0, -2.0]], requires_grad=True)  # p is 0.018 and 0.119
    asymmetric_loss(logits, torch.zeros(1, 2), torch.ones(2), margin=0.05).sum().backward()
    assert logits.grad[0, 0] == 0
    assert logits.grad[0, 1] > 0


def test_sequence_loss_is_the_mean_over_each_sequence():
    rng = np.random.default_rng(1)
    logits = rng.normal(size=(3, 4, 6))
    sequences = [[2, 0, 5], [5], [1, 3, 4, 5]]
    expected = []
    for row, sequence in enumerate(sequences):
        terms = []
        for step, symbol in enumerate(sequence):
            total = sum(math.exp(value) for value in logits[row, step])
            terms.append(-math.log(math.exp(logits[row, step, symbol]) / total))
        expected.append(sum(terms) / len(terms))
    padded = torch.tensor([sequence + [PADDING] * (4 - len(sequence)) for sequence in sequences])
    np.testing.assert_allclose(sequence_loss(torch.tensor(logits), padded).numpy(), expected, rtol=1e-10)


def test_padding_has_no_gradient():
    logits = torch.randn(2, 3, 4, requires_grad=True)
    sequence_loss(logits, torch.tensor([[1, 3, PADDING], [3, PADDING, PADDING]])).sum().backward()
    assert logits.grad is not None
    assert logits.grad[0, 2].abs().max() == 0
    assert logits.grad[1, 1:].abs().max() == 0
    assert logits.grad[1, 0].abs().min() > 0


def test_bfloat16_logits_are_summed_in_float32():
    logits = torch.randn(2, 3).bfloat16()
    found = parallel_loss(logits, torch.ones(2, 3), torch.ones(3))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, parallel_loss(logits.float(), torch.ones(2, 3), torch.ones(3)))
    found = asymmetric_loss(logits, torch.zeros(2, 3), torch.ones(3))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, asymmetric_loss(logits.float(), torch.zeros(2, 3), torch.ones(3)))
