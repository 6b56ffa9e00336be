"""Going on where a run stopped: whether the folder is ours, and whether it is the same run."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

from meteo_ray.archive.cascade.models import Models
from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.archive.output import MANIFEST, PREDICTIONS, REPORT, RUN, SUMMARY, TABLES
from meteo_ray.archive.results.repair import DAMAGED, SET_ASIDE
from meteo_ray.archive.results.writer import part_files
from meteo_ray.errors import UsageError
from meteo_ray.files import place_on_record, storable, write_json
from meteo_ray.imaging.load import PREPROCESSING_VERSION
from meteo_ray.judging.settings import CascadeSettings
from meteo_ray.schema import SCHEMA_VERSION
from meteo_ray.text.config import TextSettings
from meteo_ray.text.modes import ENGINE_EDITION

_FOLDERS = (MANIFEST, PREDICTIONS)
# Parts and lists of files, also damaged ones that were moved aside, and what was being written at a kill.
_MADE_HERE = re.compile(r"\.?(part|files)-\d+.*")
_FILES = (SUMMARY, REPORT, SET_ASIDE, *TABLES.values())


def identity(config: ArchiveConfig, models: Models) -> dict[str, Any]:
    """What a resumed run must have in common with the one that it goes on with."""
    return {
        "archive": place_on_record(config.archive),
        "models": models.versions,
        "min_recall": config.min_recall,
        "cascade": config.cascade.model_dump(mode="json"),
        "text": _of_text(config.text),
        "preprocessing_version": PREPROCESSING_VERSION,
        "schema_version": SCHEMA_VERSION,
    }


def _of_text(text: TextSettings) -> dict[str, Any]:
    """What answers depend on; not how long a page may take, or when processes are replaced."""
    if text.mode == "off":
        return {"mode": "off"}
    names = {"mode", "undecided_from", "minimum_score"}
    return {**text.model_dump(mode="json", include=names), "engine_edition": ENGINE_EDITION}


def begin(out: Path, this_run: dict[str, Any], resume: bool, overwrite: bool) -> None:
    """Make the folder ready for the run that `this_run` describes; a resumed run must be the same one.

    A run that ended before it committed anything leaves nothing worth asking about.

    Raises:
        UsageError: when another run stands there and neither flag was given, when it differs from this one, or when
            something that no run made is in the way.
    """
    _require_ours(out)
    committed = len(part_files(out / PREDICTIONS))
    if overwrite:
        _start(out, this_run, (*_FOLDERS, DAMAGED))
    elif not committed and not (resume and (out / DAMAGED).exists()):
        _start(out, this_run, _FOLDERS)
    elif not resume:
        raise UsageError(f"--out {out}: holds a run already ({committed} parts); give --resume or --overwrite")
    else:
        _require_same(out, this_run)


def _start(out: Path, this_run: dict[str, Any], folders: tuple[str, ...]) -> None:
    """Remove a run's rows and what was made of them; sorted/ stays, users may have laid something there."""
    for name in folders:
        if (out / name).is_symlink():
            raise UsageError(f"{out / name}: is a link to another place; remove it yourself, with what it leads to")
        if foreign := _foreign_files(out / name):
            raise UsageError(f"{out / name}: {', '.join(foreign)} there was not made by this job; move it elsewhere")
    write_json(out / RUN, this_run)  # first: by it a folder is known as ours
    for name in folders:
        if (out / name).exists():
            shutil.rmtree(out / name)
    for name in _FILES:
        (out / name).unlink(missing_ok=True)


def _foreign_files(folder: Path) -> list[str]:
    """Names in a folder of a run that no run gives; a few of them."""
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return [storable(name) for name in names if not _MADE_HERE.fullmatch(name)][:5]


def _require_ours(out: Path) -> None:
    """Only names that a run made are taken for its own; a run is known by its record."""
    if _is_record(out / RUN):
        return
    foreign = [name for name in (*_FOLDERS, DAMAGED, *_FILES, RUN) if (out / name).exists()]
    if foreign:
        names = ", ".join(foreign)
        raise UsageError(
            f"--out {out}: {names} there was not made by this job, which needs the name; choose another folder"
        )


def _is_record(path: Path) -> bool:
    try:
        return {"archive", "models", "preprocessing_version", "schema_version"} <= set(
            json.loads(path.read_text("utf-8"))
        )
    except (OSError, ValueError, TypeError):
        return False


def _require_same(out: Path, this_run: dict[str, Any]) -> None:
    try:
        before = json.loads((out / RUN).read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{out / RUN}: cannot read what was run here: {error}; give --overwrite") from None
    before["cascade"] = _with_defaults(before.get("cascade"))
    changed = _differences(before, this_run)
    if changed:
        title = f"--out {out}: the run there was made otherwise; repeat its settings, or give --overwrite:"
        raise UsageError.of_problems(title, changed)


def _differences(before: dict[str, Any], now: dict[str, Any], above: str = "") -> list[str]:
    """A line for each value that is another one, called by its place as flags are: `text.mode`."""
    lines = []
    for name in sorted(before | now):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            lines += _differences(old, new, f"{above}{name}.")
        elif old != new:
            lines.append(f"{above}{name}: {old!r} then, {new!r} now")
    return lines


def _with_defaults(cascade: Any) -> Any:
    """A record of settings with those that have come up since: nobody could give them another value then."""
    return CascadeSettings().model_dump(mode="json") | cascade if isinstance(cascade, dict) else cascade
