"""The weather services and centres that charts name, in all the spellings they use."""

import re
from collections.abc import Sequence
from functools import cache

from meteo_ray.text.lines import TextLine
from meteo_ray.text.normalise import normalised

# Codes of GRIB files and the names of a centre's own models and satellites are spellings too.
CENTRES: dict[str, tuple[str, ...]] = {
    "ECMWF": ("ecmwf", "ecmf", "european centre for medium-range weather forecasts", "copernicus", "cams", "era5",
              "欧洲中心", "欧洲中期天气预报中心"),
    "NCEP": ("ncep", "kwbc", "gfs", "gefs", "hrrr", "rap13", "nam40", "rtma", "urma", "hiresw", "hafs", "nbm", "nws",
             "national weather service", "national hurricane center", "storm prediction center",
             "weather prediction center"),
    "NOAA": ("noaa", "nesdis", "hysplit", "goes-east", "goes-west", "goes-16", "goes-17", "goes-18", "goes-19"),
    "DWD": ("dwd", "deutscher wetterdienst", "icon-eu", "icon-d2"),
    "JMA": ("jma", "japan meteorological agency", "气象庁", "日本气象厅", "himawari", "himawari-8", "himawari-9"),
    "CMA": ("cma", "nmc", "babj", "china meteorological administration", "national meteorological center",
            "national meteorological centre", "中央气象台", "国家气象中心", "中国气象局", "国家卫星气象中心",
            "grapes", "cma-gfs", "cma-meso"),
    "CWA": ("cwa", "cwb", "central weather administration", "central weather bureau", "中央气象局", "中央气象署"),
    "HKO": ("hko", "hong kong observatory", "香港天文台"),
    "Met Office": ("met office", "metoffice", "ukmo", "crown copyright"),
    "Météo-France": ("meteo-france", "météo-france", "meteo france", "météo france", "arpege", "arome"),
    "ECCC": ("eccc", "environment canada", "environment and climate change canada", "canadian meteorological centre",
             "cmc", "rdps", "gdps", "hrdps"),
    "KMA": ("kma", "korea meteorological administration", "기상청"),
    "BoM": ("bureau of meteorology",),
    "EUMETSAT": ("eumetsat", "meteosat"),
    "IMD": ("india meteorological department",),
    "Roshydromet": ("roshydromet", "росгидромет", "гидрометцентр"),
    "NASA": ("nasa", "modis", "merra-2", "gistemp"),
}  # fmt: skip

# Of two names the narrower counts: the services of NOAA draw as themselves.
PARTS = {"NCEP": "NOAA"}


def centre_of(lines: Sequence[TextLine]) -> str | None:
    """The one centre that a chart names; None where there is none, or several that have nothing to do with each other.

    "中央气象台" over a forecast of ECMWF's model names two, and which of them drew it is not said.
    """
    text = "\n".join(normalised(line.text) for line in lines)
    found = {name for name, pattern in _patterns().items() if pattern.search(text)}
    found -= {whole for part, whole in PARTS.items() if part in found}
    return found.pop() if len(found) == 1 else None


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {name: re.compile("|".join(map(_spelling, spellings))) for name, spellings in CENTRES.items()}


def _spelling(name: str) -> str:
    """A pattern for one name: Latin letters at word boundaries (an underscore is one), Chinese anywhere."""
    exact = re.escape(normalised(name))
    return rf"(?<![a-z0-9]){exact}(?![a-z0-9])" if name.isascii() else exact
