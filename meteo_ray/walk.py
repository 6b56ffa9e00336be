"""Commands one after the other, as a user would type them; those that ended well are not given again.

An interrupted walk goes on where it stopped. The steps share one Ray, which each of them would otherwise start and end
for itself.
"""

import logging
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from meteo_ray.config import JobConfig
from meteo_ray.errors import UsageError
from meteo_ray.files import read_json, write_json

logger = logging.getLogger("meteo_ray")

SETTINGS = str(JobConfig.model_config["env_prefix"])  # variables such as METEO_RAY_MODELS

DONE = "steps.json"  # in the folder of the walk: seconds of every step that ended well, by its command


@dataclass(frozen=True)
class Step:
    """One job and its arguments; `tell` has what to print once it has ended well."""

    title: str
    job: str
    arguments: tuple[str, ...]
    tell: Callable[[], str] | None = None

    @property
    def shown(self) -> str:
        """The command as a user would type it."""
        return shlex.join(["python", f"jobs/{self.job}.py", *self.arguments])


def run_steps(walk: Sequence[Step], folder: Path, jobs: Path) -> dict[str, float]:
    """Run the steps from the first that has not ended well yet; `jobs` is the folder of the jobs.

    What is done is noted in `folder`. Returns the seconds of every step, by its command.

    Raises:
        UsageError: naming the step that failed and the command to repeat it alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done = _done_before(folder / DONE, walk)
    for number, step in enumerate(walk[: len(done)], start=1):
        logger.info("[%d/%d] %s: already done", number, len(walk), step.title)
    if len(done) < len(walk):
        _run_rest(walk, done, folder / DONE, jobs)
    return done


def require_same_walk(walk: Sequence[Step], folder: Path) -> None:
    """Refuse a folder in which other steps were begun, for a walk whose first step takes no folder that is in use.

    Raises:
        UsageError: naming both commands.
    """
    before = list(read_json(folder / DONE)) if (folder / DONE).is_file() else []
    if before and walk[0].shown not in before:
        raise UsageError(
            f"{folder}: was begun with other settings, or by another version; name another folder, or remove this one:"
            f"\n  then: {before[0]}\n  now:  {walk[0].shown}"
        )


def _done_before(path: Path, walk: Sequence[Step]) -> dict[str, float]:
    """Seconds of the first steps that ended well, by command; what follows one that must run is out of date."""
    before: dict[str, float] = read_json(path) if path.is_file() else {}
    return {step.shown: before[step.shown] for step in takewhile(lambda step: step.shown in before, walk)}


def _run_rest(walk: Sequence[Step], done: dict[str, float], path: Path, jobs: Path) -> None:
    """Run what is not done yet, and note it in `done` and in the file."""
    from meteo_ray import cluster  # takes seconds to import; --help should not

    with cluster.shared() as joined:
        for number, step in enumerate(walk[len(done) :], start=len(done) + 1):
            logger.info("[%d/%d] %s\n  $ %s", number, len(walk), step.title, step.shown)
            done[step.shown] = _run(step, jobs, joined)
            write_json(path, done)
            if step.tell is not None:
                print(step.tell(), flush=True)


def _run(step: Step, jobs: Path, joined: dict[str, str]) -> float:
    """Seconds that the step took; `joined` is how it finds its Ray."""
    started = time.monotonic()
    command = [sys.executable, str(jobs / f"{step.job}.py"), *step.arguments]
    # Data and models that a user has set for work of their own have no part in a walk.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(SETTINGS)}
    status = subprocess.run(command, env={**environment, **joined}, check=False).returncode
    if status != 0:
        raise UsageError(f"{step.title} ended with status {status}; to repeat only this step:\n  {step.shown}")
    return time.monotonic() - started
