"""Maps of something other than weather: political maps, statistics by district, terrain, roads, latitude fields."""

import numpy as np
from matplotlib.colors import to_hex

from meteo_ray.drawing import fields, layers, palettes
from meteo_ray.drawing.districts import district_lines, districts, paint_districts
from meteo_ray.drawing.lookalikes.registry import plotted
from meteo_ray.drawing.maps import ANYWHERE, NATION, PROVINCES, finish, ground, open_map
from meteo_ray.drawing.panel import Panel, nice_levels

_PASTEL = ("Pastel1", "Pastel2", "Set3", "Set2", "tab20", "Paired")


@plotted(
    "hard_map",
    ("人口分布图", "Population by province"),
    ("GDP分布", "GDP by district"),
    ("疫苗接种率", "Vaccination rate"),
    ("选举结果", "Election results"),
    ("站点个数", "Number of stations"),
    weight=1.0,
)
def choropleth(panel: Panel) -> None:
    map_ = open_map(panel, NATION * 2 + PROVINCES + ("europe", "usa", "africa", "india"), columns=200)
    ground(map_)
    numbers = districts(map_, int(panel.rng.integers(15, 220)))
    values = panel.rng.gamma(2, 20, int(numbers.max()) + 2)
    levels = nice_levels(0, float(np.quantile(values, 0.95)), 7)
    table, norm = panel.colours(str(panel.pick("sequential", "wave", "rain", "signed", "temperature", "moist")), levels)
    picture = np.ma.masked_where(numbers < 0, values[numbers])
    mesh = map_.axes.imshow(
        picture,
        extent=map_.frame.extent,
        origin="lower",
        aspect="auto",
        cmap=table,
        norm=norm,
        zorder=2,
        interpolation="nearest",
    )
    district_lines(map_, numbers, 0.6, str(panel.pick("#444444", "white", "#888888")))
    finish(map_, mesh)


@plotted(
    "hard_map",
    ("政区图", "Political map"),
    ("流域分区", "River basins"),
    ("泰森多边形", "Thiessen polygons"),
    weight=0.8,
)
def political(panel: Panel) -> None:
    map_ = open_map(
        panel, ANYWHERE[:12] + PROVINCES * 2 + ("europe", "africa", "south_america"), bar=False, columns=220
    )
    ground(map_)
    numbers = districts(map_, int(panel.rng.integers(8, 120)), china_only=None if panel.chance(0.5) else False)
    table = palettes.by_name(str(panel.pick(*_PASTEL)))
    if panel.chance(0.2):  # one district singled out
        shades = ["none"] * (int(numbers.max()) + 1)
        shades[int(panel.rng.integers(len(shades)))] = "red"
    else:
        shades = [to_hex(table(int(i) % table.N)) for i in panel.rng.integers(0, 12, int(numbers.max()) + 1)]
    paint_districts(map_, numbers, shades)
    district_lines(map_, numbers, float(panel.rng.uniform(0.3, 1.2)))
    if panel.chance(0.5):
        x, y, _, _ = layers.scattered(map_, 60, map_.atmosphere.land)
        map_.axes.plot(x, y, ".", color="black", markersize=4, zorder=8)
    finish(map_)


@plotted(
    "hard_map",
    ("地形高度", "Terrain height"),
    ("数字高程", "Model orography HGT"),
    ("坡度", "Elevation (m)"),
    weight=1.0,
)
def terrain(panel: Panel) -> None:
    map_ = open_map(panel, ANYWHERE, columns=220)
    noise = np.abs(fields.smooth_noise(panel.rng, map_.frame.shape, 26, 1.7))
    height = map_.atmosphere.terrain * (0.75 + 0.35 * noise) + 160 * noise * map_.atmosphere.land
    levels = nice_levels(0, float(np.quantile(height, 0.99)) + 50, panel.style.levels)
    table, norm = panel.colours(str(panel.pick("terrain", "terrain", "height", "sequential", "rain")), levels)
    mesh = map_.axes.imshow(np.ma.masked_where(~map_.atmosphere.land, height), extent=map_.frame.extent, origin="lower",
                            aspect="auto", cmap=table, norm=norm, zorder=2)  # fmt: skip
    if panel.chance(0.3):
        shade = np.gradient(height)[1] - np.gradient(height)[0]
        map_.axes.imshow(
            shade, extent=map_.frame.extent, origin="lower", aspect="auto", cmap="gray", alpha=0.35, zorder=3
        )
    finish(map_, mesh, "m")


@plotted(
    "hard_map",
    ("纬度", "lat"),
    ("经度", "lon"),
    ("科里奥利参数", "Coriolis parameter"),
    ("土地利用", "Land use category"),
    ("海陆掩膜", "Land-sea mask"),
    weight=0.8,
)
def static_field(panel: Panel) -> None:
    """Fields of a model that are the same in every weather: latitude, map factors, land use, masks."""
    map_ = open_map(panel, ANYWHERE)
    choice = int(panel.rng.integers(4))
    if choice < 2:
        values = (map_.atmosphere.lat, map_.atmosphere.lon)[choice]
    elif choice == 2:
        values = map_.atmosphere.land.astype(float)
    else:
        rough = fields.smooth_noise(panel.rng, map_.frame.shape, 9, 1.3)
        values = np.where(map_.atmosphere.land, np.floor(8 + 4 * rough).clip(1, 20), 16)
    mesh = layers.fill(map_, values + 1e-9, str(panel.pick("height", "terrain", "temperature", "sequential")))
    finish(map_, mesh)


@plotted(
    "hard_map", ("道路交通图", "Road map"), ("地铁线路图", "Metro lines"), ("航线图", "Airline routes"), weight=0.7
)
def routes(panel: Panel) -> None:
    """Roads from town to town, or straight metro lines, or great flights: lines on a map that carry no air."""
    map_ = open_map(panel, PROVINCES * 2 + NATION + ("europe", "usa"), bar=False)
    ground(map_, land=str(panel.pick("#f2efe9", "#f8f4ec", "#e8eadf", "white")))
    x, y, _, _ = layers.scattered(map_, int(panel.rng.integers(15, 70)), map_.atmosphere.land)
    if len(x) < 4:
        x, y, _, _ = layers.scattered(map_, 30)
    colours = palettes.by_name(str(panel.pick("tab10", "Set1", "autumn")))
    for number in range(int(panel.rng.integers(6, 40))):
        start, end = panel.rng.integers(0, len(x), 2)
        bend = panel.rng.normal(0, 0.12, 2) * (map_.frame.x1 - map_.frame.x0) * (start != end)
        t = np.linspace(0, 1, 30)
        hill = np.sin(np.pi * t)
        map_.axes.plot(
            x[start] + (x[end] - x[start]) * t + bend[0] * hill,
            y[start] + (y[end] - y[start]) * t + bend[1] * hill,
            color=colours(number % 8),
            linewidth=panel.rng.uniform(0.6, 3),
            zorder=7,
        )
    map_.axes.plot(x, y, "o", color="white", markeredgecolor="black", markersize=4, zorder=8)
    layers.places(map_)
    finish(map_)


@plotted(
    "hard_map",
    ("站网分布图", "Station network"),
    ("采样点位", "Sampling sites"),
    ("地震震中分布", "Earthquake epicentres"),
    weight=0.9,
)
def point_map(panel: Panel) -> None:
    """Plain dots on a map: where things are, not what the air does there."""
    map_ = open_map(panel, ANYWHERE, bar=False)
    ground(map_)
    sizes = panel.chance(0.4)
    x, y, _, _ = layers.scattered(
        map_, int(panel.pick(8, 30, 120, 500)), None if panel.chance(0.4) else map_.atmosphere.land
    )
    map_.axes.scatter(
        x,
        y,
        s=panel.rng.gamma(1.2, 30, len(x)) if sizes else 14,
        color=str(panel.pick("red", "blue", "black", "#d07000")),
        marker=str(panel.pick("o", "^", "s", "*", "v")),
        alpha=0.6 if sizes else 1,
        zorder=8,
    )
    if panel.chance(0.25):
        box = np.array([[0.2, 0.2], [0.8, 0.2], [0.8, 0.75], [0.2, 0.75], [0.2, 0.2]])
        map_.axes.plot(
            map_.frame.x0 + box[:, 0] * (map_.frame.x1 - map_.frame.x0),
            map_.frame.y0 + box[:, 1] * (map_.frame.y1 - map_.frame.y0),
            color="red",
            linewidth=1.8,
            zorder=8,
        )
    finish(map_)
