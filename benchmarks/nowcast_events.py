"""The nowcast against Lucas-Kanade extrapolation, one event left out at a time.

    python -m benchmarks.nowcast_events --data RADAR_EVENTS --out nowcast_bench

Every event is the test once; the one after it, in the order of names, validates, and the rest train. What is done is
not repeated: the same command goes on where it stopped; other data or flags are refused there. Writes OUT/table.md.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.kept_results import Results
from meteo_ray import cluster
from meteo_ray.files import read_json
from meteo_ray.metrics.block_bootstrap import shown
from meteo_ray.nowcast.radar.events import read_frames

ROOT = Path(__file__).resolve().parents[1]
MINUTES = (15, 30, 60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--events", nargs="+", help="which to leave out; default: each once")
    parser.add_argument("flags", nargs=argparse.REMAINDER, help="after --: more flags of jobs/train_nowcast.py")
    options = parser.parse_args()
    events = list(dict.fromkeys(read_frames(options.data)["event"].to_pylist()))
    options.flags = [flag for flag in options.flags if flag != "--"]
    results = Results(options.out / "results.json", {"data": options.data.resolve(), "flags": options.flags})
    with cluster.shared() as joined:
        for event in options.events or events:
            results.get(event, partial(_fold, options, events, event, joined))
    table(options.out, results)


def _fold(options: argparse.Namespace, events: list[str], event: str, joined: dict[str, str]) -> dict[str, str]:
    """Train without the event and score on it; where the scores lie below OUT."""
    folder = options.out / event.replace("/", "_")
    scores, cache = folder / "scores.json", options.out / "cache"
    following = events[(events.index(event) + 1) % len(events)]
    split = ("--nowcast.test-events", json.dumps([event]), "--nowcast.validation-events", json.dumps([following]))
    places = ("--data", options.data, "--models", folder / "models", "--cache", cache)
    started = time.monotonic()
    _job(joined, "train_nowcast", *places, *split, *options.flags)
    (folder / "seconds.txt").write_text(f"{time.monotonic() - started:.0f}\n", "utf-8")
    _job(joined, "evaluate_nowcast", *places, "--out", scores)
    return {"scores": str(scores.relative_to(options.out))}


def _job(joined: dict[str, str], name: str, *arguments: Any) -> None:
    command = [sys.executable, str(ROOT / "jobs" / f"{name}.py"), *map(str, arguments)]
    subprocess.run(command, env={**os.environ, **joined}, check=True)


def table(out: Path, results: Results) -> None:
    """OUT/table.md of what is measured: MSE, CSI and FSS from 2 mm/h and power by lead, of all forecasters."""
    lines = ["| event | lead | forecaster | MSE | CSI 2 mm/h | FSS 2 mm/h, 18 km | power 2-16 km |", "|---" * 7 + "|"]
    verdicts: dict[str, dict[str, Any] | None] = {}
    for event in sorted(results.measures):
        document = read_json(out / results.measures[event]["scores"])
        for entry in document["entries"]:
            for minutes in MINUTES:
                if minutes in entry["leads_minutes"]:
                    lead = entry["leads_minutes"].index(minutes)
                    for name, scores in entry["scores"].items():
                        keys = ("mse", "csi_2", "fss_2_18km", "power")
                        cells = ["-" if scores[lead][key] is None else f"{scores[lead][key]:.3f}" for key in keys]
                        lines.append("| " + " | ".join([entry["event"], f"{minutes} min", name, *cells]) + " |")
        verdicts |= document["summary"]["at_30_minutes"]
    lines += ["", *verdict_lines(verdicts)]
    (out / "table.md").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


def verdict_lines(verdicts: dict[str, dict[str, Any] | None]) -> list[str]:
    """Which events the network wins at 30 minutes, and of which the intervals say so; "too few" windows say nothing."""
    found = {event: one for event, one in verdicts.items() if one}
    won = [event for event, one in found.items() if one["better"]]
    sure = {
        word: [event for event, one in found.items() if one.get("for_sure") == word] for word in ("better", "worse")
    }
    skills = [f"{event} {shown(one['skill'], digits=0)}" for event, one in found.items() if one["skill"]]
    return [
        f"At 30 minutes a lower MSE than the extrapolation's and no lower CSI: {', '.join(won) or 'none'}.",
        f"MSE against the extrapolation's, with intervals: {'; '.join(skills) or 'none'}.",
        *(f"For sure {word}: {', '.join(events) or 'none'}." for word, events in sure.items()),
    ]


if __name__ == "__main__":
    main()
