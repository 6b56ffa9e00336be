"""Images of another prepared folder that a stage learns from beside its own: drawn ones beside few real ones."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.schema import TRAIN
from meteo_ray.streaming.index import content_digest, read_index
from meteo_ray.streaming.row_weights import row_weights
from meteo_ray.text.table import with_texts
from meteo_ray.training.config import AuxiliaryImages

Near = Callable[[Sequence[str], Sequence[str]], np.ndarray]
"""(perceptual hashes, others) -> bool, whether each is nearly one of the others."""


def auxiliary_rows(config: AuxiliaryImages, seed: int, usable: Callable[[pa.Table], pa.Table]) -> pa.Table | None:
    """At most `config.rows` training rows of `config.data`, chosen by `seed`; None where no folder is given.

    Their paths are absolute, `title` and `text` what was read there, and their `weight` column is what labels.jsonl
    says times `config.weight`. `usable` picks the training rows that the stage can learn from.

    Raises:
        UsageError: when the folder is not prepared, or a weight of its rows is no positive number.
    """
    if config.data is None:
        return None
    found = usable(read_index(config.data, flag="auxiliary.data"))
    chosen = np.random.default_rng(seed).permutation(found.num_rows)[: config.rows]
    found = with_texts(found.take(np.sort(chosen)), config.data)
    paths = pa.array([str(config.data / path) for path in found["path"].to_pylist()], pa.string())
    placed = found.set_column(found.schema.get_field_index("path"), "path", paths)
    return placed.append_column("weight", pc.multiply(row_weights(placed), config.weight))


def auxiliary_digest(auxiliary: pa.Table | None) -> list[str]:
    """What a run's identity must say of them; wherever their folder stands."""
    return [] if auxiliary is None else [content_digest(auxiliary.drop_columns("path"))]


def with_auxiliary(own: pa.Table, auxiliary: pa.Table | None, index: pa.Table, near: Near) -> pa.Table:
    """Training rows and those auxiliary ones whose image is not in the index, nor a copy of one of validation or test,
    saved again or resized: these stay unseen (R4). `near` is `preparation.duplicates.near_any`."""
    if auxiliary is None:
        return own
    known = index["sha256"].combine_chunks()
    foreign = auxiliary.filter(pc.invert(pc.is_in(auxiliary["sha256"], known)))
    unseen = index.filter(pc.not_equal(index["split"], TRAIN))
    copies = near(_hashes(foreign), _hashes(unseen))
    return pa.concat_tables([own, foreign.filter(pa.array(~copies)).select(own.column_names)])


def _hashes(rows: pa.Table) -> list[str]:
    """Perceptual hashes; both these and sha256, which stands in where there is none, have 64 hex digits."""
    found: list[str] = pc.coalesce(rows["perceptual_hash"], rows["sha256"]).to_pylist()
    return found
