"""How a machine's cores are shared, by what it says about itself."""

import os

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
    monkeypatch.setattr(cores, "usable_cpus", lambda: usable)
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


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
def test_what_an_affinity_leaves_is_used():
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert cores.usable_cpus() == cores.cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    assert cores.usable_cpus() <= len(allowed)
