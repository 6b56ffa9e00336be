"""Daily values of stations side by side: one array, and as the table that a training's index is."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from meteo_ray.schema import SPLITS

OUTSIDE = ""
"""The split of days that are in none."""


@dataclass(frozen=True)
class Panel:
    """Stations with the same days and quantities; NaN where nothing was measured.

    Args:
        days: datetime64[D] `(days,)`, without gaps.
        stations: their names.
        quantities: names in `quantities.QUANTITIES`; values are in those units.
        values: float64 `(stations, days, quantities)`.
        places: float64 `(stations, 2)`, latitude and longitude in degrees, NaN where not known.
    """

    days: np.ndarray
    stations: tuple[str, ...]
    quantities: tuple[str, ...]
    values: np.ndarray
    places: np.ndarray

    def of_stations(self, names: tuple[str, ...]) -> "Panel":
        """Only these stations, without quantities that none of them measures."""
        chosen = [self.stations.index(name) for name in names]
        values = self.values[chosen]
        measured = np.isfinite(values).any(axis=(0, 1))
        quantities = tuple(name for name, there in zip(self.quantities, measured, strict=True) if there)
        return Panel(self.days, names, quantities, values[:, :, measured], self.places[chosen])

    def until(self, days: int) -> "Panel":
        """Only the first `days` days."""
        return Panel(self.days[:days], self.stations, self.quantities, self.values[:, :days], self.places)


def to_table(panel: Panel, split: np.ndarray) -> pa.Table:
    """A row for every station and day, station after station; `split` text `(days,)`."""
    stations, days, _ = panel.values.shape
    columns: dict[str, pa.Array] = {
        "station": pa.array(np.repeat(panel.stations, days).tolist(), pa.string()),
        "day": pa.array(np.tile(panel.days, stations), pa.date32()),
        "split": pa.array(np.tile(split, stations).tolist(), pa.string()),
        "latitude": pa.array(np.repeat(panel.places[:, 0], days)),
        "longitude": pa.array(np.repeat(panel.places[:, 1], days)),
    }
    flat = panel.values.reshape(stations * days, -1)
    return pa.table({**columns, **{name: pa.array(flat[:, k]) for k, name in enumerate(panel.quantities)}})


def from_table(table: pa.Table) -> tuple[Panel, np.ndarray]:
    """The panel and the days' splits of a table that `to_table` made."""
    names = table["station"].to_pylist()
    stations = tuple(dict.fromkeys(names))
    count = table.num_rows // len(stations)
    quantities = tuple(name for name in table.column_names[5:])
    values = np.stack([table[name].to_numpy() for name in quantities], axis=-1)
    places = np.stack([table[name].to_numpy()[::count] for name in ("latitude", "longitude")], axis=-1)
    days = table["day"].to_numpy()[:count].astype("datetime64[D]")
    split = np.array(table["split"].slice(0, count).to_pylist(), dtype=object)
    assert set(split) <= {*SPLITS, OUTSIDE}
    return Panel(days, stations, quantities, values.reshape(len(stations), count, -1), places), split
