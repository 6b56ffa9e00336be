"""The card of the starter models: what they have seen, what was measured, what not to expect of them."""

from collections.abc import Mapping
from typing import Any

from meteo_ray.starter.config import BuildStarterJob
from meteo_ray.versions import versions

CARD = """# Starter models

Built by `python jobs/build_starter.py --work DIR --charts {charts} --others {others} --seed {seed}` in {hours:.1f}
hours, with {versions}.

**What they have seen.** {charts} weather charts and {others} other pictures, all drawn by this project; not one real
image, and no pre-trained weights. They belong to nobody else and stand under the project's licence, Apache-2.0.

**Their drawings** are those of `make_demo_data.py --seed {seed}`, looks and counts of the command above: draw with
another seed what is to test them.

**What they are for.** A first look at an archive before anyone has labelled: `jobs/classify_archive.py` and
`jobs/evaluate.py` take them where no `--models` are given. Train your own on a few hundred labelled images as soon as
you can; the thresholds of the elements are those of drawings.

**What they get wrong.** Plots, plain maps and shaded terrain or land use pass for charts more often than anything else,
least where text is read (`--text.mode page`). Products are told by the names that stand on a chart and by its
elements, and are those of the package's vocabulary; others come out as none.

| model | MB | on drawings that it has not seen |
|---|---:|---|
{rows}

What they reached on 970 real images, and models of these recipes on sources that they had not seen: docs/results.md.
Weights are kept in int8 with a scale for each output, trees without what only training needs, words in half precision.
"""

SHOWN = {
    "gate": ("auc", "f1", "precision", "recall"),
    "elements": ("map", "micro_f1", "macro_f1"),
    "products": ("top1", "top5", "ece"),
}


def card(job: BuildStarterJob, metrics: Mapping[str, Any], megabytes: Mapping[str, float], seconds: float) -> str:
    """Markdown; `metrics` as jobs/evaluate.py writes them, `megabytes` by model."""
    rows = [f"| {name} | {size:.1f} | {_measured(metrics[name], SHOWN[name])} |" for name, size in megabytes.items()]
    ran = ", ".join(f"{name} {version}" for name, version in versions().items() if version)
    return CARD.format(
        charts=f"{job.charts:,}".replace(",", ""),
        others=f"{job.others:,}".replace(",", ""),
        seed=job.seed,
        hours=seconds / 3600,
        versions=ran,
        rows="\n".join(rows),
    )


def _measured(found: Mapping[str, Any], names: tuple[str, ...]) -> str:
    return ", ".join(f"{name} {found[name]:.3f}" for name in names if found.get(name) is not None)
