"""The groups of measurements; each yields what results.json keeps of it, part by part."""

import math
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import numpy as np

from benchmarks.speed.agreement import agreement
from benchmarks.speed.arithmetic import Line
from benchmarks.speed.bench import Bench, gpu_name
from benchmarks.speed.floors import Floor
from benchmarks.speed.images import JPEG, PNG
from benchmarks.speed.interleaved import SMALL, Contender, Turns, each_image, foreign_share, take_turns
from benchmarks.speed.sessions import Session

PILLOW, LOADER, LOADER_OWN, RAY_DOCS, OWN = "pillow", "loader", "loader_own", "ray_docs", "own"
OTHERS = (PILLOW, LOADER, LOADER_OWN, RAY_DOCS)
KINDS = (*OTHERS, OWN)

START_UP = 0.05  # of a run that is called long


Parts = Iterator[tuple[str, Any]]
"""A part's name and what was found, as soon as it is there: an interrupted hour is not lost."""


def decode(bench: Bench) -> Parts:
    """Decoding and fitting alone: nobody judges. By format."""
    names = {kind: bench.files(kind) for kind in bench.plan.formats}
    names |= {f"real {kind}": name for kind in (JPEG, PNG) if (name := bench.real(kind))}
    with ExitStack() as stack:
        sessions = {kind: bench.session(stack, kind, workers=bench.workers) for kind in KINDS}
        for kind, name in names.items():
            valid = _agree(bench, sessions, name)
            turns = _turns(bench, sessions, name)
            floors = {work: bench.floor(work, name) for work in ("load", "whole")}
            limit = 1 / max(floor.rate for floor in floors.values())
            yield (
                kind,
                {
                    **_compared(turns, valid),
                    "floors": {work: floor.to_json() for work, floor in floors.items()},
                    "fraction_of_limit": limit / turns.value(turns.each_s, OWN),
                },
            )


def archive(bench: Bench) -> Parts:
    """The job as it is, `--text.mode off`: gate alone, and gate and elements. By stages."""
    name = bench.mixed()
    load, describe = bench.floor("load", name), bench.floor("describe", name)
    for stages in bench.plan.stages:
        with ExitStack() as stack:
            workers = {OWN: None}  # as many readers as the job takes by itself
            sessions = {kind: bench.session(stack, kind, stages, workers.get(kind, bench.workers)) for kind in KINDS}
            valid = _agree(bench, sessions, name)
            turns = _turns(bench, sessions, name)
        networks = {stage: bench.floor(stage, name) for stage in stages}
        limit = limit_of({"load": load, "describe": describe}, networks, valid["charts"], turns)
        yield "+".join(stages), {**_compared(turns, valid), **limit}


def limit_of(cpu: dict[str, Floor], networks: dict[str, Floor], charts: float, turns: Turns) -> dict[str, Any]:
    """What the floors together allow, how near the job comes, and what the engine takes above them.

    Of `charts`, the share that the gate lets through, alone the elements are asked. On a CPU all stages share its
    cores, so their times add up; a GPU works beside the cores, so the slower of both is the limit.
    """
    shares = {"gate": 1.0, "elements": charts}
    on_cores = sum(1 / floor.rate for floor in cpu.values())
    on_device = sum(shares[stage] / floor.rate for stage, floor in networks.items())
    limit = max(on_cores, on_device) if gpu_name() else on_cores + on_device
    floor_cpu = sum(floor.cpu_s for floor in cpu.values())
    floor_cpu += sum(shares[stage] * floor.cpu_s for stage, floor in networks.items())
    line = Line(turns.value(turns.fixed_s, OWN), turns.value(turns.each_s, OWN))
    long_run = line.images_until_fixed_is(START_UP)
    return {
        "floors": {work: floor.to_json() for work, floor in {**cpu, **networks}.items()},
        "limit_ms": 1e3 * limit,
        "fraction_of_limit": limit / line.each,
        "long_run_images": long_run if math.isfinite(long_run) else None,
        "fraction_in_a_long_run": (1 - START_UP) * limit / line.each,
        "engine_cpu_us": 1e6 * (turns.value(turns.each_cpu_s, OWN) - floor_cpu),
    }


def _turns(bench: Bench, sessions: dict[str, Session], name: str) -> Turns:
    contenders = [Contender(kind, session) for kind, session in sessions.items()]
    contenders.append(Contender(OWN, sessions[OWN], again=True))
    plan = bench.plan
    return take_turns(contenders, lambda count: bench.store.folder(name, count), plan.blocks, plan.seconds, plan.most)


def _agree(bench: Bench, sessions: dict[str, Session], name: str) -> dict[str, Any]:
    """The answers of all contenders to the same files, held against the project's own."""
    folder = bench.store.folder(name, SMALL)
    answers = {kind: session.run(folder, answers=True).answer for kind, session in sessions.items()}
    return agreement(answers, OWN, sorted(path.name for path in folder.iterdir()))


def _compared(turns: Turns, valid: dict[str, Any]) -> dict[str, Any]:
    ratios = {kind: turns.ratio(kind, OWN).to_json() for kind in (*OTHERS, f"{OWN} again")}
    return {**turns.to_json(), "ratios": ratios, "agreement": valid}


def accelerator(bench: Bench) -> Parts:
    """A simulated accelerator: a consumer that sleeps, asking for 80 % of what the readers deliver. How long does it
    wait for pixels?"""
    name = bench.files(JPEG)
    folder = bench.store.folder(name, bench.plan.sleeping)
    with ExitStack() as stack:
        own = bench.session(stack, OWN, workers=None)
        own.run(bench.store.folder(name, SMALL))  # warms up
        few, many = own.run(bench.store.folder(name, SMALL)), own.run(folder)
        each = each_image(few, many)
        sleep_s = each / ASKED
        log = bench.work / "accelerator.jsonl"
        log.unlink(missing_ok=True)
        slept = own.run(folder, sleep_s=sleep_s, log=str(log))
    calls = np.loadtxt(log.read_text("utf-8").replace("[", "").replace("]", "").splitlines(), delimiter=",", ndmin=2)
    yield from {
        "readers_deliver": 1 / each,
        "asked_for": 1 / sleep_s,
        "delivered": float(calls[:, 2].sum() / (calls[:, 1].max() - calls[:, 0].min())),
        "waiting_share": waiting_share(calls),
        "images": int(calls[:, 2].sum()),
        "foreign_share": foreign_share([few, many, slept]),
    }.items()


ASKED = 0.8  # of what readers deliver


def waiting_share(calls: np.ndarray) -> float:
    """The share of its time that a consumer waited between its first call and its last, of `(calls, 3)`: start, end,
    rows."""
    calls = calls[np.argsort(calls[:, 0])]
    waited = np.maximum(calls[1:, 0] - calls[:-1, 1], 0).sum()
    return float(waited / (calls[-1, 1] - calls[0, 0]))
