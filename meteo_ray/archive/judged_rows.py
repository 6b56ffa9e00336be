"""Rows between the operators and the writer: the predictions' columns, what a second look at the file needs, and the
seconds that each row took."""

import pyarrow as pa

from meteo_ray.stages import CASCADE, PREDICTIONS

READ_SECONDS = "read_s"


def seconds_column(stage: str) -> str:
    """Where a row's seconds in a stage stand."""
    return f"{stage}_s"


SECONDS = (READ_SECONDS, *map(seconds_column, CASCADE))
LISTED = [pa.field("size", pa.int64()), pa.field("modified_ns", pa.int64())]
MISTAKE = pa.field("mistake", pa.string())  # see LoadedModel
JUDGED = pa.schema([*PREDICTIONS, *LISTED, *(pa.field(name, pa.float64()) for name in SECONDS), MISTAKE])
