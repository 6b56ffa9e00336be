"""How busy the machine is while an epoch runs (R29): CPU, GPU and its memory, looked at every second by a thread."""

import threading
from collections.abc import Callable
from statistics import fmean

import psutil
import torch

INTERVAL_S = 1.0


class Utilisation:
    """A context manager around an epoch; `figures` are those of the time inside so far.

    Args:
        device: where training computes.
        interval_s: between two looks.
    """

    def __init__(self, device: torch.device, interval_s: float = INTERVAL_S) -> None:
        self._interval_s, self._stop = interval_s, threading.Event()
        self._looks: list[dict[str, float]] = []
        self._probes = _probes(device)
        self._thread = threading.Thread(target=self._watch, name="utilisation", daemon=True)

    def __enter__(self) -> "Utilisation":
        self._look()  # psutil counts from one look to the next: the first has nothing to tell
        self._looks.clear()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def figures(self) -> dict[str, float]:
        """`cpu_utilisation`, and on a GPU `gpu_utilisation` and `gpu_memory_used`: means of shares from 0 to 1.

        CPU: of all cores, by whatever ran on them. GPU: of the time in which something was computed there; left out
        where NVIDIA's management library (the package nvidia-ml-py) is not there.
        """
        looks = self._looks or [self._look()]
        return {name: round(fmean(look[name] for look in looks), 4) for name in looks[0]}

    def _watch(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._look()

    def _look(self) -> dict[str, float]:
        look = {name: probe() for name, probe in self._probes.items()}
        self._looks.append(look)
        return look


def _probes(device: torch.device) -> dict[str, Callable[[], float]]:
    probes: dict[str, Callable[[], float]] = {"cpu_utilisation": lambda: psutil.cpu_percent() / 100}
    if device.type != "cuda":
        return probes
    probes["gpu_memory_used"] = lambda: _memory_used(device)
    try:
        torch.cuda.utilization(device)
    except Exception:  # no such library or driver, or a part of a card that does not tell: their errors share no base
        return probes
    return {**probes, "gpu_utilisation": lambda: torch.cuda.utilization(device) / 100}


def _memory_used(device: torch.device) -> float:
    free, total = torch.cuda.mem_get_info(device)
    return 1 - free / total
