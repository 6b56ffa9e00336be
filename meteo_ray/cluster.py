"""How a job reaches Ray: the cluster it was submitted to, or a private one on this machine."""

import logging
import os
import secrets
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import ray
import ray.data
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from meteo_ray.cores import usable_cpus
from meteo_ray.errors import MachineFault

logger = logging.getLogger("meteo_ray")

_ENVIRONMENT = {
    # Ray Data's bars rewrite their line; without a terminal they become thousands of lines in the job's log.
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    # A CPU task must not see the GPU.
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}

_LEVELS = {
    "ray.data": logging.WARNING,
    "ray.data._internal.progress": logging.ERROR,  # says once a stream that bars are off
    "ray.train": logging.WARNING,
    "ray.tune": logging.WARNING,
    "ray._private.authentication": logging.ERROR,  # says that a token is in use
}

# How long a machine may take to start a process and look at some files; a mount that hangs never answers.
ANSWER_S = 120.0


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
        _start("joined: RAY_ADDRESS names it; does it still run?")
        return
    # Ray guards a new cluster with a token by itself. This one lives as long as the process: without it Ray would write
    # one into the user's home, and a head started later would ask everybody for it.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    cpus = max(usable_cpus(), 2)
    logger.info("starting Ray on %d cores", cpus)
    _start(
        "started; on a machine that is busy, or short of memory or disk, the same command may do better later",
        address="local",
        num_cpus=cpus,
        include_dashboard=False,
    )


def _start(hint: str, **options: Any) -> None:
    """Raises MachineFault where Ray does not answer in time, or not at all."""
    try:
        ray.init(logging_level=logging.WARNING, log_to_driver=False, **options)
    except Exception as error:  # Ray raises its own, ConnectionError, and bare ones
        reason = " ".join(str(error).split())[:300]
        raise MachineFault(f"Ray could not be {hint} (it said: {reason})") from error
    # Ray's own answer to SIGTERM, which `kill` and `ray job stop` send, is a native stack and an abort: like Ctrl-C.
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


@contextmanager
def shared() -> Iterator[dict[str, str]]:
    """One private cluster for several jobs, each a process of its own, instead of one for each of them.

    Yields what their environment needs beside this process's own: they find the cluster as a submitted job finds its
    own, by its address, so they never join another one. It ends with the block, however that ends; should this process
    be killed, the kernel ends it. A process that belongs to a cluster itself (RAY_ADDRESS) starts none: its children
    join that one.
    """
    if os.environ.get("RAY_ADDRESS"):
        yield {}
        return
    ours = not ray.is_initialized()
    connect()
    try:
        yield {"RAY_ADDRESS": ray.get_runtime_context().gcs_address}
    finally:
        if ours:
            ray.shutdown()


def on_every_node(look: Callable[[bool], list[str]], needing: str) -> dict[str, list[str]]:
    """What `look` finds wrong on each machine that may work for this job, by the machine's name.

    Args:
        look: called there with whether the machine has the resource `needing`, such as CPU or GPU; problems in words.
    """
    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    here = _this_node()
    told: dict[str, list[str]] = {}
    asked: dict[str, Any] = {}
    for node in nodes:
        name, number = f"{node['NodeName']} ({node['NodeManagerHostname']})", node["NodeID"]
        able = bool(node["Resources"].get(needing))
        if number == here:
            told[name] = look(able)
            continue
        there = NodeAffinitySchedulingStrategy(number, soft=False)
        asked[name] = ray.remote(num_cpus=0, max_retries=0)(_look).options(scheduling_strategy=there).remote(look, able)
    return {**told, **{name: _answer(answer) for name, answer in asked.items()}}


def _this_node() -> str:
    number: str = ray.get_runtime_context().get_node_id()
    return number


def _look(look: Callable[[bool], list[str]], able: bool) -> list[str]:
    return look(able)


def _answer(asked: Any) -> list[str]:
    """A machine that cannot even look has a problem too, such as none of this package's code."""
    try:
        found: list[str] = ray.get(asked, timeout=ANSWER_S)
        return found
    except GetTimeoutError:
        return [f"no answer within {ANSWER_S:.0f} s; a mount may hang there"]
    except (RayError, ImportError) as error:
        reason = " ".join(str(error).split())
        return [f"cannot run what this job needs; is this very meteo_ray installed there? (... {reason[-300:]})"]


def quiet_logs() -> None:
    """Keep Ray's own chatter out of a job's log; its files under the session's folder still have it. For workers too.

    What a person needs is said by the jobs: progress lines, and training's own log (training/run_log.py).
    """
    ray.data.DataContext.get_current().enable_progress_bars = False
    for name, level in _LEVELS.items():
        logging.getLogger(name).setLevel(level)
