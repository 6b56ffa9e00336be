"""Rain, snow, lightning and probabilities."""

import numpy as np

from meteo_ray.drawing import layers
from meteo_ray.drawing.charts.registry import chart
from meteo_ray.drawing.maps import ABROAD, ANYWHERE, NATION, PROVINCES, Map, finish, ground, open_map
from meteo_ray.drawing.panel import Panel

DAY_CLASSES = np.array([0.1, 10, 25, 50, 100, 250, 400])  # mm in 24 h, the classes of the national standard
HOUR_CLASSES = np.array([0.1, 1, 2, 5, 10, 20, 30, 50, 70])


def _open(panel: Panel, regions: tuple[str, ...] = NATION * 2 + PROVINCES, bar: bool = True) -> Map:
    map_ = open_map(panel, regions, bar=bar)
    ground(map_)
    return map_


def _amount(map_: Map, most: float) -> np.ndarray:
    """Millimetres: patches of rain whose heaviest cell reaches `most`."""
    return most * map_.atmosphere.rain(float(map_.panel.rng.uniform(0.2, 0.5)))


def _cold(map_: Map) -> np.ndarray:
    """0..1: a winter in which a third of the map, or more, is below freezing."""
    temperature = map_.atmosphere.surface_temperature()
    freezing = np.quantile(temperature, map_.panel.rng.uniform(0.35, 0.8))
    return 1 / (1 + np.exp((temperature - freezing) / 2))


@chart(
    ("24小时降水量预报", "24 h Precipitation Forecast"), ("全国降水量预报图", "24h QPF"), product="24h_cn_precipitation"
)
def precipitation_24h(panel: Panel) -> None:
    map_ = _open(panel)
    amount = _amount(map_, float(panel.rng.uniform(40, 260)))
    mappable = layers.fill(map_, amount, "rain", DAY_CLASSES, above=0.1,
                           china_only=bool(map_.china.mean() > 0.25 and panel.chance(0.6)))  # fmt: skip
    if panel.style.stations:
        layers.places(map_)
    finish(map_, mappable, "mm")


@chart(("1小时降水实况", "1 h Precipitation Observations"), ("小时雨量", "Hourly rain gauges"),
       product="1h_precipitation_observation")  # fmt: skip
def precipitation_1h(panel: Panel) -> None:
    map_ = _open(panel, NATION + PROVINCES * 2)
    amount = _amount(map_, float(panel.rng.uniform(15, 70)))
    if panel.chance(0.75):
        mappable = layers.station_dots(map_, amount, "rain", HOUR_CLASSES, int(panel.rng.integers(500, 2000)))
        mappable.cmap.set_under("none" if panel.chance(0.6) else "#d0d0d0")
    else:
        mappable = layers.fill(map_, amount, "rain", HOUR_CLASSES, above=0.1)
        layers.station_numbers(map_, amount, 60)
    finish(map_, mappable, "mm")


@chart(("24小时降雪量预报", "24 h Snowfall Forecast"), ("全国降雪预报", "24h snowfall"), product="24h_cn_snowfall")
def snowfall(panel: Panel) -> None:
    map_ = _open(panel, ("china", "china", "east_asia", "northeast_china", "northwest_china", "north_china"))
    cold = _cold(map_)
    amount = 34 * map_.atmosphere.rain(0.55) * cold
    mappable = layers.fill(map_, amount, "snow", np.array([0.1, 2.5, 5, 10, 20, 30, 50]), above=0.1,
                           china_only=panel.chance(0.5))  # fmt: skip
    finish(map_, mappable, "mm")


@chart(("积雪深度", "Snow Depth"), ("全国积雪深度监测", "Snow cover depth"), product="snow_depth")
def snow_depth(panel: Panel) -> None:
    map_ = _open(panel, ("china", "east_asia", "northeast_china", "northwest_china", "north_america", "europe"))
    cold = _cold(map_)
    depth = 60 * cold * np.clip(0.5 + 0.5 * map_.atmosphere.noise(9, 0.4, 2), 0, 2) * map_.atmosphere.land
    levels = np.array([1, 2, 5, 10, 15, 20, 30, 50, 100])
    if panel.chance(0.25):
        mappable = layers.station_dots(map_, depth, "snow", levels, 800)
        mappable.cmap.set_under("none")
    else:
        mappable = layers.fill(map_, depth, "snow", levels, above=1)
    finish(map_, mappable, "cm")


@chart(("雷电监测", "Lightning Density"), ("地闪分布", "Cloud-to-ground strokes"), product="lightning_density")
def lightning(panel: Panel) -> None:
    dots = panel.chance(0.65)
    map_ = _open(panel, NATION + PROVINCES * 2 + ("usa",), bar=not dots)
    storms = map_.atmosphere.rain(0.18, 1.2)
    if dots:
        _strokes(map_, storms)
        finish(map_)
        return
    density = np.floor(60 * storms * map_.panel.rng.random(storms.shape) ** 0.5)
    mappable = layers.fill(map_, density, "sequential", np.array([1, 2, 5, 10, 15, 20, 30, 40, 60]), above=1)
    finish(map_, mappable, panel.words("次", "strokes"))


def _strokes(map_: Map, storms: np.ndarray) -> None:
    rng, frame = map_.panel.rng, map_.frame
    chance = storms.ravel() ** 2
    cells = rng.choice(chance.size, int(rng.integers(300, 2500)), p=chance / chance.sum())
    rows, columns = np.unravel_index(cells, storms.shape)
    x = np.interp(columns + rng.normal(0, 0.8, len(cells)), np.arange(frame.shape[1]), frame.x)
    y = np.interp(rows + rng.normal(0, 0.8, len(cells)), np.arange(frame.shape[0]), frame.y)
    by_hour = map_.panel.chance(0.4)
    positive = rng.random(len(cells)) < 0.12
    if by_hour:
        hours = rng.integers(0, 6, len(cells))
        palette = np.array(["#ff0000", "#ff9000", "#ffe000", "#20c020", "#20a0ff", "#6030c0"])
        map_.axes.scatter(
            x, y, c=palette[hours], s=6, marker="x" if map_.panel.chance(0.5) else "o", linewidths=0.6, zorder=7
        )
        return
    for mask, marker, colour, label in (
        (positive, "+", "#e00000", map_.panel.words("正闪", "positive")),
        (~positive, "_", "#0040e0", map_.panel.words("负闪", "negative")),
    ):
        map_.axes.scatter(x[mask], y[mask], c=colour, marker=marker, s=14, linewidths=0.8, zorder=7,
                          label=f"{label}: {int(mask.sum())}")  # fmt: skip
    map_.axes.legend(loc="lower left").set_zorder(20)


@chart(("累计降水量", "Accumulated precipitation"), ("总降水量", "Total precipitation"), ("降水", "tp"),
       elements=("precipitation",))  # fmt: skip
def precipitation_other(panel: Panel) -> None:
    map_ = _open(panel, ANYWHERE + ABROAD)
    mappable = layers.fill(map_, _amount(map_, float(panel.rng.uniform(20, 120))), "rain", above=0.5)
    if panel.chance(0.35):
        layers.isolines(map_, map_.atmosphere.pressure(), 4)
        panel.shown.add("pressure")
    finish(map_, mappable, "mm")


@chart(("降水概率预报", "Probability of precipitation > 10 mm"), ("集合预报降水概率", "EPS probability tp > 5 mm"),
       elements=("precipitation",))  # fmt: skip
def precipitation_probability(panel: Panel) -> None:
    map_ = _open(panel, ABROAD + NATION)
    chance = 100 * map_.atmosphere.rain(0.4) ** 0.6
    mappable = layers.fill(
        map_, chance, str(panel.pick("rain", "sequential", "moist")), np.array([5, 20, 40, 60, 80, 95, 100]), above=5
    )
    finish(map_, mappable, "%")
