"""One archive run from start to end: checks, listing, cascade, summary, report and other outputs."""

import logging
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

from meteo_ray.archive import output, resume
from meteo_ray.archive.cascade.models import Models, bundled_models
from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.archive.inputs.manifest import Manifest
from meteo_ray.archive.inputs.source import LocalSource, RemoteSource, open_source
from meteo_ray.archive.judging import Work
from meteo_ray.archive.reading.reader import Reader
from meteo_ray.archive.results.extras import missing_extras, write_extras
from meteo_ray.archive.results.report import write_report
from meteo_ray.archive.results.summary import Totals, add_up, summary_document
from meteo_ray.archive.results.unlike import undecided_entries, warnings
from meteo_ray.errors import MeteoRayError, TooManyBadRows, UsageError
from meteo_ray.files import read_json, without_secrets, write_json
from meteo_ray.judging.starter import STARTER
from meteo_ray.versions import versions

logger = logging.getLogger("meteo_ray")

Summary = dict[str, Any]


def classify(config: ArchiveConfig, models: Models | None = None) -> Summary:
    """Judge every file of an archive once; what summary.json holds comes back.

    A run that is finished, with nothing new in its archive, is left as it is.

    Args:
        models: by default the bundles under `config.models`.

    Raises:
        UsageError: before Ray starts, when archive, models or output folder cannot be used.
        TooManyBadRows: after everything is written.
        MachineFault: when disk, mounts, memory or processes fail; what was committed is kept.
        MeteoRayError: when rows were lost or doubled (a defect, never passed over), or the report failed.
    """
    source = open_source(config.archive)
    _require_apart(config, source)
    models = models or bundled_models(config)
    with output.locked(config.out), output.explained_write_errors(config.out):
        resume.begin(config.out, resume.identity(config, models), config.resume, config.overwrite)
        work = Work(config, source, models.models)
        work.do()
        summary = _standing_summary(config.out)
        if summary is None:
            totals = add_up(config.out / output.PREDICTIONS)
            summary = _sum_up(config, models, work, totals)
            _complete(config, source, models, summary, totals)
        else:
            logger.info("nothing new in %s", without_secrets(config.archive))
            _complete(config, source, models, summary)
    for text in summary.get("warnings", ()):  # a run of before has none
        logger.warning("%s", text)
    _require_few_bad(config, summary)
    return summary


def _standing_summary(out: Path) -> Summary | None:
    """That of a finished run; one that cannot be read is made anew."""
    try:
        return read_json(out / output.SUMMARY)
    except UsageError:
        return None


def _sum_up(config: ArchiveConfig, models: Models, work: Work, totals: Totals) -> Summary:
    _require_complete(config, totals, work.manifest.rows())
    undecided = undecided_entries(totals, models.models)
    found = warnings(undecided)
    summary = summary_document(totals, config, versions(), models.versions, work.timing, undecided, found)
    # The report's pictures may fail in ways that the numbers cannot.
    write_json(config.out / output.SUMMARY, summary)
    return summary


def _complete(
    config: ArchiveConfig,
    source: LocalSource | RemoteSource,
    models: Models,
    summary: Summary,
    totals: Totals | None = None,
) -> None:
    """Write what people look at: all of it with `totals`, which rows have just been added to; else what is missing.

    Raises:
        MeteoRayError: when it cannot be written; rows and summary stand.
    """
    report, limits = config.out / output.REPORT, config.reading.limits()
    wanted = missing_extras(config, anew=totals is not None)
    try:
        if totals is not None or not report.exists():
            totals = totals or add_up(config.out / output.PREDICTIONS)
            manifest = Manifest(config.out / output.MANIFEST)
            write_report(report, totals, summary, manifest, partial(Reader, source, limits), models.vocabulary)
        write_extras(config, source, wanted)
    except MeteoRayError:
        raise
    except Exception as error:
        logger.exception("what comes after the summary failed")
        raise MeteoRayError(
            f"--out {config.out}: rows and summary are complete, but the rest could not be written: {error}; run again "
            f"with --resume"
        ) from error


def _require_apart(config: ArchiveConfig, source: LocalSource | RemoteSource) -> None:
    """Archive, models and output must not lie in one another: one would be read, or removed, as part of another.

    The package's own models, which nobody has named, may lie in an archive: in a home folder, for example.
    """
    places = {"--models": config.models, "--out": config.out}
    if isinstance(source, LocalSource):  # whatever the flag said: file:// is a folder too
        places["--archive"] = Path(source.root, source.only)
    local = {flag: place.resolve() for flag, place in places.items()}
    for inner, outer in permutations(local, 2):
        ours = (inner, outer) == ("--models", "--archive") and config.models == STARTER
        if local[inner].is_relative_to(local[outer]) and not ours:
            raise UsageError(
                f"{inner} {places[inner]}: lies inside {outer} {places[outer]}; give each a folder of its own"
            )


def _require_complete(config: ArchiveConfig, totals: Totals, listed: int) -> None:
    if totals.rows != listed or totals.distinct != listed:
        raise MeteoRayError(
            f"--out {config.out}: {listed} files were listed, but {totals.rows} rows stand there, "
            f"{totals.distinct} of them distinct; run again with --resume, which judges what is missing and removes "
            f"what stands twice, and report this"
        )


def _require_few_bad(config: ArchiveConfig, summary: Summary) -> None:
    rows, bad = summary["rows"], summary["status"]["rejected"] + summary["status"]["error"]
    if bad > config.max_bad * rows:
        raise TooManyBadRows(
            f"everything is written, but {bad} of {rows} files ({bad / rows:.1%}) could not be judged, where --max-bad "
            f"allows {config.max_bad:.1%}; {config.out / output.REPORT} lists them"
        )
