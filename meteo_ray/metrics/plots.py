"""Plots of an evaluation as inline PNGs; the numbers they show come from `metrics` and `robustness`."""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import precision_recall_curve, roc_curve

from meteo_ray.data_uri import picture_uri
from meteo_ray.metrics.calibration_error import reliability
from meteo_ray.metrics.error_pairs import errors, together

INK, ACCENT, SOFT = "#1c2733", "#3f7cac", "#9fb4c7"

# Inches at 110 dots each: 460 x 400 pixels, two beside each other on a page of 960.
SIZE = (4.2, 3.6)
DOTS_PER_INCH = 110

# A matrix of more names cannot be read; those that err most are shown.
MOST_NAMES = 20


def roc(targets: ArrayLike, scores: ArrayLike, threshold: float) -> str:
    """True against false positive rate, with the threshold in force marked; a `data:` URI."""
    false_positive, true_positive, _ = roc_curve(targets, scores, drop_intermediate=False)
    figure, axes = new_axes("ROC", "false positive rate", "true positive rate")
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle="--")
    axes.plot(false_positive, true_positive, color=ACCENT)
    truth, called = np.asarray(targets, dtype=bool), np.asarray(scores, dtype=np.float64) >= threshold
    axes.plot(called[~truth].mean(), called[truth].mean(), "o", color=INK, label=f"threshold {threshold:.3f}")
    axes.legend(frameon=False, loc="lower right")
    return _uri(figure)


def precision_recall(targets: ArrayLike, scores: ArrayLike) -> str:
    """Precision against recall; a `data:` URI."""
    precision, recall, _ = precision_recall_curve(targets, scores)
    figure, axes = new_axes("Precision and recall", "recall", "precision")
    axes.step(recall, precision, where="post", color=ACCENT)
    axes.set_ylim(0, 1.03)
    return _uri(figure)


def reliability_diagram(correct: ArrayLike, confidence: ArrayLike) -> str:
    """Share correct against mean confidence, dots as large as their bins; a `data:` URI."""
    rows, accuracy, mean = reliability(correct, confidence)
    filled = rows > 0
    figure, axes = new_axes("Reliability", "mean confidence", "share correct")
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle="--")
    axes.plot(mean[filled], accuracy[filled], color=ACCENT, linewidth=1)
    axes.scatter(mean[filled], accuracy[filled], s=10 + 190 * rows[filled] / rows.max(), color=ACCENT)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(-0.03, 1.03)
    return _uri(figure)


def average_precision_bars(ap: Mapping[str, float | None], support: Mapping[str, int]) -> str:
    """One bar for every label that occurs, best first, with its support; a `data:` URI."""
    known = sorted(((value, name) for name, value in ap.items() if value is not None), reverse=True)
    figure = Figure(figsize=(2 * SIZE[0], 0.6 + 0.22 * max(len(known), 1)), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    axes.barh([f"{name} ({support[name]})" for _, name in known], [value for value, _ in known], color=ACCENT)
    axes.invert_yaxis()
    axes.set_xlim(0, 1)
    axes.set_title("Average precision (rows that show it)", fontsize=10, color=INK)
    axes.tick_params(labelsize=8)
    return _uri(figure)


def confusion(targets: Sequence[str], answers: Sequence[str]) -> str:
    """Answers against right products as shares of each line, for the products that err most; a `data:` URI."""
    names = _most_confused(targets, answers)
    position = {name: number for number, name in enumerate(names)}
    counts = np.zeros((len(names), len(names)))
    for target, answer in zip(targets, answers, strict=True):
        if target in position and answer in position:
            counts[position[target], position[answer]] += 1
    return _matrix(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), names, "right", "answered")


def error_matrix(targets: NDArray[np.bool_], called: NDArray[np.bool_], names: Sequence[str]) -> str:
    """Of the rows that miss a label, the share that names another one wrongly, for those that err most; a `data:` URI.

    How many rows these are stands in the cells.

    Args:
        targets: what is right, bool `(n, labels)`.
        called: what was answered, likewise.
        names: one per label.
    """
    missed, named = errors(targets, called)
    wrong = (missed | named).sum(axis=0)
    shown = sorted(np.argsort(-wrong, kind="stable")[: min(MOST_NAMES, int((wrong > 0).sum()))])
    counts = together(missed, named)[np.ix_(shown, shown)]
    shares = counts / np.maximum(missed.sum(axis=0)[shown], 1)[:, None]
    return _matrix(shares, [names[label] for label in shown], "missed", "named wrongly beside it", counts)


def _matrix(
    shares: NDArray[np.float64],
    names: Sequence[str],
    lines: str,
    columns: str,
    counts: NDArray[np.int64] | None = None,
) -> str:
    side = 2.5 + 0.28 * len(names)
    figure = Figure(figsize=(side, side), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
    axes.set_yticks(range(len(names)), names, fontsize=7)
    axes.set_xlabel(columns)
    axes.set_ylabel(lines)
    for (line, column), count in np.ndenumerate(np.zeros((0, 0)) if counts is None else counts):
        if count:
            ink = "white" if shares[line, column] > 0.5 else INK
            axes.text(column, line, str(count), ha="center", va="center", fontsize=7, color=ink)
    return _uri(figure)


def robustness(table: Sequence[Mapping[str, Any]]) -> str:
    """AUC and F1 under every degradation; a `data:` URI."""
    figure = Figure(figsize=(2 * SIZE[0], SIZE[1]), dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    names = [str(entry["name"]) for entry in table]
    for metric, colour in (("auc", INK), ("f1", ACCENT)):
        values = [np.nan if entry[metric] is None else entry[metric] for entry in table]
        axes.plot(names, values, "o-", color=colour, label=metric.upper())
    axes.set_ylim(0, 1.03)
    axes.tick_params(axis="x", rotation=60, labelsize=8)
    axes.legend(frameon=False, loc="lower left")
    axes.set_title("Gate on degraded images", fontsize=10, color=INK)
    return _uri(figure)


def cost_and_quality(curve: Sequence[Mapping[str, float]]) -> str:
    """Share of right answers against the share of charts that are put to the costly model; a `data:` URI.

    `curve` holds `asked` and `top1` of each point.
    """
    figure, axes = new_axes("Cost and quality", "share put to the language model", "top-1")
    asked, top1 = ([point[name] for point in curve] for name in ("asked", "top1"))
    axes.plot(asked, top1, color=ACCENT, marker="o", markersize=3)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(max(0.0, min(top1) - 0.05), 1.01)
    return _uri(figure)


def _most_confused(targets: Sequence[str], answers: Sequence[str]) -> list[str]:
    """At most MOST_NAMES of the products that occur, those with the most wrong answers, by name."""
    names = sorted(set(targets) | set(answers))
    wrong = dict.fromkeys(names, 0)
    for target, answer in zip(targets, answers, strict=True):
        wrong[target] += target != answer
        wrong[answer] += target != answer
    return sorted(sorted(names, key=lambda name: -wrong[name])[:MOST_NAMES])


def new_axes(title: str, x: str, y: str, size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    """A figure of `size` inches in the style of all plots, with its only axes."""
    figure = Figure(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=10, color=INK)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(color=SOFT, alpha=0.3)
    return figure, axes


def png(figure: Figure) -> bytes:
    """The figure as the bytes of a PNG."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _uri(figure: Figure) -> str:
    return picture_uri(png(figure))
