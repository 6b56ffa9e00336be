"""Scores of fields: pooled counts against scikit-learn, FSS by hand, power that a blur loses."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from sklearn.metrics import confusion_matrix

from meteo_ray.metrics.field_scores import FieldScores, band_power

RNG = np.random.default_rng(0)
RAIN = gaussian_filter(RNG.gamma(0.1, 40, size=(3, 40, 50)), (0, 1, 1)).astype(np.float32)
OTHER = np.roll(RAIN, 2, axis=2) * 0.9
SEEN = RNG.random((40, 50)) > 0.2


def pooled(forecasts, observed, seen=SEEN, **options) -> dict:
    scores = FieldScores(2.0, **options)
    for forecast, truth in zip(forecasts, observed, strict=True):
        scores.add(forecast, truth, seen)
    return scores.scores()


def test_errors_and_csi_are_pooled_over_what_was_seen():
    unseen = np.where(SEEN, OTHER, np.nan)
    found = pooled(unseen, RAIN)
    error = (OTHER - RAIN)[:, SEEN].astype(np.float64)
    assert found["mse"] == pytest.approx(np.mean(error**2))
    assert found["mae"] == pytest.approx(np.mean(np.abs(error)))
    assert found["bias"] == pytest.approx(np.mean(error))
    for threshold in (0.5, 2.0, 5.0):
        table = confusion_matrix((RAIN[:, SEEN] >= threshold).ravel(), (OTHER[:, SEEN] >= threshold).ravel())
        assert found[f"csi_{threshold:g}"] == pytest.approx(table[1, 1] / (table.sum() - table[0, 0]))


def test_a_threshold_that_was_never_reached_has_no_score():
    found = pooled(RAIN, np.minimum(RAIN, 1))
    assert found["csi_2"] is None
    assert found["fss_2_2km"] is None
    assert found["csi_0.5"] is not None


def test_the_fss_by_hand():
    truth, forecast = np.zeros((15, 15), np.float32), np.zeros((15, 15), np.float32)
    truth[7, 6], forecast[7, 8] = 9, 9
    seen = np.ones((15, 15), bool)
    one = pooled([forecast], [truth], seen, windows_km=(2.0, 10.0))
    assert one["fss_2_2km"] == 0  # squares alone: never at one place
    # Windows of five squares: fractions of 1/25 on 25 places each, 15 of which are shared.
    assert one["fss_2_10km"] == pytest.approx(1 - 20 / 50)
    assert pooled([truth], [truth], seen)["fss_2_2km"] == 1


def test_the_fss_is_that_of_pysteps_on_a_field_that_is_seen_whole():
    pytest.importorskip("pysteps")
    from pysteps.verification.spatialscores import fss

    seen = np.ones((40, 50), bool)
    found = pooled(OTHER[:1], RAIN[:1], seen, windows_km=(10.0,))
    assert found["fss_2_10km"] == pytest.approx(fss(OTHER[0], RAIN[0], 2.0, 5), abs=1e-6)


def test_a_blur_loses_power_at_short_waves():
    found = pooled(gaussian_filter(RAIN, (0, 1.5, 1.5)), RAIN, np.ones((40, 50), bool))
    assert found["power"] < 0.6
    assert pooled(RAIN, RAIN)["power"] == pytest.approx(1)


def test_a_wave_has_its_power_in_its_own_band():
    wave = np.sin(2 * np.pi * np.arange(60) / 5)[None].repeat(60, axis=0)  # 10 km on a grid of 2 km
    assert band_power(wave, 2.0, (2, 16)) == pytest.approx(band_power(wave, 2.0, (9, 11)))
    assert band_power(wave, 2.0, (20, 60)) < 1e-6 * band_power(wave, 2.0, (2, 16))
