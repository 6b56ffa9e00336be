"""Every element's measures side by side, for people: the report's table and the CSV file beside it."""

from collections.abc import Mapping
from typing import Any

# Column -> the key of the metrics that holds it by element.
COLUMNS = {
    "support": "support",
    "called": "called",
    "ap": "ap",
    "precision": "precision",
    "recall": "recall",
    "f1": "f1",
    "threshold": "threshold",
    "threshold_with_text": "threshold_with_text",
    "ece": "element_ece",
}


def class_table(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A line for each element, the commonest first, so that those which no chart shows come last.

    Args:
        metrics: the stage's entry of the metrics file.

    Returns:
        element, support (charts that show it), called (charts for which it was named), ap with the interval's ends
        ap_low and ap_high, precision, recall, f1, threshold on the pixels, threshold_with_text where text is heard,
        ece; None where undefined.
    """
    names = sorted(metrics["support"], key=lambda name: -metrics["support"][name])
    return [_line(name, metrics) for name in names]


def _line(name: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    line: dict[str, Any] = {"element": name}
    for column, key in COLUMNS.items():
        if metrics[key] is not None:
            line[column] = metrics[key][name]
        if column == "ap":
            line["ap_low"], line["ap_high"] = metrics["ap_interval"][name] or (None, None)
    return line
