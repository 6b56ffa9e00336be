"""Map frames: projections there and back, spacing, outlines, land and country."""

import numpy as np
import pytest

from meteo_ray.drawing import outlines
from meteo_ray.drawing.frames import REGIONS, Frame


@pytest.mark.parametrize("name", sorted(REGIONS))
def test_every_region_projects_there_and_back(name: str) -> None:
    region = REGIONS[name]
    for kind in set(region.projections):
        frame = Frame.around(kind, region.lon, region.lat, region.half_lon, region.half_lat, 40, 1.3)
        x, y = frame.project(*frame.lonlat)
        wide = frame.x1 - frame.x0
        grid_x, grid_y = np.meshgrid(frame.x, frame.y)
        inner = np.s_[1:-1, 1:-1]  # the world's own edge is the same meridian twice
        np.testing.assert_allclose(x[inner], grid_x[inner], atol=1e-6 * wide)
        np.testing.assert_allclose(y[inner], grid_y[inner], atol=1e-6 * wide)
        assert np.all(frame.spacing[0] > 0)


# An ellipse fills pi/4 of its box, a sine 2/pi; Robinson's table of parallels gives 0.84.
@pytest.mark.parametrize(("kind", "share"), [("mollweide", 0.785), ("sinusoidal", 0.637), ("robinson", 0.84)])
def test_oval_worlds_project_there_and_back_and_end_at_their_rim(kind: str, share: float) -> None:
    frame = Frame.around(kind, 30.0, 0.0, 180.0, 90.0, 60)
    lon, lat = np.meshgrid(np.arange(-140.0, 200.0, 20.0), np.arange(-80.0, 81.0, 20.0))
    x, y = frame.project(lon, lat)
    assert (np.diff(x, axis=1) > 0).all()  # eastward is to the right
    assert (np.diff(y, axis=0) > 0).all()
    there = frame.project(*frame.lonlat)
    grid_x, grid_y = np.meshgrid(frame.x, frame.y)
    inside = np.isfinite(frame.lon)
    np.testing.assert_allclose(there[0][inside], grid_x[inside], atol=1e-6 * (frame.x1 - frame.x0))
    np.testing.assert_allclose(there[1][inside], grid_y[inside], atol=1e-6 * (frame.x1 - frame.x0))
    assert not inside[0, 0]
    assert inside.mean() == pytest.approx(share, abs=0.06)


def test_spacing_is_the_true_distance_on_the_ground() -> None:
    frame = Frame.around("mercator", 0.0, 60.0, 5.0, 3.0, 51)
    degrees = frame.lon[0, 1] - frame.lon[0, 0]
    expected = np.radians(degrees) * 6.371e6 * np.cos(np.radians(frame.lat))
    np.testing.assert_allclose(frame.spacing[0], expected, rtol=1e-4)


def test_the_disk_of_a_geostationary_satellite_ends_in_space() -> None:
    frame = Frame.around("geostationary", 105.0, 0.0, 60, 60, 60)
    assert np.isnan(frame.lon[0, 0])
    assert np.isfinite(frame.lon[frame.shape[0] // 2, frame.shape[1] // 2])


def test_known_places_are_on_land_or_at_sea() -> None:
    lon, lat = np.array([104.0, 10.0, -100.0, 150.0, -30.0]), np.array([35.0, 50.0, 40.0, 10.0, 40.0])
    assert outlines.is_land(lon, lat).tolist() == [True, True, True, False, False]


def test_china_has_its_island_provinces_and_not_its_neighbours() -> None:
    inside = {"Beijing": (116.4, 39.9), "Lhasa": (91.1, 29.7), "Haikou": (110.3, 19.6), "Taichung": (120.9, 24.0)}
    outside = {"Seoul": (127.0, 37.5), "Delhi": (77.2, 28.6), "Ulan Bator": (106.9, 47.9), "sea": (125.0, 30.0)}
    for names, expected in ((inside, True), (outside, False)):
        lon, lat = np.array(list(names.values())).T
        assert outlines.is_china(lon, lat).tolist() == [expected] * len(names)


def test_outlines_do_not_cross_the_map_at_its_seam() -> None:
    frame = Frame.around("latlon", 150.0, 0.0, 180.0, 80.0, 60)
    x, _ = frame.outline("gshhs", "l", 50_000)
    jumps = np.abs(np.diff(x))
    assert np.nanmax(jumps) < 0.5 * (frame.x1 - frame.x0)
    assert np.isfinite(x).sum() > 1000
