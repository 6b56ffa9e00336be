"""The evaluation for people: a few lines for the terminal, and one self-contained HTML page with plots and mistakes."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from meteo_ray.evaluation.config import END_TO_END
from meteo_ray.evaluation.pictures import Pixels, doubted_labels, mistakes, sheets
from meteo_ray.evaluation.run import Outcome, write_file
from meteo_ray.files import visible
from meteo_ray.stages import CASCADE


def headlines() -> dict[str, tuple[str, ...]]:
    """What each stage is known by, and all of them end to end: there the last stage's metrics come first."""
    stages = {name: judging.evaluation() for name, judging in CASCADE.items()}
    last_first = [metric for stage in reversed(stages.values()) for metric in stage.cascade_headline]
    return {**{name: stage.headline for name, stage in stages.items()}, END_TO_END: tuple(last_first)}


def summary(document: Mapping[str, Any]) -> str:
    """One line a stage: its main metrics, or why it was not evaluated."""
    lines = [f"{document['split']} split"]
    for stage, names in headlines().items():
        found = document.get(stage)
        if found is None:
            continue
        if "absent" in found:
            lines.append(f"  {stage}: not evaluated: {found['absent']}")
            continue
        lines.append(f"  {stage}: {_headline(found, names)}")
        if "as_they_are" in found:
            lines.append(f"    images as they are: {_headline(found['as_they_are'], names)}")
        if "baselines" in found:
            beside = [f"{name} {_headline(of, names)}" for name, of in found["baselines"].items()]
            lines.append(f"    for comparison: {'; '.join(beside)}")
        if "baseline" in found:
            lines.append(f"    boosting on descriptors, for comparison: {_headline(found['baseline'], names)}")
    return "\n".join(lines)


def _headline(found: Mapping[str, Any], names: Sequence[str]) -> str:
    return "  ".join(f"{name} {number(found[name])}" for name in names if found.get(name) is not None)


def write_report(path: Path, outcome: Outcome, pixels: Pixels) -> None:
    """Write the page whole or not at all; everything is inline, names are escaped, nothing is fetched.

    A stage with classes gets their table as a CSV file beside the page: `<stem>_<stage>.csv`.

    Raises:
        UsageError: when something cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("meteo_ray.evaluation", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters.update(visible=visible, number=number, percent=percent)
    scored = outcome.scored
    stages = {name: CASCADE[name].evaluation() for name in scored}
    classes = {name: stage.classes(scored[name]) for name, stage in stages.items()}
    tables = {name: path.with_name(f"{path.stem}_{name}.csv") for name, lines in classes.items() if lines}
    page = environment.get_template("report.html").render(
        document=outcome.document,
        headlines=headlines(),
        plots={name: stage.plots(scored[name]) for name, stage in stages.items()},
        sheets={name: sheets(name, scored[name], outcome.predictors[name], pixels) for name in scored},
        mistakes={name: mistakes(name, scored[name], pixels) for name in scored},
        doubted=doubted_labels(outcome, pixels),
        classes=classes,
        tables=tables,
    )
    write_file(path, page, "--report")
    for name, target in tables.items():
        write_file(target, as_csv(classes[name]), "--report")


def as_csv(lines: Sequence[Mapping[str, Any]]) -> str:
    """The lines of a table as CSV, under a line of their keys; what is undefined is an empty cell."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f} %"


def number(value: Any) -> str:
    """A metric for reading: whole numbers as they are, others with four digits, "–" where undefined."""
    if value is None:
        return "–"
    return f"{value:.4f}" if isinstance(value, float) else str(value)
