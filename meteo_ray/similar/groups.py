"""Charts that are nearly equal, for cleaning; and charts that are unlike each other, for labelling.

Learnt codes do not tell near-equal charts: they are made to be equal for all charts of one product. So groups come from
equal bytes and perceptual hashes, as in data that is prepared (`preparation.duplicates`), and the codes choose among
the groups: each next chart is the one farthest from all that were chosen (Gonzalez 1985).
"""

import csv
import io
import logging

import numpy as np
import pyarrow as pa

from meteo_ray.files import storable, write_parquet
from meteo_ray.preparation.duplicates import duplicate_groups
from meteo_ray.retrieval.codes import Codes, hamming
from meteo_ray.similar.store import GROUPS, Store, as_matrix

logger = logging.getLogger("meteo_ray")


def write(store: Store, charts: pa.Table, to_label: int) -> None:
    """groups.parquet of charts that have near-equals, the largest group first; to_label.csv where asked for.

    Args:
        charts: those of the index, with `code` and `perceptual_hash`.

    Raises:
        UsageError: when to_label.csv was changed since a job wrote it.
    """
    groups = duplicate_groups(charts["sha256"].to_numpy(), charts["perceptual_hash"].to_numpy())
    sizes = np.bincount(groups)
    order = np.lexsort((groups, -sizes[groups]))
    order = order[sizes[groups][order] > 1]
    numbered = {group: number for number, group in enumerate(dict.fromkeys(groups[order].tolist()))}
    table = charts.select(["image_id", "path", "sha256", "product"]).take(pa.array(order, pa.int64()))
    table = table.add_column(0, "group", pa.array([numbered[group] for group in groups[order].tolist()], pa.int32()))
    table = table.append_column("size", pa.array(sizes[groups[order]], pa.int32()))
    write_parquet(store.folder / GROUPS, table)
    logger.info("%d groups of near-equal charts hold %d of them", len(numbered), len(order))
    if to_label:
        _write_to_label(store, charts, groups, to_label)


def _write_to_label(store: Store, charts: pa.Table, groups: np.ndarray, count: int) -> None:
    first = np.unique(groups, return_index=True)[1]  # one chart of each group
    chosen = first[unlike_each_other(as_matrix(charts["code"])[first], count)]
    rows = charts.select(["path", "image_id", "product"]).take(pa.array(chosen, pa.int64())).to_pylist()
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["path", "image_id", "product"])
    writer.writeheader()
    writer.writerows({name: storable(value or "") for name, value in row.items()} for row in rows)
    store.write_list(text.getvalue())


def unlike_each_other(codes: Codes, count: int) -> np.ndarray:
    """Places of at most `count` codes `(rows, code_bytes)`, each the farthest from those before it, int64.

    The first is the one farthest from the middle of all; where several are as far, the first of them.
    """
    if not len(codes):
        return np.zeros(0, dtype=np.int64)
    middle = np.packbits(np.unpackbits(codes, axis=1).mean(axis=0) >= 0.5)[None]
    nearest = hamming(middle, codes)[0]
    chosen: list[int] = []
    while len(chosen) < min(count, len(codes)):
        place = int(nearest.argmax())
        distances = hamming(codes[place : place + 1], codes)[0]
        nearest = distances if not chosen else np.minimum(nearest, distances)
        nearest[place] = -1  # equal codes may still be chosen, this chart not again
        chosen.append(place)
    return np.array(chosen, dtype=np.int64)
