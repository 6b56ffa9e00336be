"""The jobs that use trained nowcasts: nowcasting, and scoring on test events."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from meteo_ray import bundle
from meteo_ray.errors import UsageError
from meteo_ray.files import SIGN, require_file_place, require_ours, write_json
from meteo_ray.metrics.block_bootstrap import shown
from meteo_ray.nowcast import plots
from meteo_ray.nowcast.bundle import STAGE
from meteo_ray.nowcast.config import EvaluateNowcastJob, NowcastJob, RadarJob
from meteo_ray.nowcast.held_out import events_to_score
from meteo_ray.nowcast.output import ANIMATION, CSV, NETCDF, STRIP, write_csv, write_netcdf
from meteo_ray.nowcast.page import strip_of, write_page
from meteo_ray.nowcast.predictor import Nowcast, NowcastPredictor
from meteo_ray.nowcast.radar.events import STEP, read_frames
from meteo_ray.nowcast.radar.fields import RadarFields
from meteo_ray.nowcast.scoring import entry, score_event, verdict
from meteo_ray.nowcast.windows import Window, Windows, require_windows
from meteo_ray.versions import versions


def load(job: RadarJob) -> tuple[NowcastPredictor, RadarFields, pa.Table]:
    """The trained nowcast, the events and the table of their frames, checked."""
    if job.models is None or job.data is None:
        missing = "models" if job.models is None else "data"
        raise UsageError(f"--{missing} is required (or set METEO_RAY_{missing.upper()})")
    predictor = NowcastPredictor.load(job.models / STAGE)
    cache = job.cache or job.models / "cache"
    frames = read_frames(job.data)
    return predictor, RadarFields(job.data, frames, predictor.settings.grid_km, cache), frames


def nowcast(job: NowcastJob) -> None:
    """Nowcast from one moment of an event; NetCDF, CSV, a strip of maps and an animation."""
    names = (NETCDF, CSV, STRIP, ANIMATION)
    require_ours(job.out, "nowcast", *names)
    if any((job.out / name).exists() for name in names) and not job.overwrite:
        raise UsageError(f"{job.out}: holds a nowcast; --overwrite replaces it")
    predictor, fields, _ = load(job)
    event = job.event or fields.events[-1]
    if event not in fields.events:
        raise UsageError(f"--event {event}: there are {', '.join(fields.events)}")
    fields.require_grid([event])
    at = _moment(job, fields.times(event), predictor.settings.past)
    frames = np.asarray(fields.event(event), np.float32)
    past = frames[at - predictor.settings.past + 1 : at + 1]
    found, known = predictor.nowcast(past), fields.times(event)[at]
    job.out.mkdir(parents=True, exist_ok=True)
    (job.out / SIGN).touch()
    history = f"meteo_ray {versions()['meteo_ray']}, model {predictor.version}, from {event}"
    write_netcdf(job.out / NETCDF, found, known, fields.grid_km, history)
    write_csv(job.out / CSV, found, known)
    _draw(job.out, past, _future(frames, fields.times(event), at, predictor.settings.leads), found, known)
    print(f"{event}, known until {known}: {', '.join(str(job.out / name) for name in names)}")


def _moment(job: NowcastJob, times: np.ndarray, past: int) -> int:
    """Position of the last known frame. Raises UsageError where it is not there or too few frames lie before it."""
    try:
        wanted = times[-1] if job.time is None else np.datetime64(job.time, "s")
    except ValueError:
        raise UsageError(f"--time {job.time}: wanted a time such as 2016-07-11T22:00") from None
    at = int(np.searchsorted(times, wanted))
    if at == len(times) or times[at] != wanted:
        raise UsageError(f"--time {wanted}: no frame then; there are {times[0]} to {times[-1]}")
    if at < past - 1 or not _without_gap(times[at - past + 1 : at + 1]):
        raise UsageError(f"--time {wanted}: {past} frames five minutes apart must lie before it, its own among them")
    return at


def _future(frames: np.ndarray, times: np.ndarray, at: int, leads: int) -> np.ndarray:
    """The frames of all leads after `at`; none where the event ends or has a gap before the last of them."""
    after = slice(at + 1, at + 1 + leads)
    return frames[after] if len(times[after]) == leads and _without_gap(times[at : at + 1 + leads]) else frames[:0]


def _without_gap(times: np.ndarray) -> bool:
    return bool((np.diff(times) == np.timedelta64(STEP)).all())


def _draw(out: Path, past: np.ndarray, future: np.ndarray, found: Nowcast, known: np.datetime64) -> None:
    """With what happened beside it where the event goes on without a gap."""
    leads = len(found.rain)
    if len(future) == leads:
        window = Window(past, future, found.sharp, found.soft, np.isfinite(found.rain).all(axis=0))
        (out / STRIP).write_bytes(strip_of(window, found.rain))
        panels = {"observed": list(future), "nowcast": list(found.rain), "extrapolation": list(found.sharp)}
        errors = {"error": list(found.rain - future)}
    else:
        shown = np.unique(np.linspace(0, leads - 1, 5).round().astype(int))
        titles = [f"{5 * (lead + 1)} min" for lead in shown]
        rows = {"nowcast": [found.rain[lead] for lead in shown], "extrapolation": [found.sharp[lead] for lead in shown]}
        (out / STRIP).write_bytes(plots.strip(titles, rows, {}))
        panels, errors = {"nowcast": list(found.rain), "extrapolation": list(found.sharp)}, {}
    titles = [f"{known + np.timedelta64(5 * (lead + 1), 'm')}  (+{5 * (lead + 1)} min)" for lead in range(leads)]
    (out / ANIMATION).write_bytes(plots.animation(titles, panels, errors))


def evaluate(job: EvaluateNowcastJob) -> None:
    """Score the training's own test events, see `events_to_score`; JSON and a page beside it."""
    require_file_place(job.out)
    predictor, fields, frames = load(job)
    settings = predictor.settings
    assert job.models is not None
    folder = job.models / STAGE
    tested = events_to_score(folder, bundle.read_config(folder, STAGE), frames)
    fields.require_grid(tested)
    windows = Windows(settings, fields, job.stride)
    require_windows(windows, tested, "give --stride less, or longer events")
    entries = [entry(score_event(predictor, windows, event), job.rounds) for event in tested]
    verdicts = {one["event"]: verdict(one) for one in entries}
    document: dict[str, Any] = {
        "summary": {"at_30_minutes": verdicts, "model": predictor.version, "versions": versions()},
        "settings": settings.model_dump(mode="json"),
        "entries": entries,
    }
    job.out.parent.mkdir(parents=True, exist_ok=True)
    write_json(job.out, document)
    page = job.out.with_suffix(".html")
    write_page(page, entries, predictor, windows)
    for name, found in verdicts.items():
        print(verdict_line(name, found))
    print(f"metrics: {job.out}   page: {page}")


def verdict_line(event: str, found: dict[str, Any] | None) -> str:
    """An event's verdict as it is printed."""
    if found is None:
        return f"{event}: no lead of 30 minutes"
    csi = "  ".join(
        f"{name} {'-' if found[key] is None else format(found[key], '.3f')}"
        for name, key in (("network", "csi_2"), ("extrapolation", "csi_2_extrapolation"))
    )
    sure = f"  (for sure {found['for_sure']})" if found["for_sure"] else ""
    return (
        f"{event} at 30 min  MSE network {found['mse']:.3f}  extrapolation {found['mse_extrapolation']:.3f}  "
        f"blurred {found['mse_blurred']:.3f}  CSI from 2 mm/h {csi}  "
        f"MSE against extrapolation {shown(found['skill'], digits=0) or '-'}{sure}"
    )
