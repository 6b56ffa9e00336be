"""How a job reaches Ray: the cluster it was submitted to, or a private one on this machine."""

import logging
import os

import ray
import ray.data

# Ray Data's bars rewrite their line; without a terminal they become thousands of lines in the job's log.
_ENVIRONMENT = {
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",  # a CPU task must not see the GPU
    "RAY_USAGE_STATS_ENABLED": "0",
}


def connect() -> None:
    """Join the cluster of `ray job submit` (RAY_ADDRESS is set there), else start a private one on all cores.

    The private one never attaches to somebody else's Ray on this host. Two logical CPUs are the least that a training
    worker and its data workers need side by side.
    """
    if ray.is_initialized():
        return
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if os.environ.get("RAY_ADDRESS"):
        ray.init(logging_level=logging.WARNING)
    else:
        cpus = max(os.cpu_count() or 2, 2)
        ray.init(address="local", num_cpus=cpus, include_dashboard=False, logging_level=logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False
