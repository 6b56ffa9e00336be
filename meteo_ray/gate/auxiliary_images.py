"""Images of another prepared folder that the gate learns from beside its own: drawn ones beside few real ones."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.gate.config import AuxiliaryImages
from meteo_ray.gate.rows import gate_rows, row_weights
from meteo_ray.schema import TRAIN
from meteo_ray.streaming.index import read_index


def auxiliary_rows(config: AuxiliaryImages, seed: int) -> pa.Table | None:
    """At most `config.rows` training rows of `config.data`, chosen by `seed`; None where no folder is given.

    Their paths are absolute, their `weight` column is what labels.jsonl says times `config.weight`.

    Raises:
        UsageError: when the folder is not prepared, or a weight of its rows is no positive number.
    """
    if config.data is None:
        return None
    found = gate_rows(read_index(config.data), TRAIN, skip_ambiguous=False)
    chosen = np.random.default_rng(seed).permutation(found.num_rows)[: config.rows]
    found = found.take(np.sort(chosen))
    paths = pa.array([str(config.data / path) for path in found["path"].to_pylist()], pa.string())
    placed = found.set_column(found.schema.get_field_index("path"), "path", paths)
    return placed.append_column("weight", pc.multiply(row_weights(placed), config.weight))


def foreign(rows: pa.Table, index: pa.Table) -> pa.Table:
    """Those rows whose image is not in the index: validation and test must stay unseen."""
    return rows.filter(pc.invert(pc.is_in(rows["sha256"], index["sha256"].combine_chunks())))
