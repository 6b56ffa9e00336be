"""Rows of files whose content another row has brought: copies of that row, under their own path."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.archive.cascade.judged_rows import JUDGED
from meteo_ray.archive.results.writer import read_parts
from meteo_ray.schema import OK
from meteo_ray.stages import PREDICTIONS

# Reasons that are about a place, not about a content.
OF_THE_PLACE = ("io", "changed", "path", "special", "timeout")
_OWN = ("image_id", "path")


def says_of_content(rows: pa.Table) -> pa.Table:
    """The rows whose verdict holds for every file with the same bytes."""
    placed = pc.is_in(pc.fill_null(rows["reason"], ""), value_set=pa.array(OF_THE_PLACE))
    known = pc.and_(pc.is_valid(rows["sha256"]), pc.or_(pc.equal(rows["status"], OK), pc.invert(placed)))
    return rows.filter(known)


def copies(twins: pa.Table, predictions: Path) -> Iterator[pa.Table]:
    """Rows with the schema JUDGED for those of `twins` whose content a committed row in `predictions` speaks of."""
    contents = pc.unique(twins["sha256"])
    for part, _ in read_parts(predictions):
        judged = says_of_content(part.filter(pc.is_in(part["sha256"], value_set=contents)))
        # Of those among them that are copies themselves, any will do.
        rows = pc.index_in(twins["sha256"], value_set=judged["sha256"])
        if judged.num_rows:
            yield _copied(twins.filter(pc.is_valid(rows)), judged.take(pc.drop_null(rows)))


def _copied(twins: pa.Table, judged: pa.Table) -> pa.Table:
    """The verdicts of `judged` under the names of `twins`, row by row."""
    empty = {field.name: pa.nulls(twins.num_rows, field.type) for field in JUDGED}
    columns = empty | {name: judged[name] for name in PREDICTIONS.names} | {name: twins[name] for name in _OWN}
    return pa.table(columns, schema=JUDGED)
