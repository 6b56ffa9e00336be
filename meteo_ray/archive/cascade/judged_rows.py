"""Rows between the operators and the writer: the predictions' columns, what a second look at the file needs, votes
that wait for what is written, the seconds that each row took, and what stops the job."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from meteo_ray.archive.inputs.manifest import PLACE
from meteo_ray.schema import ERROR, WRITTEN
from meteo_ray.stage import Judging
from meteo_ray.stages import CASCADE, PREDICTIONS
from meteo_ray.text.config import TextSettings

Row = dict[str, Any]

READ_SECONDS = "read_s"
TEXT_SECONDS = "text_s"

JUDGEMENT = tuple(name for judging in CASCADE.values() for name in judging.columns.names)
"""Columns of all stages' answers."""


def seconds_column(stage: str) -> str:
    """Where a row's seconds in a stage stand."""
    return f"{stage}_s"


SECONDS = (READ_SECONDS, TEXT_SECONDS, *map(seconds_column, CASCADE))

# Raw votes on the pixels, flat, of models that judge anew when the text has been read; null where none is to be.
VOTES = tuple(pa.field(judging.votes, pa.list_(pa.float32())) for judging in CASCADE.values() if judging.votes)

# What stages tell later ones besides, until the row is written down.
TOLD = tuple(field for judging in CASCADE.values() for field in judging.tells)

COUNTS = tuple(column for judging in CASCADE.values() for column in judging.counts)
"""What is added up over all rows, like seconds."""

CRASHED = "crashed"
"""Reason of a row of which a process died, or for which a model fails."""

# What stops the job travels as a column, because Ray takes an exception in a worker for a defect: it tries again and
# brings no more than a text of it. The rest of such a row means nothing.
MISTAKE = pa.field("mistake", pa.string())  # the user's, about a model: a UsageError's message
FAULT = pa.field("fault", pa.string())  # this machine's or a mount's: a MachineFault's message
JUDGED = pa.schema(
    [*PREDICTIONS, *PLACE, *VOTES, *TOLD, *(pa.field(name, pa.float64()) for name in SECONDS), MISTAKE, FAULT]
)


def stopped(table: pa.Table, field: pa.Field, message: str) -> pa.Table:
    """The rows with `message` in the column `field`, MISTAKE or FAULT."""
    values = pa.array([message] * table.num_rows, pa.string())
    return table.set_column(table.schema.get_field_index(field.name), field, values)


def condemned() -> Row:
    """What is written of an image of which the judging process died."""
    return {"status": ERROR, "reason": CRASHED, "detail": "the process that judged it died of it, twice alone"}


def may_go_on(row: Row, judging: Judging, text: TextSettings) -> bool:
    """Whether a stage let a row through, or may do so when its text has been read."""
    if judging.passes is None or row[judging.passes]:
        return True
    return judging.passes_by is not None and text.is_undecided(row[judging.passes_by])


def unjudged(columns: Row) -> Row:
    """What is written of a row that was judged, and that cannot be judged whole: its answers are taken back."""
    return {**dict.fromkeys((*JUDGEMENT, *WRITTEN.names)), **columns}


def replaced(table: pa.Table, answers: dict[str, Row]) -> pa.Table:
    """The rows of JUDGED with other values in some columns, by their image_id."""
    if not answers:
        return table
    rows = [{**row, **answers.get(row["image_id"], {})} for row in table.to_pylist()]
    return pa.Table.from_pylist(rows, schema=JUDGED)


def with_seconds(table: pa.Table, seconds: dict[str, float]) -> pa.Table:
    """The rows of JUDGED with more seconds, shared out among them."""
    for name, total in seconds.items():
        values = pc.add(table[name], total / max(table.num_rows, 1))
        table = table.set_column(table.schema.get_field_index(name), JUDGED.field(name), values)
    return table
