"""Whether every machine of the cluster has what a training needs, asked before the first epoch.

A machine without the mount would lose its rows one by one, one with other code would make other pixels, and one without
the base model would fail where the training worker happens to land.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from meteo_ray import bundle, cluster
from meteo_ray.errors import UsageError
from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.streaming.unchanged import read_unchanged
from meteo_ray.training.inputs import TaskInputs
from meteo_ray.training.task import Task
from meteo_ray.versions import code_version

# Images that are looked at, of each split: enough to meet each of a few mounts, and read in a second.
IMAGES = 20

# A folder's files are compared by their sizes: hashing Gemma's 8 GB would take a minute.
MOST_FILES = 1000


@dataclass(frozen=True)
class Needs:
    """What a machine must have.

    `images` are paths with the sha256 of the index, for machines that prepare rows; `files` paths with their bytes, for
    machines on which a training worker may run.
    """

    code: str
    images: tuple[tuple[Path, str], ...]
    files: tuple[tuple[Path, int], ...]


def needs_of(task: Task, inputs: TaskInputs, rows: Iterable[pa.Table], run_file: Path) -> Needs:
    """Those of a training of `task`, whose splits' rows are given; `run_file` stands in the run's folder already.

    Raises:
        UsageError: when not a single image that was chosen can be read on this machine.
    """
    earlier = [inputs.models / name / bundle.SUMS for name in inputs.answered_by]
    files = [file for path in (*task.files(), *earlier, run_file) for file in _files(path)]
    images = [found for table in rows for found in _sample(table, inputs.data)]
    return Needs(code_version(), _readable(images), tuple((file, file.stat().st_size) for file in files))


def require_on_every_node(needs: Needs, trains_on: str) -> None:
    """Ask all machines; `trains_on` is the resource, CPU or GPU, of those on which a training worker may run.

    Raises:
        UsageError: naming machines and what each of them lacks.
    """
    answers = cluster.on_every_node(partial(problems_here, needs), needing=trains_on)
    problems = [f"{node}: {problem}" for node, found in answers.items() for problem in found]
    if problems:
        raise UsageError.of_problems(
            "not every machine of the cluster has what this training needs; give all the same package, and the same "
            "folders under the same paths:",
            problems,
        )


def problems_here(needs: Needs, trains: bool) -> list[str]:
    """What this machine lacks, in words; `trains` whether a training worker may run on it."""
    here = code_version()
    problems = [] if here == needs.code else [f"meteo_ray {here} there, {needs.code} where the job was started"]
    problems += [problem for path, sha256 in needs.images for problem in _problems_of(path, sha256)]
    return problems + (_missing(dict(needs.files)) if trains else [])


def _missing(files: Mapping[Path, int]) -> list[str]:
    found = {path: path.stat().st_size if path.is_file() else None for path in files}
    return [
        f"{path}: no such file" if there is None else f"{path}: {there} bytes, {files[path]} where the job was started"
        for path, there in found.items()
        if there != files[path]
    ]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file())[:MOST_FILES]


def _readable(images: Sequence[tuple[Path, str]]) -> tuple[tuple[Path, str], ...]:
    """Those that can be read here: a few lost rows are told by the training, and are no machine's fault."""
    lost = {path: found for path, sha256 in images for found in _problems_of(path, sha256)}
    if images and len(lost) == len(dict(images)):
        raise UsageError.of_problems("none of the images that were looked at can be read:", list(lost.values()), 10)
    return tuple((path, sha256) for path, sha256 in images if path not in lost)


def _problems_of(path: Path, sha256: str) -> list[str]:
    try:
        read_unchanged(path, sha256)
    except DecodeFailure as failure:
        return [f"{path}: {failure.reason}: {failure.detail}"]
    return []


def _sample(rows: pa.Table, data: Path) -> list[tuple[Path, str]]:
    """Some images of a table, anywhere in it; none where rows are no images."""
    if not {"path", "sha256"} <= set(rows.column_names):
        return []
    chosen = np.random.default_rng(0).permutation(rows.num_rows)[:IMAGES]
    few = rows.select(["path", "sha256"]).take(np.sort(chosen)).to_pylist()
    return [(data / row["path"], row["sha256"]) for row in few]
