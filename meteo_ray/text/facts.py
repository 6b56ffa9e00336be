"""What a chart's text says of its time, its level and its centre; where it leaves doubt, the answer is None."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from meteo_ray.text.centres import centre_of
from meteo_ray.text.lines import TextLine, in_reading_order
from meteo_ray.text.moments import Moment, leads_in, moments_in, zones_in
from meteo_ray.text.normalise import normalised
from meteo_ray.text.title import title_of

Value = TypeVar("Value")

__all__ = ["centre_of", "level_of", "valid_time_of"]

VALID, BASE, OTHER, UNNAMED = "valid", "base", "other", ""

# The last of these words before a time says what it is. A time of issue or of drawing says nothing of the weather.
ROLES = {
    VALID: "valid(?:ity)?(?: time| at| for)?|vt|verif[a-z]*|有效时间|有效时刻|预报有效|实况时间|实况时刻|观测时间",
    BASE: "start time|init[a-z]*(?: time)?|base(?: time)?|reference time|based on|run|cycle|from|"
    "起报时间|起报时刻|起报|起始时间|初始时间|初始场|基时|分析时间",
    OTHER: "issued?(?: at| time)?|created|generated|plotted|produced|printed|updated?|until|to|through|ending|since|"
    "between|制作时间|发布时间|发布|制图|更新时间|更新|至|到",
}
# Chinese also says it after the time: "08时起报".
BASE_AFTER = re.compile(r"\s?起报")
RANGE = re.compile(r"\s*(?:-|~|to|until|through|至|到)\s*")
ROLE = re.compile("|".join(rf"(?P<{name}>(?<![a-z])(?:{words})(?![a-z]))" for name, words in ROLES.items()))

# Isobaric levels of models and charts, in hPa (WMO's standard levels and the steps of 25 between them).
PRESSURES = {*range(100, 1001, 25), 1, 2, 3, 5, 7, 10, 20, 30, 50, 70}
# Heights above the ground at which models and masts give air temperature and wind, in metres.
HEIGHTS = (2, 10, 80, 100)
# Isentropic surfaces of charts, in kelvins; other numbers of kelvins are temperatures.
ISENTROPES = range(270, 401, 5)

# Hours from UTC of an hour written with 时 and no zone beside it.
BEIJING = 8

PRESSURE = re.compile(r"(?<![\d.,:/])(?P<value>\d{1,4})(?:\.0+)?[\s-]?(?:hpa|mb|mbar|millibars?|百帕|毫巴)(?![a-z])")
LAYER = re.compile(r"\d\s?(?:hpa|mb)?\s?(?:-|to|/|~|minus)\s?\d{2,4}\s?(?:hpa|mb)(?![a-z])")
HEIGHT = re.compile(
    rf"(?<![\d.,:/+-])(?P<value>{'|'.join(map(str, HEIGHTS))})(?:\.0+)?[\s-]?(?:m|meters?|metres?|米)(?![a-z0-9/\-^])"
)
ISENTROPE = re.compile(r"(?<![\d.,:/-])(?P<value>\d{3})[\s-]?k(?![a-z])")
ISENTROPIC = re.compile(r"isentrop|theta|potential|(?<![a-z])pv|位涡|等熵|位温")
SURFACE = re.compile(r"(?<![a-z])(?:surface|sfc)(?![a-z])|(?<!海)地面|近地面")
SURFACE_BASED = re.compile(r"surface[\s_-]based|earth.?s surface|sea[\s_-]surface|land[\s_-]surface")


@dataclass(frozen=True, slots=True)
class _Told:
    """A time in UTC and what the chart calls it."""

    time: datetime
    role: str


def valid_time_of(lines: Sequence[TextLine]) -> datetime | None:
    """The time in UTC for which a chart is valid.

    In this order: the time that is called valid; base time and forecast hours; of two times as far apart as the
    forecast hours the later; the only time there is. Times without a zone are Beijing's when written with 时, and
    UTC where the chart calls them valid or base time, or names UTC elsewhere. Dates without an hour, times of issue,
    ranges, and several times that nothing tells apart give None.
    """
    texts = [normalised(line.text) for line in in_reading_order(lines)]
    zones = {zone for text in texts for zone in zones_in(text)}
    told = [one for position in range(len(texts)) for one in _told(texts, position, zones)]
    leads = {lead for text in texts for lead in leads_in(text)}
    leads |= {moment.lead for text in texts for moment in moments_in(text) if moment.lead is not None}
    return _decided({role: {one.time for one in told if one.role == role} for role in (VALID, BASE, UNNAMED)}, leads)


def level_of(lines: Sequence[TextLine]) -> str | None:
    """The level that a chart shows: "850 hPa", "2 m", "320 K", or "surface".

    The title's counts where it has one, else that of all lines. Several levels give None, and so does a layer
    ("500-1000 hPa"), for neither end of it is the chart's level. "surface" counts only in a title, and where no
    number stands. Pressure at sea level is a quantity and no level.
    """
    title = _levels(normalised(title_of(lines)))
    found = title or set().union(*(_levels(normalised(line.text)) for line in lines))
    if len(found) == 1:
        return found.pop()
    return "surface" if not found and _names_surface(normalised(title_of(lines))) else None


def _told(texts: Sequence[str], position: int, zones: set[int]) -> list[_Told]:
    """The times of one line, by its own words, or by the line before where that ends with a word such as "Valid:".

    `zones` are those that any line names.
    """
    text, before = texts[position], texts[position - 1] if position else ""
    moments = moments_in(text)
    found = []
    for moment, role in zip(moments, _roles(text, moments, before), strict=True):
        own_words = text[moment.start : moment.end]
        time = moment.utc(BEIJING if "时" in own_words and not zones_in(text) else _zone_meant(text, role, zones))
        if time is not None and (role or not moment.bare):
            found.append(_Told(time, role))
    return found


def _roles(text: str, moments: Sequence[Moment], before: str) -> list[str]:
    """What a line calls each of its times; the two ends of a range are not the time of a chart."""
    ends = [0, *(moment.end for moment in moments)]
    gaps = [text[end : moment.start] for end, moment in zip(ends, moments, strict=False)]
    roles = [moment.kind or _role(gap) for moment, gap in zip(moments, gaps, strict=True)]
    if roles:
        roles[0] = roles[0] or _announced(before)
    for position, moment in enumerate(moments):
        if BASE_AFTER.match(text, moment.end):
            roles[position] = BASE
        if position and RANGE.fullmatch(gaps[position]):
            roles[position - 1 : position + 1] = [OTHER, OTHER]
    return roles


def _role(words: str) -> str:
    roles = [match.lastgroup or UNNAMED for match in ROLE.finditer(words)]
    return roles[-1] if roles else UNNAMED


def _announced(line: str) -> str:
    """The role that a whole line announces: "Valid time:"."""
    match = ROLE.match(line.strip(" :=-"))
    return match.lastgroup or UNNAMED if match and match.end() == len(line.strip(" :=-")) else UNNAMED


def _zone_meant(text: str, role: str, zones: set[int]) -> int | None:
    """Hours from UTC of a time without a zone: its line's, the chart's, or UTC where it has a role."""
    for known in (zones_in(text), zones):
        if len(known) == 1:
            return next(iter(known))
    return 0 if role in (VALID, BASE) and not zones else None


def _decided(times: dict[str, set[datetime]], leads: set[int]) -> datetime | None:
    if times[VALID]:
        return _only(times[VALID])
    lead = timedelta(hours=next(iter(leads), 0))
    if times[BASE]:
        base = _only(times[BASE])
        if base is not None and len(leads) == 1:
            return base + lead
        later = times[UNNAMED] - times[BASE]
        return _only(later) if base is not None and not leads else None
    if len(times[UNNAMED]) == 2 and max(times[UNNAMED]) - min(times[UNNAMED]) == lead:
        return max(times[UNNAMED])
    only = _only(times[UNNAMED])
    return None if only is None or len(leads) > 1 else only + lead


def _only(values: set[Value]) -> Value | None:
    return next(iter(values)) if len(values) == 1 else None


def _levels(text: str) -> set[str]:
    if LAYER.search(text):
        return {"a layer's", "two ends"}
    found = {f"{int(match['value'])} hPa" for match in PRESSURE.finditer(text) if int(match["value"]) in PRESSURES}
    found |= {f"{match['value']} m" for match in HEIGHT.finditer(text)}
    if ISENTROPIC.search(text):
        found |= {f"{match['value']} K" for match in ISENTROPE.finditer(text) if int(match["value"]) in ISENTROPES}
    return found


def _names_surface(text: str) -> bool:
    return SURFACE.search(SURFACE_BASED.sub("", text)) is not None
