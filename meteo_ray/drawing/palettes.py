"""Colour tables as offices use them, and the level steps that go with them."""

import matplotlib
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap, ListedColormap

# The 24-hour rain classes of Chinese offices: light, moderate, heavy, storm, heavy storm, extreme storm.
RAIN_CMA = ["#a6f28f", "#3dba3d", "#61b8ff", "#0000e1", "#fa00fa", "#800040"]
RADAR = [
    "#01a0f6",
    "#00ecec",
    "#00d800",
    "#019000",
    "#ffff00",
    "#e7c000",
    "#ff9000",
    "#ff0000",
    "#d60000",
    "#c00000",
    "#ff00f0",
    "#9600b4",
    "#ad90f0",
]
VELOCITY = [
    "#7ee0ff", "#00e0ff", "#00b0b0", "#00ff00", "#00c800", "#008000", "#c8c8c8",
    "#ffffff", "#ff0000", "#ff5858", "#ffb0b0", "#ff7c00", "#ffd200", "#ffff00",
]  # fmt: skip
GRADS = [
    "#a000c8", "#6e00dc", "#1e3cff", "#00a0ff", "#00c8c8", "#00d28c", "#00dc00",
    "#a0e632", "#e6dc32", "#e6af2d", "#f08228", "#fa3c3c", "#f00082",
]  # fmt: skip
AIR_QUALITY = ["#00e400", "#ffff00", "#ff7e00", "#ff0000", "#99004c", "#7e0023"]
WARNING = {"蓝色": "#3a7bff", "黄色": "#ffe100", "橙色": "#ff9000", "红色": "#f02020"}

_LISTS = {
    "rain_cma": RAIN_CMA,
    "radar": RADAR,
    "velocity": VELOCITY,
    "grads": GRADS,
    "air_quality": AIR_QUALITY,
    "rain_steps": ["#d7f5c8", "#8ee07a", "#2fae2f", "#7cc8ff", "#2b6cff", "#0a0aa8", "#f46bf4", "#a0009a", "#5a0030"],
    "rain_nws": ["#04e9e7", "#019ff4", "#0300f4", "#02fd02", "#01c501", "#008e00", "#fdf802", "#e5bc00", "#fd9500",
                 "#fd0000", "#d40000", "#bc0000", "#f800fd", "#9854c6"],
    "rain_pastel": ["#e8f6ff", "#c6e6fa", "#92cbf0", "#5aa3e0", "#3a6ecc", "#6a3fbf", "#b03fae", "#e05a8a"],
    "temperature_ecmwf": ["#a10091", "#4b00b5", "#0d2fd8", "#1f86ef", "#3fd0f5", "#4de0a5", "#5ec83a", "#c8e04a",
                          "#fbe14b", "#f7a428", "#ef5a1b", "#d51c0f", "#9c0009"],
    "temperature_nmc": ["#24188c", "#2f5fd0", "#55a8f0", "#9bd7f7", "#d5f0fb", "#fffbd0", "#fde39a", "#fbb964",
                        "#f58440", "#e34a2a", "#b31a1a"],
    "snow": ["#e6eef5", "#bcd3ea", "#8fb2dc", "#6288c8", "#3c58ac", "#4d2a93", "#7d1f8b"],
    "dust": ["#fff6d8", "#f5dfa0", "#e6bd68", "#cf943a", "#a96a1c", "#77430d"],
    "fog": ["#5a2a88", "#9046b8", "#d0609a", "#f0904a", "#f6c84a", "#f4f08a"],
    "drought": ["#8c2d04", "#d8640f", "#f7a24b", "#fbe08c", "#d8efb0", "#7fcf7a", "#2f9f60", "#1b6fb0"],
    "wave": ["#dff3ff", "#a9dcfb", "#6ab8f0", "#3688dc", "#2f57b8", "#5b3aa8", "#9a2f9a", "#d4406a", "#f08040"],
    "wind_scale": ["#ffffff", "#d5eefa", "#a0d8f0", "#7ec87e", "#d6e04a", "#f7c23c", "#f2862c", "#e23c22", "#9a1a6a"],
    "brown_green": ["#6b4a12", "#a98240", "#dccba0", "#f5f5f0", "#b9e0b0", "#5fb260", "#156b38"],
}  # fmt: skip

_KINDS = {
    "rain": ["rain_cma"] * 3 + ["rain_steps", "rain_nws", "rain_pastel", "Blues", "YlGnBu", "jet", "GnBu", "gist_ncar"],
    "radar": ["radar"] * 5 + ["rain_nws", "turbo", "gist_ncar", "jet", "nipy_spectral", "HomeyerRainbow"],
    "velocity": ["velocity"] * 3 + ["RdYlGn_r", "bwr", "seismic", "PiYG_r", "RdBu_r"],
    "temperature": ["temperature_ecmwf"] * 2 + ["temperature_nmc"] * 2
    + ["jet", "rainbow", "RdYlBu_r", "Spectral_r", "turbo", "coolwarm", "grads", "gist_rainbow_r", "RdBu_r",
       "nipy_spectral", "plasma", "viridis", "inferno", "hsv"],
    "wind": ["wind_scale"] * 2 + ["jet", "YlOrRd", "viridis", "plasma", "BuPu", "rainbow", "grads", "cool", "turbo",
                                   "cividis", "PuRd", "hot_r", "gist_stern_r"],
    "moist": ["brown_green"] * 2 + ["BrBG", "YlGn", "Greens", "GnBu", "PuBuGn", "summer_r", "terrain_r", "rainbow_r",
                                    "jet_r", "viridis_r"],
    "height": ["jet", "rainbow", "viridis", "Spectral_r", "terrain", "grads", "gist_rainbow_r", "RdYlBu_r", "turbo",
               "coolwarm", "magma", "PuOr_r"],
    "signed": ["RdBu_r", "bwr", "coolwarm", "seismic", "BrBG", "PiYG", "PuOr", "RdYlBu_r", "Spectral_r", "RdGy_r"],
    "sequential": ["YlOrRd", "OrRd", "viridis", "plasma", "jet", "rainbow", "hot_r", "turbo", "grads", "YlGnBu",
                   "magma_r", "gist_heat_r", "cubehelix_r", "CMRmap_r", "gnuplot2_r", "afmhot_r"],
    "pollution": ["air_quality"] * 4 + ["jet", "YlOrBr", "rainbow", "turbo", "hot_r", "Spectral_r", "gnuplot2_r"],
    "snow": ["snow"] * 3 + ["Blues", "PuBu", "BuPu", "cool", "bone_r", "rain_pastel"],
    "dust": ["dust"] * 4 + ["YlOrBr", "copper_r", "Oranges", "afmhot_r"],
    "fog": ["fog"] * 3 + ["plasma", "RdYlBu", "Spectral", "gray", "cividis"],
    "drought": ["drought"] * 4 + ["RdYlGn", "BrBG", "YlGnBu", "terrain_r"],
    "wave": ["wave"] * 3 + ["jet", "rainbow", "turbo", "GnBu", "viridis", "nipy_spectral", "cool"],
    "grey": ["gray_r"] * 4 + ["gray_r", "bone_r", "Greys", "binary"],
    "terrain": ["terrain", "gist_earth", "YlOrBr", "copper", "summer", "Greens_r", "gray", "jet"],
}  # fmt: skip


def by_name(name: str) -> Colormap:
    """One of our lists or any matplotlib colour map."""
    if name == "HomeyerRainbow":  # the radar community's smooth rainbow, from its few anchor colours
        return LinearSegmentedColormap.from_list(
            name, ["#dcdcdc", "#3c3cc8", "#3cdcdc", "#3cc83c", "#f0f03c", "#e6321e", "#7d0a5a"]
        )
    if name in _LISTS:
        return LinearSegmentedColormap.from_list(name, _LISTS[name])
    return matplotlib.colormaps[name]


def choose(rng: np.random.Generator, kind: str, count: int) -> ListedColormap:
    """A table of `count` colours that some office would use for `kind`; now and then trimmed or made paler."""
    name = str(rng.choice(_KINDS[kind]))
    exact = _LISTS.get(name)
    if exact is not None and len(exact) == count:
        return ListedColormap(exact, name)
    start, end = (rng.uniform(0, 0.15), rng.uniform(0.85, 1)) if rng.random() < 0.3 else (0.0, 1.0)
    colours = by_name(name)(np.linspace(start, end, count))
    if rng.random() < 0.15:
        paler = rng.uniform(0.1, 0.35)
        colours[:, :3] = colours[:, :3] * (1 - paler) + paler
    return ListedColormap(colours, name)
