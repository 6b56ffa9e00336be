"""How a job reaches Ray: the cluster it was submitted to, or a private one on this machine."""

import logging
import os
import secrets

import ray
import ray.data

_ENVIRONMENT = {
    # Ray Data's bars rewrite their line; without a terminal they become thousands of lines in the job's log.
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    # A CPU task must not see the GPU.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}


def connect() -> None:
    """Join the cluster of `ray job submit` (RAY_ADDRESS is set there), else start a private one on all cores.

    The private one never attaches to somebody else's Ray on this host. Two logical CPUs are the least that a training
    worker and its data workers need side by side.
    """
    quiet_logs()
    if ray.is_initialized():
        return
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if os.environ.get("RAY_ADDRESS"):
        ray.init(logging_level=logging.WARNING)
        return
    # A token that lives as long as this process: without one Ray would write its own into the user's home, and a
    # head started later would ask everybody for it.
    os.environ["RAY_AUTH_MODE"] = "token"
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    cpus = max(os.cpu_count() or 2, 2)
    ray.init(address="local", num_cpus=cpus, include_dashboard=False, logging_level=logging.WARNING)


def quiet_logs() -> None:
    """Keep Ray's own chatter to warnings; the jobs' progress lines say what a person needs. For workers too."""
    ray.data.DataContext.get_current().enable_progress_bars = False
    for name in ("ray.data", "ray.train", "ray.tune"):
        logging.getLogger(name).setLevel(logging.WARNING)
