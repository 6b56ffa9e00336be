"""The physics of the invented weather, against closed forms and independent differences in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meteo_ray.drawing import fields
from meteo_ray.drawing.atmosphere import Atmosphere
from meteo_ray.drawing.frames import Frame

CONFORMAL = ("mercator", "lambert", "stereographic")


def frame_of(kind: str, columns: int = 121) -> Frame:
    return Frame.around(kind, 110.0, 45.0, 25.0, 14.0, columns, 1.3)


def weather(kind: str = "lambert", seed: int = 3) -> Atmosphere:
    return Atmosphere(frame_of(kind), np.random.default_rng(seed))


@pytest.mark.parametrize("kind", CONFORMAL)
def test_geostrophic_wind_blows_along_the_contours_of_height(kind: str) -> None:
    air = weather(kind)
    u, v = air.geostrophic(500)
    slope_x, slope_y = (f(air.height(500), air.frame.spacing) for f in (fields.ddx, fields.ddy))
    across = (u * slope_x + v * slope_y) / (np.hypot(u, v) * np.hypot(slope_x, slope_y) + 1e-30)
    assert np.abs(across).max() < 1e-9


def test_geostrophic_wind_keeps_low_heights_to_its_left_in_the_north_and_right_in_the_south() -> None:
    for latitude, side in ((45.0, 1.0), (-45.0, -1.0)):
        frame = Frame.around("mercator", 0.0, latitude, 20.0, 12.0, 80, 1.3)
        height = 5500 - 1e-4 * (frame.y[:, None] - frame.y0) + np.zeros(frame.shape)
        u, _ = fields.geostrophic_wind(height, frame.lat, frame.spacing)
        assert np.all(np.sign(u) == side)


def test_geostrophic_speed_equals_g_over_f_times_slope() -> None:
    frame = frame_of("mercator")
    metres_north = np.radians(frame.lat) * 6.371e6
    u, v = fields.geostrophic_wind(5500 - 2e-4 * metres_north, frame.lat, frame.spacing)
    expected = 9.80665 * 2e-4 / (2 * 7.292e-5 * np.sin(np.radians(frame.lat)))
    inner = np.s_[2:-2, 2:-2]
    np.testing.assert_allclose(u[inner], expected[inner], rtol=2e-3)
    np.testing.assert_allclose(v[inner], 0, atol=1e-9)


@pytest.mark.parametrize("kind", CONFORMAL)
def test_solid_rotation_has_vorticity_of_twice_its_sine_of_latitude(kind: str) -> None:
    """Air turning with the Earth at angular speed w has relative vorticity 2 w sin(latitude) and no divergence."""
    frame, spin = frame_of(kind, 201), 1e-5
    lon, lat = frame.lonlat
    x_east, y_east = frame.project(lon + 1e-4, lat)
    x_here, y_here = frame.project(lon, lat)
    east = np.stack([x_east - x_here, y_east - y_here]) / np.hypot(x_east - x_here, y_east - y_here)
    u, v = spin * 6.371e6 * np.cos(np.radians(lat)) * east
    inner = np.s_[3:-3, 3:-3]
    vorticity = fields.vorticity(u, v, frame.spacing)
    np.testing.assert_allclose(vorticity[inner], (2 * spin * np.sin(np.radians(lat)))[inner], rtol=0.01)
    assert np.abs(fields.divergence(u, v, frame.spacing)[inner]).max() < 0.01 * spin


def test_vorticity_is_the_circulation_around_each_cell() -> None:
    rng = np.random.default_rng(0)
    spacing = (np.full((30, 40), 2.0e4), np.full((30, 40), 3.0e4))
    u, v = fields.smooth_noise(rng, (30, 40), 15), fields.smooth_noise(rng, (30, 40), 15)
    i, j = 12, 20
    around = (v[i, j + 1] - v[i, j - 1]) * 2 * 3.0e4 - (u[i + 1, j] - u[i - 1, j]) * 2 * 2.0e4
    assert fields.vorticity(u, v, spacing)[i, j] == pytest.approx(around / (4 * 2.0e4 * 3.0e4), rel=1e-9)


def test_divergence_shown_is_that_of_the_wind_shown() -> None:
    air = weather()
    np.testing.assert_array_equal(air.divergence(200), fields.divergence(*air.wind(200), air.frame.spacing))


def test_air_rises_where_it_is_moist_and_wet() -> None:
    air = weather(seed=5)
    rising = air.vertical_velocity() < 0
    assert air.humidity()[rising].mean() > air.humidity()[~rising].mean() + 10
    assert air.rain()[rising].mean() > 2 * air.rain()[~rising].mean()


def test_temperature_falls_polewards_and_upwards() -> None:
    air = weather()
    assert air.temperature(850)[:5].mean() > air.temperature(850)[-5:].mean() + 5
    assert air.temperature(850).mean() > air.temperature(500).mean() > air.temperature(200).mean()


@given(st.floats(-40, 45), st.floats(2, 100))
def test_dew_point_inverts_relative_humidity(temperature: float, humidity: float) -> None:
    dew = fields.dew_point(np.array(temperature), np.array(humidity))
    assert dew <= temperature + 1e-9
    assert fields.relative_humidity(np.array(temperature), dew) == pytest.approx(humidity, rel=1e-6)


def test_smooth_noise_is_standardised_and_smoother_for_longer_waves() -> None:
    rough, smooth = (fields.smooth_noise(np.random.default_rng(1), (90, 120), w) for w in (6, 60))
    for field in (rough, smooth):
        assert field.mean() == pytest.approx(0, abs=1e-9)
        assert field.std() == pytest.approx(1)
    assert np.diff(smooth, axis=1).std() < 0.3 * np.diff(rough, axis=1).std()


def test_extrema_finds_the_peak_and_the_pit() -> None:
    y, x = np.mgrid[0:40, 0:60]
    field = np.exp(-((y - 12) ** 2 + (x - 15) ** 2) / 30.0) - np.exp(-((y - 28) ** 2 + (x - 44) ** 2) / 30.0)
    highs, lows = fields.extrema(field, 21)
    assert [12, 15] in highs.tolist()
    assert [28, 44] in lows.tolist()
