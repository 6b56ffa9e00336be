"""The README's `ray job submit -- python jobs/...` against a head started as the README says."""

import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

RAY = str(Path(sys.executable).with_name("ray"))
START_LIMIT_S = 120


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.fixture(scope="module")
def head() -> Iterator[dict[str, str]]:
    """A started head; the environment of a shell that may submit to it."""
    dashboard = free_port()
    with tempfile.TemporaryDirectory(prefix="ray_", dir="/tmp") as folder:  # Ray's socket paths must stay short
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_API_SERVER_ADDRESS": f"http://127.0.0.1:{dashboard}",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
        command = [RAY, "start", "--head", "--block", "--port=0", f"--dashboard-port={dashboard}", "--num-cpus=4"]
        # The agent's own port is fixed by default, and another Ray of this host may hold it.
        command += [f"--temp-dir={folder}", f"--dashboard-agent-listen-port={free_port()}"]
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, start_new_session=True, stdout=subprocess.DEVNULL
        )
        try:
            yield environment
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(90)  # a head drains for 30 seconds before it ends


def submit(environment: dict[str, str], *command: str) -> subprocess.CompletedProcess[str]:
    """Submit and wait, again while the fresh head has no agent yet."""
    deadline = time.monotonic() + START_LIMIT_S
    while True:
        done = subprocess.run(
            [RAY, "job", "submit", "--", *command], cwd=ROOT, env=environment, capture_output=True, text=True
        )
        not_ready = "No available agent" in done.stderr or "Failed to connect" in done.stderr
        if not not_ready or time.monotonic() > deadline:
            return done
        time.sleep(2)


@pytest.mark.slow
def test_a_job_runs_where_the_head_was_started_and_finds_the_package(head):
    done = submit(head, "python", "jobs/train_gate.py", "--help")
    assert done.returncode == 0, done.stderr
    assert "--gate.input-size" in done.stdout


@pytest.mark.slow
def test_a_users_mistake_fails_the_submission_with_its_message(head, tmp_path):
    done = submit(head, "python", "jobs/train_gate.py", "--data", str(tmp_path), "--models", str(tmp_path / "models"))
    assert done.returncode != 0
    assert "prepare_data.py" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout
