"""One spelling for what charts write in many: width, case, Chinese script, dashes, units, and OCR's usual slips.

Only forms that cannot be meant are mended: a letter O inside a number of hectopascals, "PM2. 5", "(mls)". A word that
could be right stays as it is, for every later step can still tolerate a slip, and none can undo a wrong correction.
"""

import re
import unicodedata
from functools import cache

import opencc

# What a chart may hold in one line; longer text is cut, so that no input costs more than milliseconds.
MOST_CHARACTERS = 20_000

# Some characters change when folded a second time (a compatibility letter that turns into one with case); none that
# Unicode has needs more than three rounds.
ROUNDS = 4

DASHES = re.compile("[\u2010-\u2015\u2212\u2043\u00ad\ufe58\u30fb\uff70]")
UNSEEN = re.compile("[\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\ud800-\udfff]|[\x00-\x08\x0e-\x1b]")

# Read as a digit, where a pressure level stands.
DIGITS = str.maketrans("oil|", "0111")
PRESSURE_LEVEL = re.compile(r"(?<![a-z0-9|.])(?=[oil|]*\d)([\doil|]{2,4})(?=\s?hpa(?![a-z]))")

# After a number or in brackets, where only a unit can stand.
UNITS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), unit)
    for pattern, unit in (
        (r"(?<![a-z])m\s?s\s?\^?-\s?1(?![\d.])", "m/s"),
        (r"([(\[]\s?)m[li1|]s(?=\s?[)\]])", r"\1m/s"),
        (r"(\d\s?)mls(?![a-z0-9])", r"\1m/s"),
        (r"°\s?([cf])(?![a-z])", r"°\1"),
        (r"([(\[]\s?)[o0]([cf])(?=\s?[)\]])", r"\1°\2"),
        (r"(?<![a-z])deg(?:ree)?s?[\s_.]?c(?:elsius)?(?![a-z])", "°c"),
        (r"(?<![a-z])pm\s?2\s?[.,·]?\s?5(?![\d.])", "pm2.5"),
        (r"(?<![a-z])[uμ]g\s?/\s?m\s?\^?3(?!\d)", "μg/m3"),
        (r"(?<![a-z])[uμ]g\s?m\s?\^?-\s?3(?!\d)", "μg/m3"),
        (r"(?<![a-z])d8z(?![a-z0-9])", "dbz"),
        (r"(?<![a-z])j\s?/\s?kg(?![a-z])", "j/kg"),
        (r"(?<![a-z])j\s?kg\s?\^?-\s?1(?!\d)", "j/kg"),
    )
)


def normalised(text: str) -> str:
    """The spelling that text of charts is searched and compared in; normalising it again changes nothing.

    Full width becomes half width, capitals small, traditional Chinese simplified; white space is one space, each dash
    a hyphen, units and levels have one form ("850hpa", "m/s", "°c", "pm2.5"). It never raises.
    """
    found = text[:MOST_CHARACTERS]
    for _ in range(ROUNDS):
        before, found = found, _mended(_folded(found))[:MOST_CHARACTERS].rstrip()
        if found == before:
            break
    return found


def _folded(text: str) -> str:
    """Width, case, script and white space. Lone surrogates and control characters go: OpenCC takes neither."""
    small = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    plain = DASHES.sub("-", UNSEEN.sub(" ", small))
    return " ".join(_simplifier().convert(plain).split())


def _mended(text: str) -> str:
    found = PRESSURE_LEVEL.sub(lambda match: match[1].translate(DIGITS), text)
    for pattern, unit in UNITS:
        found = pattern.sub(unit, found)
    return found


@cache
def _simplifier() -> opencc.OpenCC:
    """Characters only (t2s): the configurations for Taiwan and Hong Kong would also change words."""
    return opencc.OpenCC("t2s")
