"""How busy the machine was, as shares."""

import time

import torch

from meteo_ray.training import utilisation
from meteo_ray.training.utilisation import Utilisation


def test_the_cpu_is_looked_at_while_the_block_runs(monkeypatch):
    shares = iter([90.0, 20.0, 40.0, *[60.0] * 1000])  # the first is from before the block
    monkeypatch.setattr(utilisation.psutil, "cpu_percent", lambda: next(shares))
    with Utilisation(torch.device("cpu"), interval_s=0.01) as watched:
        while len(watched._looks) < 3:
            time.sleep(0.01)
    figures = watched.figures()
    assert set(figures) == {"cpu_utilisation"}
    assert 0.2 < figures["cpu_utilisation"] < 0.6
    again = watched.figures()
    time.sleep(0.05)
    assert watched.figures() == again  # the thread has ended


def test_a_block_too_short_for_a_look_has_figures_too():
    with Utilisation(torch.device("cpu"), interval_s=60) as watched:
        pass
    assert 0 <= watched.figures()["cpu_utilisation"] <= 1


def test_a_gpu_is_watched_with_and_without_its_library(monkeypatch):
    def missing(device):
        raise ModuleNotFoundError("pynvml")

    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2 * 10**9, 8 * 10**9))
    monkeypatch.setattr(torch.cuda, "utilization", missing)
    with Utilisation(torch.device("cuda", 0), interval_s=60) as watched:
        pass
    assert watched.figures()["gpu_memory_used"] == 0.75
    assert "gpu_utilisation" not in watched.figures()
    monkeypatch.setattr(torch.cuda, "utilization", lambda device: 40)
    with Utilisation(torch.device("cuda", 0), interval_s=60) as watched:
        pass
    assert watched.figures()["gpu_utilisation"] == 0.4
