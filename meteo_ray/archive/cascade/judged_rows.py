"""Rows between the operators and the writer: the predictions' columns, what a second look at the file needs, the
seconds that each row took, and what stops the job."""

import pyarrow as pa

from meteo_ray.archive.inputs.manifest import PLACE
from meteo_ray.stages import CASCADE, PREDICTIONS

READ_SECONDS = "read_s"


def seconds_column(stage: str) -> str:
    """Where a row's seconds in a stage stand."""
    return f"{stage}_s"


SECONDS = (READ_SECONDS, *map(seconds_column, CASCADE))

# What stops the job travels as a column, because Ray takes an exception in a worker for a defect: it tries again and
# brings no more than a text of it. The rest of such a row means nothing.
MISTAKE = pa.field("mistake", pa.string())  # the user's, about a model: a UsageError's message
FAULT = pa.field("fault", pa.string())  # this machine's or a mount's: a MachineFault's message
JUDGED = pa.schema([*PREDICTIONS, *PLACE, *(pa.field(name, pa.float64()) for name in SECONDS), MISTAKE, FAULT])


def stopped(table: pa.Table, field: pa.Field, message: str) -> pa.Table:
    """The rows with `message` in the column `field`, MISTAKE or FAULT."""
    values = pa.array([message] * table.num_rows, pa.string())
    return table.set_column(table.schema.get_field_index(field.name), field, values)
