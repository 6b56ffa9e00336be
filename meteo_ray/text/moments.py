"""Dates with their hour, as charts write them, and forecast hours: strict forms only, nothing is guessed.

dateutil and dateparser read almost anything as a date ("850 hPa" is a year to them) and fill in what is not there,
so the forms that weather services use are spelt out here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")

# Hours from UTC. Left out are names that mean several zones (CST, IST, BST) and LST and LT, which mean anyone's.
ZONES = {
    **dict.fromkeys(("utc", "gmt", "z", "世界时", "国际时"), 0),
    **dict.fromkeys(("北京时间", "北京时", "bjt"), 8),
    **{"jst": 9, "kst": 9, "cet": 1, "cest": 2},
    **{"est": -5, "edt": -4, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7},
}
UNNAMED_ZONES = ("cst", "ist", "bst", "lst", "local time", "local", "lt")
CHINESE_MONTHS = ("一", "二", "三", "四", "五", "六", "七", "八", "九", "十", "十一", "十二")

YEAR = r"(?:19|20)\d\d"
MONTH_NAME = rf"(?P<name>{'|'.join(MONTHS)})[a-z]{{0,6}}"
SECONDS = r"(?::\d\d(?:\.\d+)?)?"
ZONE = rf"(?:{'|'.join(sorted((*ZONES, *UNNAMED_ZONES), key=len, reverse=True))})(?![a-z])"
# "Est" and "cet" are words of other languages, and Z is a quantity, unless they follow an hour.
NAMED_ZONE = re.compile(r"(?<![a-z])(utc|gmt|bjt|世界时|国际时|北京时间?)(?![a-z])")
ZONE_AFTER_NUMBER = re.compile(rf"\d\s?(?:[ap]m\s?)?\(?({ZONE})")

# The year ends, or the hour begins without a space.
END = r"(?=\d\d?:\d\d|\D|$)"

DATES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<!\d)(?P<year>{YEAR})\s?年\s?(?P<month>\d\d?)\s?月\s?(?P<day>\d\d?)\s?日",
        rf"(?<!\d)(?P<year>{YEAR})(?P<sign>[-/.])(?P<month>\d\d?)(?P=sign)(?P<day>\d\d(?=\d\d:)|\d\d?(?!\d))",
        rf"(?<!\d)(?P<day>\d\d?)(?:st|nd|rd|th)?[\s,./-]*{MONTH_NAME}[\s,./-]*(?P<year>{YEAR}){END}",
        rf"(?<![a-z]){MONTH_NAME}[\s./-]*(?P<day>\d\d?)(?:st|nd|rd|th)?[\s,./-]+(?P<year>{YEAR}){END}",
        rf"(?<!\d)(?P<year>{YEAR})[\s,-]*{MONTH_NAME}[\s,-]*(?P<day>\d\d?)(?!\d)",
        rf"(?P<numeral>十[一二]?|[一二三四五六七八九])月\s?(?P<day>\d\d?)[\s,]+(?P<year>{YEAR}){END}",
        # Germany's order is the only one with full stops and the year last.
        rf"(?<!\d)(?P<day>\d\d?)\.(?P<month>\d\d?)\.(?P<year>{YEAR}){END}",
        rf"(?<!\d)(?P<year>{YEAR})(?P<month>\d\d)(?P<day>\d\d)(?!\d)",
    )
)
TIMES = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<![\d:])(?P<hour>\d\d?):(?P<minute>\d\d){SECONDS}\s?(?:(?P<half>[ap])m(?![a-z])\s?)?(?P<zone>\(?{ZONE})?(?![\d:])",
        rf"(?<![\d:])(?P<hour>\d\d)(?P<minute>\d\d)\s?(?P<zone>\(?{ZONE})",
        rf"(?<![\d:])(?P<hour>\d\d?)\s?(?P<zone>\(?{ZONE})",
        rf"(?<![\d:])(?P<hour>\d\d?)\s?[时点](?:\s?(?P<minute>\d\d?)\s?分)?\s?(?P<zone>\(?{ZONE})?",
        r"(?<![\d:])(?P<hour>\d\d)(?P<bare>)(?![\d:.])(?!\s?[a-z%°时点])",
    )
)
# A date and its hour without a space between them.
RUNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?<!\d)(?P<year>{YEAR})(?P<month>\d\d)(?P<day>\d\d)[_t\s]?(?P<hour>\d\d)(?P<minute>\d\d)?(?:\d\d)?"
        rf"\s?(?P<zone>{ZONE})?(?![\d:])",
        # GEMPAK's: 210503/1200V024 is valid at, 210503/1200F024 a forecast from.
        r"(?<!\d)(?P<short>\d\d)(?P<month>\d\d)(?P<day>\d\d)/(?P<hour>\d\d)(?P<minute>\d\d)(?P<kind>[vf])(?P<lead>\d{3})",
    )
)
# After words that announce a time, and only there, eight digits may be year, month, day and hour.
SHORT_RUN = re.compile(
    r"(?:valid|init\w*|base)[\s_]?(?:time)?\s?[:=]\s?(?P<short>\d\d)(?P<month>\d\d)(?P<day>\d\d)(?P<hour>\d\d)(?!\d)"
)
# What may stand between a date and its hour.
BETWEEN = re.compile(
    r"[\s,;|_@()\[\]-]*(?:t|at|on|of|the|um|(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*|星期.|周.|北京时间?)?[\s,;|_@()\[\].-]*"
)

LEADS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?<![a-z])t\s?\+\s?(?P<lead>\d{1,3})(?!\d)",
        r"(?<![\w.+])f(?:xx|hr|h)?\s?[:=]?\s?(?P<lead>\d{2,3})(?:\s?(?:h|hrs?|hours?))?(?!\w)",
        r"(?<![\w.])\+\s?(?P<lead>\d{1,3})\s?(?:h|hrs?|hours?)(?![a-z])",
        r"(?<![a-z])(?:forecast|fcst|lead|step)\s?(?:time|hour|step)?\s?[:=]\s?\+?(?P<lead>\d{1,3})(?!\d)",
        r"(?<!\d)(?P<lead>\d{1,3})\s?-?\s?(?:h|hrs?|hours?)\s?(?:fcst|forecast)(?![a-z])",
        # "3月1日08时24小时温度预报": a forecast for 24 hours from that time, or over them, which ends then.
        r"时\s?(?P<lead>\d{1,3})\s?小时[\u3400-\u9fff\s]{0,8}预报",
        r"(?<!\d)(?P<lead>\d{1,3})\s?(?:h|小时)\s?(?:预报)?时效",
        r"(?:预报)?时效\s?[:=]?\s?(?P<lead>\d{1,3})(?!\d)",
    )
)


@dataclass(frozen=True, slots=True)
class Moment:
    """A date with its hour in a text.

    Attributes:
        clock: what is written, without a zone.
        zone: hours from UTC; None where none is written.
        start: where it begins in the text.
        end: where it ends.
        kind: "valid" or "base" where its own form says so, else "".
        lead: forecast hours that its own form holds.
        bare: whether its hour is a number alone, "7 July 2025 12", which only a word such as "valid" makes an hour.
    """

    clock: datetime
    zone: int | None
    start: int
    end: int
    kind: str = ""
    lead: int | None = None
    bare: bool = False

    def utc(self, zone: int | None) -> datetime | None:
        """In UTC; `zone` stands in where none is written, and without either there is no answer."""
        offset = zone if self.zone is None else self.zone
        if offset is None:
            return None
        return self.clock.replace(tzinfo=timezone(timedelta(hours=offset))).astimezone(UTC)


def moments_in(text: str) -> list[Moment]:
    """Every date with its hour in a normalised text, in its order; times in zones that are not known are left out."""
    found = list(_runs(text))
    rest = text
    for moment in found:
        rest = rest[: moment.start] + "\0" * (moment.end - moment.start) + rest[moment.end :]
    dates = _without_overlaps(match for pattern in DATES for match in pattern.finditer(rest))
    for date in dates:
        rest = rest[: date.start()] + "\0" * len(date[0]) + rest[date.end() :]
    times = _without_overlaps(match for pattern in TIMES for match in pattern.finditer(rest))
    found += filter(None, (_with_its_time(text, date, times) for date in dates))
    return sorted(found, key=lambda moment: moment.start)


def leads_in(text: str) -> set[int]:
    """The forecast hours that a normalised text names."""
    return {int(match["lead"]) for pattern in LEADS for match in pattern.finditer(text)}


def zones_in(text: str) -> set[int]:
    """The zones that a normalised text names, in hours from UTC: short names after a number, others anywhere."""
    return {ZONES[name] for name in (*NAMED_ZONE.findall(text), *ZONE_AFTER_NUMBER.findall(text)) if name in ZONES}


def _runs(text: str) -> Iterator[Moment]:
    for pattern in (*RUNS, SHORT_RUN):
        for match in pattern.finditer(text):
            parts = match.groupdict()
            start = match.start("short" if parts.get("short") else "year")
            clock = _clock(parts, parts)
            if clock is None or _zone_unknown(parts):
                continue
            if parts.get("kind"):
                kind = "valid" if parts["kind"] == "v" else "base"
                yield Moment(clock, 0, start, match.end(), kind, int(parts["lead"]))
            else:
                yield Moment(clock, _zone(parts), start, match.end())


def _with_its_time(text: str, date: re.Match[str], times: list[re.Match[str]]) -> Moment | None:
    """The date with the hour right after it, or else right before it."""
    after = [time for time in times if time.start() >= date.end() and _adjoin(text[date.end() : time.start()])]
    before = [time for time in times if time.end() <= date.start() and _adjoin(text[time.end() : date.start()])]
    time = after[0] if after else before[-1] if before else None
    if time is None or _zone_unknown(time.groupdict()):
        return None
    clock = _clock(date.groupdict(), time.groupdict())
    if clock is None:
        return None
    bare = time.groupdict().get("bare") is not None
    zone, start, end = _zone(time.groupdict()), min(date.start(), time.start()), max(date.end(), time.end())
    return Moment(clock, zone, start, end, bare=bare)


def _adjoin(between: str) -> bool:
    return BETWEEN.fullmatch(between) is not None


def _clock(date: dict[str, str | None], time: dict[str, str | None]) -> datetime | None:
    """None where the numbers are no date or hour; 24 o'clock is the next day's first hour."""
    year = int(date["year"] or 0) if date.get("year") else 2000 + int(date["short"] or 0)
    hour, minute = int(time["hour"] or 0), int(time.get("minute") or 0)
    if time.get("half"):
        hour = hour % 12 + (12 if time["half"] == "p" else 0) if hour <= 12 else -1
    try:
        day = datetime(year, _month(date), int(date["day"] or 0))
        return day + timedelta(days=1) if (hour, minute) == (24, 0) else day.replace(hour=hour, minute=minute)
    except (ValueError, OverflowError):
        return None


def _month(date: dict[str, str | None]) -> int:
    if name := date.get("name"):
        return MONTHS.index(name) + 1
    if numeral := date.get("numeral"):
        return CHINESE_MONTHS.index(numeral) + 1
    return int(date["month"] or 0)


def _zone(time: dict[str, str | None]) -> int | None:
    return ZONES.get((time.get("zone") or "").lstrip("("))


def _zone_unknown(time: dict[str, str | None]) -> bool:
    """A zone that names several, or a clock of twelve hours without one, which is somebody's local time."""
    zone = (time.get("zone") or "").lstrip("(")
    return zone in UNNAMED_ZONES or (bool(time.get("half")) and not zone)


def _without_overlaps(matches: Iterator[re.Match[str]]) -> list[re.Match[str]]:
    """Of matches that overlap the first given stays; in the order of the text."""
    kept: list[re.Match[str]] = []
    for match in matches:
        if all(match.end() <= other.start() or match.start() >= other.end() for other in kept):
            kept.append(match)
    return sorted(kept, key=lambda match: match.start())
