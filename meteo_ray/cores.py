"""How a machine's CPU cores are shared between the workers that prepare data and the process that computes."""

import math

import psutil

# R7 asks for 60-80 % of the cores.
WORKER_SHARE = 0.7


def usable_cpus() -> int:
    """CPUs that this process may use, two for a core with two threads: what an affinity or a container's quota leaves.

    Docker's `--cpus 4` shows all of the host's 64, and 64 threads that may use four between them wait for one another.
    """
    import joblib  # not above: it costs --help 0.1 s

    return int(joblib.cpu_count())


def cores() -> int:
    """Cores that this process may use, two threads of one core counted once: they share what decoding needs.

    An i5-13600KF says 20 CPUs and has 14 cores.
    """
    usable = usable_cpus()
    return max(1, min(usable, psutil.cpu_count(logical=False) or usable))


def default_workers() -> int:
    """CPU workers for decoding: 70 % of this machine's cores, at least one."""
    return max(1, math.floor(cores() * WORKER_SHARE))


def data_workers_each(data_workers: int | None, processes: int) -> int:
    """CPU workers for each of the training processes that share this machine."""
    return max(1, (data_workers or default_workers()) // processes)


def training_threads(processes: int = 1) -> int:
    """Threads of each training process on a CPU: its part of all cores.

    Where learning runs on a CPU it takes many times as long as preparing, so that data workers leave most of their
    cores idle: the gate learnt 59.7 rows/s of 128x96 with two threads on two cores and 52.0 with one, of 320x240
    14.9 and 9.6. Not tried on more cores.
    """
    return max(1, cores() // processes)
