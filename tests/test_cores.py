"""How a machine's cores are shared, by what it says about itself."""

import pytest

from meteo_ray import cores


@pytest.mark.parametrize(
    ("usable", "physical", "expected"),
    [
        (20, 14, 14),  # an i5-13600KF: six cores have two threads each
        (4, 14, 4),  # a container that is given four of its CPUs
        (2, None, 2),  # a machine that does not tell
        (2, 1, 1),
        (1, 64, 1),
    ],
)
def test_two_threads_of_a_core_count_once(monkeypatch, usable, physical, expected):
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda process: set(range(usable)))
    monkeypatch.setattr(cores.psutil, "cpu_count", lambda logical: physical)
    assert cores.cores() == expected


@pytest.mark.parametrize(("count", "workers"), [(14, 9), (2, 1), (1, 1)])
def test_seventy_percent_prepare_data(monkeypatch, count, workers):
    monkeypatch.setattr(cores, "cores", lambda: count)
    assert cores.default_workers() == workers


@pytest.mark.parametrize(("count", "processes", "threads"), [(14, 1, 14), (14, 4, 3), (2, 1, 2), (2, 3, 1)])
def test_training_processes_share_all_cores(monkeypatch, count, processes, threads):
    monkeypatch.setattr(cores, "cores", lambda: count)
    assert cores.training_threads(processes) == threads
