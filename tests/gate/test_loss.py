"""The loss against its formula in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from meteo_ray.gate.loss import gate_loss


def reference(logits, targets, alpha, gamma):
    """alpha * BCE + (1 - alpha) * focal, written from R10 in float64."""
    logits = np.asarray(logits, dtype=np.float64)
    log_p_t = -np.logaddexp(0, np.where(targets, -logits, logits))
    return alpha * -log_p_t + (1 - alpha) * -((1 - np.exp(log_p_t)) ** gamma) * log_p_t


@given(
    st.lists(st.tuples(st.floats(-30, 30), st.booleans()), min_size=1, max_size=20),
    st.floats(0, 1),
    st.sampled_from([0.0, 1.0, 2.0, 3.5]),
)
@settings(deadline=None, max_examples=60)
def test_loss_agrees_with_its_formula(rows, alpha, gamma):
    logits, targets = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    found = gate_loss(torch.tensor(logits, dtype=torch.float32), torch.tensor(targets), alpha, gamma)
    np.testing.assert_allclose(found.numpy(), reference(logits, targets, alpha, gamma), rtol=2e-5, atol=1e-6)


def test_defaults_are_those_of_the_plan():
    found = gate_loss(torch.tensor([0.3]), torch.tensor([1.0]))
    assert float(found) == pytest.approx(reference([0.3], [True], 0.7, 2.0)[0], rel=1e-5)


def test_half_precision_logits_are_computed_in_float32():
    logits = torch.tensor([7.0, -7.0], dtype=torch.bfloat16)
    found = gate_loss(logits, torch.tensor([1, 0]))
    assert found.dtype == torch.float32
    # bfloat16 would be off by up to 2^-8; float32 loses a little to log(1 + small).
    np.testing.assert_allclose(found.numpy(), reference([7.0, -7.0], [True, False], 0.7, 2.0), rtol=1e-3)


def test_hopeless_rows_still_have_a_finite_gradient():
    logits = torch.tensor([200.0, -200.0], requires_grad=True)
    gate_loss(logits, torch.tensor([0.0, 1.0])).sum().backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[0] > 0 > logits.grad[1]
