"""What a chart is about besides its fields: when, where, who issued it, in Chinese and English."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

SOURCES = {  # id -> (zh, en); invented offices, so that no real one is blamed for invented weather
    "north_centre": ("北方气象中心", "Northern Weather Centre"),
    "national_demo": ("示范国家气象中心", "Demo National Meteorological Centre"),
    "riverside": ("江畔省气象台", "Riverside Weather Office"),
    "plateau": ("高原气象局", "Plateau Meteorological Bureau"),
    "coastal": ("沿海海洋预报台", "Coastal Marine Forecast Office"),
    "city_lab": ("城市环境气象实验室", "Urban Environment Laboratory"),
    "model_house": ("数值预报室", "Model House"),
    "campus": ("大学大气科学系", "Campus Atmospheric Science Group"),
    "radar_group": ("雷达工作组", "Radar Working Group"),
    "west_service": ("西部气象服务", "Western Weather Service"),
    "ocean_institute": ("海洋研究所", "Ocean Institute"),
    "open_tools": ("开源绘图组", "Open Plotting Tools"),
}
OFFICES = len(SOURCES)

# Offices that keep to half of their habits: hardly two images look alike, as in a collection from everywhere.
LOOSE = 0.5

_MODELS = ("GRAPES_GFS", "CMA-MESO", "ECMWF", "NCEP GFS", "WRF", "ICON", "CMA-GFS", "JMA-GSM", "HRRR", "AROME", "ERA5")
_CITIES = (
    ("北京", "Beijing", 116.4, 39.9), ("上海", "Shanghai", 121.5, 31.2), ("广州", "Guangzhou", 113.3, 23.1),
    ("成都", "Chengdu", 104.1, 30.7), ("武汉", "Wuhan", 114.3, 30.6), ("西安", "Xi'an", 108.9, 34.3),
    ("沈阳", "Shenyang", 123.4, 41.8), ("哈尔滨", "Harbin", 126.6, 45.8), ("乌鲁木齐", "Urumqi", 87.6, 43.8),
    ("拉萨", "Lhasa", 91.1, 29.7), ("昆明", "Kunming", 102.7, 25.0), ("兰州", "Lanzhou", 103.8, 36.1),
    ("南京", "Nanjing", 118.8, 32.0), ("海口", "Haikou", 110.3, 20.0), ("台北", "Taipei", 121.5, 25.0),
    ("呼和浩特", "Hohhot", 111.7, 40.8), ("郑州", "Zhengzhou", 113.6, 34.8), ("福州", "Fuzhou", 119.3, 26.1),
    ("长沙", "Changsha", 113.0, 28.2), ("东京", "Tokyo", 139.7, 35.7), ("伦敦", "London", -0.1, 51.5),
    ("巴黎", "Paris", 2.3, 48.9), ("柏林", "Berlin", 13.4, 52.5), ("罗马", "Rome", 12.5, 41.9),
    ("丹佛", "Denver", -105.0, 39.7), ("迈阿密", "Miami", -80.2, 25.8), ("芝加哥", "Chicago", -87.6, 41.9),
    ("悉尼", "Sydney", 151.2, -33.9), ("德里", "Delhi", 77.2, 28.6), ("马尼拉", "Manila", 121.0, 14.6),
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    zh: str
    en: str
    lon: float
    lat: float


PLACES = tuple(Place(*city) for city in _CITIES)


@dataclass(frozen=True)
class Story:
    """Times are UTC; Chinese charts print Beijing time (UTC + 8)."""

    source: str
    issued: datetime
    lead_hours: int
    model: str
    place: Place

    @classmethod
    def sample(cls, rng: np.random.Generator, offices: int = len(SOURCES)) -> "Story":
        """Any six-hourly time of four years, any of the first `offices` offices, a lead of up to five days."""
        issued = datetime(2021, 1, 1) + timedelta(hours=6 * int(rng.integers(4 * 365 * 4)))
        return cls(
            source=str(rng.choice(list(SOURCES)[:offices])),
            issued=issued,
            lead_hours=int(rng.choice([0, 0, 0, 6, 12, 24, 24, 36, 48, 72, 96, 120])),
            model=str(rng.choice(_MODELS)),
            place=PLACES[int(rng.integers(len(PLACES)))],
        )

    @property
    def valid(self) -> datetime:
        return self.issued + timedelta(hours=self.lead_hours)

    def office(self, chinese: bool) -> str:
        return SOURCES[self.source][0 if chinese else 1]

    def time_text(self, chinese: bool, rng: np.random.Generator) -> str:
        """One of several ways to print the valid time, with the lead when the chart is a forecast."""
        if chinese:
            local = self.valid + timedelta(hours=8)
            base = self.issued + timedelta(hours=8)
            choices = [
                f"{local:%Y年%m月%d日%H时}",
                f"{base:%Y年%m月%d日%H时}起报 预报时效{self.lead_hours:03d}小时",
                f"起报时间：{base:%Y-%m-%d %H:00}  预报时间：{local:%Y-%m-%d %H:00}",
                f"{local:%m月%d日%H:%M}（北京时）",
                f"{self.model} {base:%Y%m%d%H} +{self.lead_hours}h",
            ]
        else:
            choices = [
                f"Valid: {self.valid:%Y-%m-%d %H:%M} UTC",
                f"Init: {self.issued:%HZ %d %b %Y}  FH: {self.lead_hours:03d}",
                f"{self.model} {self.issued:%Y%m%d_%H}Z F{self.lead_hours:03d}",
                f"START: {self.issued:%d %b %Y %H}  VALID: {self.valid:%d %b %Y %H}",
                f"{self.valid:%A %d %B %Y %H UTC}",
                f"{self.valid:%HZ%d%b%Y}".upper(),
            ]
        return str(choices[int(rng.integers(len(choices)))])
