"""Whether an archive is unlike what its models know: they are undecided on more of it than in their validation."""

from collections.abc import Mapping, Sequence
from typing import Any

from meteo_ray.archive.cascade.models import Model
from meteo_ray.archive.results.summary import Totals
from meteo_ray.calibration.undecided import BETWEEN, is_unlike, undecided_share


def undecided_entries(totals: Totals, models: Sequence[Model]) -> dict[str, dict[str, Any]]:
    """What summary.json says, by stage; nothing of a model whose validation has not told."""
    entries = {}
    for model in models:
        if model.undecided is None or model.judging.passes_by is None:
            continue
        undecided, images = totals.undecided[model.judging.passes_by], totals.scored[model.judging.passes_by]
        share = undecided_share(undecided, images)
        entries[model.name] = {
            "images": images,
            "share": share,
            "in_validation": model.undecided,
            "unlike": is_unlike(share, model.undecided),
        }
    return entries


def warnings(entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """A text for each model to which the archive looks strange, with what to do."""
    return [
        f"this archive is unlike what the {stage} has learnt from: it is undecided (a score from {BETWEEN[0]} to "
        f"{BETWEEN[1]}) on {entry['share']:.0%} of the images, in its validation on {entry['in_validation']:.0%}. "
        "Trust its answers less than their scores say; label some of these images, those that it is least sure of "
        f"first, and train the {stage} on them (--{stage}.init; docs/first_weights.md)"
        for stage, entry in entries.items()
        if entry["unlike"]
    ]
