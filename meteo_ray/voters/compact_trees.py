"""LightGBM's text without what only training asks for, its numbers as precise as they need to be.

What is left predicts as before, can be learnt on from, and is an eighth as large once compressed.
"""

import re

# Of each tree, what prediction does not look at. A model whose line `tree_sizes` is missing is parsed line by line.
LEFT_OUT = re.compile(
    r"^(?:split_gain|leaf_weight|leaf_count|internal_value|internal_weight|internal_count|tree_sizes)=.*\n",
    re.MULTILINE,
)
# Behind the trees: importances, and the parameters of the training.
BEHIND = re.compile(r"^end of trees\n.*?(?=^# question |\Z)", re.MULTILINE | re.DOTALL)
NUMBERS = re.compile(r"^(threshold|leaf_value)=(.*)$", re.MULTILINE)

# Significant digits: descriptors are float32, of seven; leaves are summed over hundreds of trees.
DIGITS = {"threshold": 7, "leaf_value": 4}


def compact(trees: str) -> str:
    """The text of trees.txt, cut."""
    shorter = BEHIND.sub("end of trees\n", LEFT_OUT.sub("", trees))
    return NUMBERS.sub(_rounded, shorter)


def _rounded(line: re.Match[str]) -> str:
    name, values = line.groups()
    return f"{name}=" + " ".join(f"{float(value):.{DIGITS[name]}g}" for value in values.split())
