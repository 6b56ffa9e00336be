"""The page's plots, as SVG of some kilobytes each."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

# Letters stay letters: small files, whose text can be found and read aloud. No date: the same figures, the same file.
plt.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "benchmarks", "font.size": 9})


def ratios_plot(page: Path, group: str, found: dict[str, Any], names: dict[str, str]) -> str:
    """How many times as long the others take, with intervals; the file's name."""
    kinds = list(found)
    labels = [label for label in names if label in found[kinds[0]]["ratios"]]
    figure, axes = plt.subplots(figsize=(8, 0.8 + 0.42 * len(labels) * max(1, len(kinds)) / 2))
    height = 0.8 / len(kinds)
    for number, kind in enumerate(kinds):
        ratios = [found[kind]["ratios"][label] for label in labels]
        middle = np.array([ratio["median"] for ratio in ratios])
        edges = np.array([[ratio["median"] - ratio["low"], ratio["high"] - ratio["median"]] for ratio in ratios]).T
        places = np.arange(len(labels)) + (number - (len(kinds) - 1) / 2) * height
        axes.barh(places, middle, height, xerr=np.maximum(edges, 0), label=kind.replace("+", " and "))
    axes.set_yticks(range(len(labels)), [names[label] for label in labels])
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xlabel("times as long as meteo_ray for one more image")
    axes.legend(loc="upper left", bbox_to_anchor=(1, 1), frameon=False)  # outside: it would hide an interval
    return _saved(figure, page, group)


def growth_plot(page: Path, images: dict[str, Any]) -> str:
    """Seconds and peak memory over the number of images; the file's name."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
    counts = np.array(images["counts"])
    left.plot(counts, images["seconds"], "o")
    left.plot(counts, images["fixed_s"] + images["each_ms"] / 1e3 * counts, color="grey", linewidth=1)
    left.set_ylabel("seconds")
    right.plot(counts, images["peak_mb"], "o-")
    right.set_ylabel("peak memory of all processes, MB")
    right.set_ylim(bottom=0)
    for axes in (left, right):
        axes.set_xlabel("images")
    return _saved(figure, page, "growth")


def _saved(figure: Figure, page: Path, name: str) -> str:
    file = page.with_name(f"{page.stem}_{name}.svg")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
    return file.name
