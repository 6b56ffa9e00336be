"""Column names, status values and Arrow schemas of the files that outsiders read. Nothing else defines them."""

from collections.abc import Iterable

import pyarrow as pa

# Raised by one whenever a column of the predictions changes its name, type or meaning.
SCHEMA_VERSION = 4

OK = "ok"  # judged; a file that the gate turns away is also `ok`, with is_meteo false
REJECTED = "rejected"  # readable, but outside what the system takes (format, size, aspect, place)
ERROR = "error"  # could not be read
STATUSES = (OK, REJECTED, ERROR)

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)

SCORED_ID = pa.struct([("id", pa.string()), ("score", pa.float32())])

INDEX = pa.schema(
    [
        ("image_id", pa.string()),  # first 16 hex digits of sha256(relative path): stable across runs and machines
        ("path", pa.string()),  # relative to the data folder, with forward slashes
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),
        ("is_meteo", pa.bool_()),
        ("elements", pa.list_(pa.string())),  # null: not known; []: none
        ("product", pa.string()),
        ("split", pa.string()),
        ("source", pa.string()),
        ("time", pa.timestamp("s")),
        ("perceptual_hash", pa.string()),
        ("duplicate_group", pa.int32()),  # rows with one number never stand in two splits
        ("extra", pa.string()),  # the row's further keys as one JSON object
    ]
)

INDEX_REJECTED = pa.schema([("path", pa.string()), ("reason", pa.string())])

FILE = pa.schema(
    [
        ("image_id", pa.string()),
        ("path", pa.string()),
        ("sha256", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("format", pa.string()),  # PNG, JPEG, ...: told by content
        ("n_frames", pa.int32()),  # of animations and pages; the first was judged
        ("status", pa.string()),
        ("reason", pa.string()),  # a word: what to count by
        ("detail", pa.string()),  # the decoder's own words
    ]
)

# What is written on an image; `text` has a line for each line, "" where nothing is written, null where none was read.
WRITTEN = pa.schema(
    [
        ("title", pa.string()),
        ("text", pa.string()),
        ("valid_time", pa.timestamp("ms", tz="UTC")),  # Parquet knows no seconds
        ("level", pa.string()),
        ("centre", pa.string()),
    ]
)

MADE_BY = pa.schema([("model_version", pa.string()), ("schema_version", pa.int32())])


def predictions_schema(stages: Iterable[pa.Schema]) -> pa.Schema:
    """The predictions' columns: what is known of the file, what each stage says, what is written, who judged."""
    return pa.schema([*FILE, *(field for columns in stages for field in columns), *WRITTEN, *MADE_BY])
