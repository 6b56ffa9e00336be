"""One choice among many: gradient, likelihood, prior, alternatives that cannot be chosen."""

import numpy as np
import pytest
from scipy.optimize import approx_fprime
from sklearn.linear_model import LogisticRegression

from meteo_ray.calibration.conditional_logit import ConditionalLogit, negative_log_likelihood


@pytest.fixture
def choices():
    """400 choices among four alternatives by two terms that count 1.5 and 0.5; a third says nothing."""
    rng = np.random.default_rng(0)
    terms = {name: rng.normal(size=(400, 4)) for name in ("loud", "quiet", "silent")}
    utilities = 1.5 * terms["loud"] + 0.5 * terms["quiet"]
    return terms, (utilities + rng.gumbel(size=utilities.shape)).argmax(axis=1)


PRIOR = dict.fromkeys(("loud", "quiet", "silent"), 0.0)


def test_the_gradient_is_that_of_the_loss(choices):
    terms, chosen = choices
    features, rng = np.stack(list(terms.values()), axis=-1), np.random.default_rng(1)
    offset = rng.normal(size=features.shape[:2])
    offset[np.arange(400), (chosen + 1) % 4] = -np.inf
    rows = (features, chosen, rng.random(400), offset)
    at = np.array([0.3, -0.7, 1.1])
    numeric = approx_fprime(at, lambda x: negative_log_likelihood(x, *rows)[0], 1e-7)
    np.testing.assert_allclose(negative_log_likelihood(at, *rows)[1], numeric, rtol=1e-4)


def test_what_was_put_in_comes_out(choices):
    terms, chosen = choices
    found = ConditionalLogit.fit(terms, chosen, np.ones(400), PRIOR, 1e-6).coefficients
    assert found["loud"] == pytest.approx(1.5, abs=0.25)
    assert found["quiet"] == pytest.approx(0.5, abs=0.25)
    assert found["silent"] == pytest.approx(0, abs=0.2)


def test_of_two_alternatives_it_is_a_logistic_regression_of_their_difference():
    rng = np.random.default_rng(2)
    terms = {"a": rng.normal(size=(200, 2)), "b": rng.normal(size=(200, 2))}
    chosen = (rng.random(200) < 0.5).astype(int)
    differences = np.stack([values[:, 1] - values[:, 0] for values in terms.values()], axis=1)
    reference = LogisticRegression(C=1 / 3, fit_intercept=False, tol=1e-10).fit(differences, chosen).coef_[0]
    found = ConditionalLogit.fit(terms, chosen, np.ones(200), {"a": 0.0, "b": 0.0}, 3.0, free=("a", "b"))
    np.testing.assert_allclose(list(found.coefficients.values()), reference, atol=1e-4)


def test_a_term_that_misleads_counts_nothing_unless_it_is_free(choices):
    terms, chosen = choices
    terms = {**terms, "loud": -terms["loud"]}
    assert ConditionalLogit.fit(terms, chosen, np.ones(400), PRIOR, 1e-6).coefficients["loud"] == 0
    assert ConditionalLogit.fit(terms, chosen, np.ones(400), PRIOR, 1e-6, ["loud"]).coefficients["loud"] < -1


def test_without_rows_the_prior_stands():
    nothing = {"loud": np.zeros((0, 4))}
    assert ConditionalLogit.fit(nothing, [], [], {"loud": 0.7}, 1.0).coefficients == {"loud": 0.7}


def test_a_row_that_counts_twice_is_two_rows(choices):
    terms, chosen = choices
    twice = {name: np.concatenate([values, values[:50]]) for name, values in terms.items()}
    weights = np.where(np.arange(400) < 50, 2.0, 1.0)
    first = ConditionalLogit.fit(terms, chosen, weights, PRIOR, 1.0).coefficients
    second = ConditionalLogit.fit(twice, np.append(chosen, chosen[:50]), np.ones(450), PRIOR, 1.0).coefficients
    assert first == pytest.approx(second, abs=1e-3)


def test_a_missing_term_is_told():
    with pytest.raises(KeyError, match="loud"):
        ConditionalLogit({"loud": 1.0}).utilities({})
