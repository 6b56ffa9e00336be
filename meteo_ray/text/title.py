"""Which of a chart's lines are its title: by place, size and wording."""

import re
import statistics
from collections.abc import Sequence

from meteo_ray.text.lines import TextLine, in_reading_order

# Below this the engine has mostly read symbols and coastlines as letters.
READABLE = 0.6

# A title says something: this many letters, or half as many Chinese characters, each worth about two letters.
LEAST_LETTERS = 4
CHINESE_LETTERS = 2
# Most of a title is words, its date apart; ticks and legends are mostly digits.
LEAST_SHARE = 0.4
DATE = re.compile(r"\d[\d:./-]{3,}")
# From here on more letters make it no more of a title.
LONG = 30

# In units of a line that is as high as the chart's median line, which counts 1.
TALLEST = 3.0
TOP, TOP_WORTH = 0.15, 2.0
UPPER, UPPER_WORTH = 0.25, 1.0
BOTTOM, BOTTOM_WORTH = 0.9, 1.0
LENGTH_WORTH = 2.0
# What ends with a unit names an axis or a colour bar, unless it stands where titles do.
LABEL, LABEL_WORTH = re.compile(r"[(\[][^()\[\]]{1,12}[)\]]\W*$"), -1.0
# A line of median height needs both a place and a length beside it to be one.
LEAST_WORTH = 2.8

# Lines of one title stand one below the other, less than a line apart, and are about as high as each other.
GAP = 0.9
HEIGHT_RATIO = 1.7
MOST_LINES = 4
# The name of a variable alone, as plotting libraries write it over a figure: "pvo".
SHORT = re.compile(r"[A-Za-z]\w{1,4}$")
SHORT_SCORE = 0.9

CHINESE = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
# What stands beside a chart without being about it.
AXIS_WORDS = (
    "time|date|latitude|longitude|lat|lon|east|west|north|south|height|altitude|distance|pressure|legend|units?|levels?|"
    "hours?|days?|count|frequency|utc|hpa|degrees?|or|and|of|from|in|"
    "时间|日期|经度|纬度|高度|距离|单位|图例|时效|预报时效"
)
# Possessive: what follows a word or a bracket is taken once and for all, or brackets in a row could be divided up in
# exponentially many ways.
AXIS = re.compile(rf"^(?:(?:{AXIS_WORDS}|[(\[][^()\[\]]*+[)\]])[\W_]*+)++$", re.IGNORECASE)
TIMES = re.compile(
    r"^\W*(?:valid|vt|init|initial|initiali[sz]ed|base|run|forecast|analysis|issued|created|produced|plotted|generated)"
    r"\b[\s\w]{0,12}[:：]|^\W*(?:valid|vt)\b|^\W*[\w ]{0,12}[t1li][i1l]me\s?[:：]",
    re.IGNORECASE,
)
CREDITS = re.compile(
    r"©|^\(c\)|copyright|https?:|www\.|all rights|licen[cs]e|^\W*(?:source|credit|magics)\b|european cent(?:re|er)"
    # The stamp of the computer that drew it: "host - Wed Mar 9 19:06:47 2022".
    r"|(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\s+\d{1,2}\s+\d\d[\d:. -]*\w{0,3}\s\s?\d{0,2}\s?20\d\d$",
    re.IGNORECASE,
)
# "RH = 80 %", "time = ...", and what stands for a number elsewhere: "[1]=run.nc".
VALUES = re.compile(r"[^\W\d]\s*[:=]\s*[-+]?\d+(?:\.\d+)?(?:\s*[\w/%°]+)?$|^time\s*=|^\[\d+\]\s*=", re.IGNORECASE)
# "04:52 UTC Feb 11, 2025"
MOMENT = re.compile(
    r"^[\W\d]*(?:(?:utc|gmt|z|jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)"
    r"[\W\d]*)+$",
    re.IGNORECASE,
)
# A number with a compass letter, a month or a unit: ticks and legends.
TICK = re.compile(r"^[\W\d_]*(?:(?:°|º)?\s*[NSEWO]|[A-Z][a-z]{2}|[a-zμ°/%]{1,4}|h?Pa)?[\W\d_]*$")


def title_of(lines: Sequence[TextLine]) -> str:
    """The chart's title, its lines joined by a space; "" where nothing reads like one.

    A title is mostly at the top, larger than the rest, and has more words than ticks and legends. Of a chart of
    several panels with a title each, the likeliest is taken.
    """
    usual = statistics.median([line.height for line in lines if not line.is_rotated] or [1.0]) or 1.0
    candidates = [line for line in in_reading_order(lines) if _may_be_title(line)]
    best = max(candidates, key=lambda line: _worth(line, usual), default=None)
    if best is None or _worth(best, usual) < LEAST_WORTH:
        return _short_title(lines)
    found = in_reading_order(_with_neighbours(best, candidates))
    return " ".join(dict.fromkeys(line.text.strip() for line in found))


def letters(text: str) -> int:
    """How many letters a text has; a Chinese character counts as CHINESE_LETTERS."""
    chinese = len(CHINESE.findall(text))
    return sum(character.isalpha() for character in text) + (CHINESE_LETTERS - 1) * chinese


def _may_be_title(line: TextLine) -> bool:
    text = line.text.strip()
    if line.is_rotated or line.score < READABLE or letters(text) < LEAST_LETTERS:
        return False
    if any(kind.search(text) for kind in (AXIS, TIMES, CREDITS, VALUES, MOMENT, TICK)):
        return False
    spoken = sum(character.isalpha() for character in text)
    return spoken >= LEAST_SHARE * len(re.sub(r"\s", "", DATE.sub("", text)))


def _short_title(lines: Sequence[TextLine]) -> str:
    """The short name that stands alone above everything else, in the middle; else ""."""
    first = min(lines, key=lambda line: line.top, default=None)
    if first is None or first.middle[1] > TOP or not 0.25 < first.middle[0] < 0.75 or first.score < SHORT_SCORE:
        return ""
    return first.text.strip() if SHORT.match(first.text.strip()) else ""


def _worth(line: TextLine, usual: float) -> float:
    """How much a line is like a title: its size, where it stands, how much it says."""
    middle = line.middle[1]
    place = TOP_WORTH if middle < TOP else UPPER_WORTH if middle < UPPER else BOTTOM_WORTH if middle > BOTTOM else 0.0
    length = LENGTH_WORTH * min(letters(line.text), LONG) / LONG
    label = LABEL_WORTH if middle > UPPER and LABEL.search(line.text) else 0.0
    return min(line.height / usual, TALLEST) + place + length + label


def _with_neighbours(title: TextLine, candidates: Sequence[TextLine]) -> list[TextLine]:
    """The line and those that go on with it above or below, nearest first, at most MOST_LINES."""
    found = [title]
    for line in sorted(candidates, key=lambda line: abs(line.middle[1] - title.middle[1])):
        if len(found) < MOST_LINES and line not in found and any(_goes_on(line, other) for other in found):
            found.append(line)
    return found


def _goes_on(line: TextLine, other: TextLine) -> bool:
    """Whether two lines belong together: one right below the other, or beside each other at the top.

    What names a colour bar stands beside many a title and is no part of it.
    """
    upper, lower = sorted((line, other), key=lambda one: one.middle[1])
    high, low = max(line.height, other.height), max(min(line.height, other.height), 1e-6)
    overlapping = min(line.right, other.right) > max(line.left, other.left)
    below = overlapping and -0.5 * high <= lower.top - upper.bottom <= GAP * high
    beside = not overlapping and lower.top < upper.bottom and upper.bottom < TOP and not LABEL.search(line.text)
    return (below or beside) and high / low <= HEIGHT_RATIO
