"""results.json -> docs/benchmarks.md and its plots: every figure with machine and date, goals met and missed alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.speed.floors import WORK
from benchmarks.speed.interleaved import FOREIGN_SHARE
from benchmarks.speed.plots import growth_plot, ratios_plot

NAMES = {
    "pillow": "Pillow, one process (B0)",
    "loader": "DataLoader, Pillow (B1)",
    "loader_own": "DataLoader, this project's decoder (B1b)",
    "ray_docs": "Ray Data as documented (B2)",
    "own": "meteo_ray",
    "own again": "meteo_ray again (A/A)",
}

FORMAT_NAMES = {
    "jpeg": "JPEG",
    "png": "PNG",
    "palette": "palette PNG",
    "real jpeg": "real JPEG",
    "real png": "real PNG",
}

# Format -> how many times as fast as whom, at the lower end of the interval.
DECODE_GOALS = {
    "jpeg": {"loader": 3.0, "ray_docs": 8.0},
    "png": {"loader": 1.5},
    "palette": {"loader": 1.5},
}
LEAST_FRACTION, INVALID_FRACTION = 0.90, 1.02
MOST_ENGINE_US = 200.0
EXPONENT, EXPONENT_SLACK, MEMORY_EXPONENT = 1.0, 0.03, 0.03
DUPLICATES_COST, MOST_WAITING = 0.25, 0.05

# The range of n values misses their true median when all lie on one side of it, 2 / 2**n of the time; fewer than six
# miss it more often than 95 % intervals may, and no bootstrap finds values beyond them.
BLOCKS_OF_AN_INTERVAL = 6

INTRODUCTION = """\
# Benchmarks

Written by `make bench` (`python -m benchmarks.speed.run`); what it does stands in `benchmarks/speed/`. All contenders
judge the same files, 1280x960 unless said otherwise, with the same weights, and their answers are compared before their
times. They take turns (A B C C B A in a block), each in processes of its own. Times are marginal: what one more image
costs, without start and end, which stand beside them. Ratios are taken block by block; in brackets is the 95 %
bootstrap interval of their median over the blocks, and only its lower end is claimed. The A/A line is this project
against itself: it must hold 1. The limit is what the same work takes in bare loops pinned to the cores, without any
engine, measured in the same run.
"""


def write_report(path: Path, results: dict[str, Any]) -> None:
    """The page at `path`; the plots go beside it, as `<name>_*.svg`."""
    parts = [INTRODUCTION]
    sections: dict[str, Callable[[dict[str, Any], Path], str]] = {
        "decode": _decode,
        "archive": _archive,
        "growth": _growth,
        "accelerator": _accelerator,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    for name, write in sections.items():
        if name in results:
            parts.append(write(results[name]["found"], path) + "\n" + _measured(results[name]))
    path.write_text("\n".join(parts), "utf-8")


def _measured(group: dict[str, Any]) -> str:
    """On what, when, and how busy it was."""
    machine = group["machine"]
    device = machine["gpu"] or "no GPU"
    names = ("python", "torch", "ray", "pillow")
    versions = ", ".join(f"{name} {machine['versions'][name]}" for name in names)
    load = " and ".join(f"{value:.1f}" for value in machine["load"])
    waited = " and ".join("?" if value is None else f"{value:.0f} %" for value in machine["pressure"])
    size = "**Quick run: one block, says little.** " if group["quick"] else ""
    return (
        f"{size}Measured {machine['when']} in {group['minutes']:.0f} minutes: {machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_gb']} GB, {device}; {versions}; {group['models']} models, "
        f"{group['workers']} workers. Before and after, the load was {load}; something waited for a CPU {waited} of "
        "the time (PSI).\n"
    )


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" + "|---:" * (len(head) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _compared(found: dict[str, Any], goals: dict[str, float]) -> str:
    """The table of one comparison, and what keeps it from counting."""
    rows = []
    for label, name in NAMES.items():
        if label not in found["contenders"]:
            continue
        one, ratio = found["contenders"][label], found["ratios"].get(label)
        times = f"{ratio['median']:.2f} ({ratio['low']:.2f} to {ratio['high']:.2f})" if ratio else "1"
        cells = [f"{one['images_per_second']:.0f}", f"{one['each_ms']:.2f}", f"{one['each_cpu_ms']:.2f}"]
        rows.append([name, *cells, f"{one['fixed_s']:.1f}", times, _goal(found, label, goals)])
    head = ["", "images/s", "ms an image", "CPU ms an image", "start and end, s", "times as long", "wanted"]
    return _table(head, rows) + "\n" + _caveats(found)


def _goal(found: dict[str, Any], label: str, goals: dict[str, float]) -> str:
    if label not in goals:
        return ""
    reached = found["ratios"][label]["low"] >= goals[label]
    return f"{goals[label]:g}: {_met(reached, _tells(found))}"


def _met(reached: bool, told: bool) -> str:
    """`told`: whether the measurement says anything."""
    return ("met" if reached else "missed") if told else "cannot be told"


def _tells(found: dict[str, Any]) -> bool:
    """Whether a comparison counts: equal work, a machine left alone, and an A/A pair that finds no difference."""
    same = found["ratios"]["own again"]
    return bool(found["quiet"] and not found["agreement"]["problems"] and same["low"] <= 1 <= same["high"])


def _left_alone(found: dict[str, Any]) -> bool:
    return bool(found["foreign_share"] <= FOREIGN_SHARE)


def _caveats(found: dict[str, Any]) -> str:
    """Whether outputs are equal, the machine was quiet, and the A/A pair holds 1."""
    valid, same = found["agreement"], found["ratios"]["own again"]
    lines = []
    if valid["problems"]:
        lines.append(f"**Not comparable, outputs differ:** {'; '.join(valid['problems'])}.")
    else:
        lines.append(
            f"Outputs are equal on {valid['files']} files: scores to {valid['score_difference']:.4f}, the gate's "
            f"decisions {valid['charts_alike']:.1%}, elements {valid['elements_alike']:.1%}."
        )
    others = max(found["foreign_share"])
    state = "" if found["quiet"] else " **The machine was not left alone: nothing here may be claimed.**"
    lines.append(f"{same['blocks']} blocks counted; others used at most {others:.0%} of the machine in a block.{state}")
    if found["dropped_blocks"]:
        lines.append(f"{found['dropped_blocks']} more were dropped: more images took no longer there.")
    if same["blocks"] < BLOCKS_OF_AN_INTERVAL:
        held = 1 - 2 / 2 ** same["blocks"]
        lines.append(f"So few blocks give their range at best, which holds the true median {held:.0%} of the time.")
    if not same["low"] <= 1 <= same["high"]:
        lines.append(f"**The A/A pair does not hold 1** ({same['low']:.3f} to {same['high']:.3f}): add blocks.")
    return " ".join(lines) + "\n"


def _decode(found: dict[str, Any], path: Path) -> str:
    parts = ["## Decoding and fitting to 320x240\n"]
    parts.append(f"![How many times as long others take]({ratios_plot(path, 'decode', found, NAMES)})\n")
    for kind, one in found.items():
        rates = ", ".join(f"{WORK[work]} {floor['images_per_second']:.0f}" for work, floor in one["floors"].items())
        parts.append(f"### {FORMAT_NAMES[kind]}\n\n" + _compared(one, DECODE_GOALS.get(kind, {})))
        share = one["fraction_of_limit"]
        parts.append(f"Bare loops on all cores, images/s: {rates}. Fraction of the limit reached: {share:.2f}.\n")
    return "\n".join(parts)


def _archive(found: dict[str, Any], path: Path) -> str:
    parts = ["## An archive, text not read\n", "JPEG, PNG and palette PNG by turns, half of them charts.\n"]
    parts.append(f"![How many times as long others take]({ratios_plot(path, 'archive', found, NAMES)})\n")
    for stages, one in found.items():
        parts.append(f"### {stages.replace('+', ' and ').capitalize()}\n\n" + _compared(one, {}))
        floors = one["floors"].items()
        rows = [[WORK[work], f"{floor['images_per_second']:.0f}", f"{floor['cpu_us']:.0f}"] for work, floor in floors]
        parts.append(_table(["bare loops, all cores", "images/s", "CPU µs an image"], rows) + "\n" + _limit(one))
    return "\n".join(parts)


def _limit(one: dict[str, Any]) -> str:
    """How near the job comes to what the floors allow."""
    told = _tells(one) and one["fraction_of_limit"] <= INVALID_FRACTION
    share, engine, runs = one["fraction_of_limit"], one["engine_cpu_us"], one["long_run_images"]
    long_run = f"from {runs:.0f} images on" if runs is not None else "never"
    invalid = " **More than the limit: a floor was disturbed, measure again.**" if share > INVALID_FRACTION else ""
    return (
        f"The limit is {one['limit_ms']:.2f} ms an image; fraction of it reached: **{share:.2f}** "
        f"({LEAST_FRACTION:.2f} wanted: {_met(share >= LEAST_FRACTION, told)}).{invalid} Start and end are under 5 % "
        f"{long_run}, with {one['fraction_in_a_long_run']:.2f} of the limit there. CPU time above the floors: "
        f"**{engine:.0f} µs** an image (at most {MOST_ENGINE_US:.0f} wanted: {_met(engine <= MOST_ENGINE_US, told)}).\n"
    )


def _growth(found: dict[str, Any], path: Path) -> str:
    images, pixels, copies = found["images"], found["pixels"], found["duplicates"]
    head = ["images", *map(str, images["counts"])]
    rows = [["seconds", *(f"{value:.1f}" for value in images["seconds"])]]
    rows.append(["peak memory, MB", *(f"{value:.0f}" for value in images["peak_mb"])])
    grown, memory = images["exponent"], images["memory_exponent"]
    told, copies_told = _left_alone(images), _left_alone(copies)
    steady = grown is not None and abs(grown - EXPONENT) <= EXPONENT_SLACK
    sizes = [f"{width}x{height}" for width, height in pixels["sizes"]]
    cost = [
        [FORMAT_NAMES[kind], *(f"{value:.2f}" for value in one["cpu_ms"]), f"{one['exponent']:.2f}"]
        for kind, one in pixels.items()
        if kind != "sizes"
    ]
    rates = found["workers"]["images_per_second"]
    parts = [
        "## Growth\n",
        f"![Seconds and memory over images]({growth_plot(path, images)})\n",
        "JPEGs of 320x240, nobody judges: the engine's part. One run of each length; others used "
        f"{images['foreign_share']:.0%} of the machine meanwhile, {copies['foreign_share']:.0%} beside the copies.\n",
        _table(head, rows),
        f"`T = {images['fixed_s']:.1f} s + {images['each_ms']:.2f} ms · n`. Exponent of the marginal time: "
        f"{'none' if grown is None else f'{grown:.3f}'} ({EXPONENT:.2f} ± {EXPONENT_SLACK} wanted: "
        f"{_met(steady, told)}); of the peak memory: {memory:.3f} (at most {MEMORY_EXPONENT} wanted: "
        f"{_met(memory <= MEMORY_EXPONENT, told)}).\n",
        _table(["CPU ms to read an image", *sizes, "exponent over pixels"], cost),
        _table(["reading processes", *rates], [["images/s", *(f"{rate:.0f}" for rate in rates.values())]]),
        f"An archive of {copies['images']} files of which {copies['share']:.0%} are copies costs {copies['cost']:.2f} "
        f"of one of different files (at most {DUPLICATES_COST} wanted: "
        f"{_met(copies['cost'] <= DUPLICATES_COST, copies_told)}).\n",
    ]
    return "\n".join(parts)


def _accelerator(found: dict[str, Any], path: Path) -> str:
    waiting = found["waiting_share"]
    return (
        "## A simulated accelerator\n\n"
        "Not a GPU: a consumer that sleeps in the gate's place, where an accelerator would work without a CPU. Readers "
        f"deliver {found['readers_deliver']:.0f} images/s; it asked for {found['asked_for']:.0f}, got "
        f"{found['delivered']:.0f} over {found['images']} images, and waited **{waiting:.1%}** of its time (at most "
        f"{MOST_WAITING:.0%} wanted: {_met(waiting <= MOST_WAITING, _left_alone(found))}). Others used "
        f"{found['foreign_share']:.0%} of the machine meanwhile.\n"
    )
