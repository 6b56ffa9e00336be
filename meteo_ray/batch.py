"""Rows on their way through CPU workers, models and actors; never on disk (the files' tables stand in schema.py)."""

from typing import Any

import numpy as np

Batch = dict[str, np.ndarray]
"""Column name -> array whose first axis is the row; object arrays carry strings, lists and None."""

UNREADABLE = "unreadable"
"""A column that says of a row that is not `ok` why: text, "" of others."""

ANSWERED = "answered_"
"""Before the name of a column that holds what a stage answered, in rows that hold the label too."""


def concatenate(parts: list[Batch]) -> Batch:
    """Batches of equal columns, joined along the rows."""
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def objects(rows: list[Any]) -> np.ndarray:
    """A column of lists, strings or None; numpy left alone would make a table of equally long lists."""
    column = np.empty(len(rows), dtype=object)
    column[:] = rows
    return column
