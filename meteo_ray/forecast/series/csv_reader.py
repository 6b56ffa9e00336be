"""Station files as CSV: declared columns, every row with its line."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from meteo_ray.errors import UsageError
from meteo_ray.forecast.series.defects import VALUE, Defect
from meteo_ray.forecast.series.records import Records
from meteo_ray.forecast.series.source import Table

Columns = dict[str, dict[str, str]]
"""Station -> declared column -> column of the file."""


def read_csv(path: Path, table: Table, found: list[Defect]) -> list[Records]:
    """The rows of every station; values that are no numbers are NaN and told in `found`.

    Raises:
        UsageError: when the file, a column or a time cannot be read.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            columns = _columns(path, table, reader.fieldnames or [])
            return list(_read(path, table, columns, _rows(reader), found).values())
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UsageError(f"{path}: cannot read: {error}") from None


def _columns(path: Path, table: Table, header: Sequence[str]) -> Columns:
    """Which columns are whose. Raises UsageError for columns that are declared and not there."""
    wanted = list(table.columns)
    missing = [name for name in (*table.time_columns.columns, table.station.column) if name and name not in header]
    if not table.station.prefixes:
        missing += [column for column in wanted if column not in header]
        found = {table.station.name or "": {column: column for column in wanted}}
    else:
        found = {
            prefix: {column: f"{prefix}_{column}" for column in wanted if f"{prefix}_{column}" in header}
            for prefix in table.station.prefixes
        }
        missing += [f"{prefix}_*" for prefix, columns in found.items() if not columns]
        missing += [f"{prefix}_{column}" for prefix in found for column in _halves_missing(table, found[prefix])]
    if missing:
        raise UsageError(f"{path}: no column {', '.join(missing)}; the file has {', '.join(header)[:300]}")
    return found


def _halves_missing(table: Table, there: Mapping[str, str]) -> list[str]:
    """Components whose other one a station has."""
    pairs = [quantity.components for quantity in table.quantities.values()]
    return [name for pair in pairs if set(pair) & set(there) for name in pair if name not in there]


def _rows(reader: "csv.DictReader[str]") -> Iterator[tuple[int, dict[str, str | None]]]:
    for row in reader:
        yield reader.line_num, row


def _read(
    path: Path,
    table: Table,
    columns: Columns,
    rows: Iterator[tuple[int, dict[str, str | None]]],
    found: list[Defect],
) -> dict[str, Records]:
    records: dict[str, Records] = {}
    for line, row in rows:
        time = _time(path, table, line, row)
        for prefix, own_columns in columns.items():
            station = prefix or row[table.station.column or ""] or ""
            if not station.strip():
                raise UsageError(f"{path.name}:{line}: no name of a station in {table.station.column}")
            own = records.setdefault(station, Records(path.name, station, values={name: [] for name in own_columns}))
            own.times.append(time)
            own.lines.append(line)
            for name, column in own_columns.items():
                own.values[name].append(_number(own, table, line, time, column, row[column], found))
    return records


def _time(path: Path, table: Table, line: int, row: Mapping[str, str | None]) -> datetime:
    text = "-".join(row[name] or "" for name in table.time_columns.columns)
    try:
        return datetime.strptime(text, table.time_columns.format).replace(tzinfo=None)  # the day is the station's own
    except ValueError:
        raise UsageError(f"{path.name}:{line}: {text!r} is no time of the form {table.time_columns.format}") from None


def _number(
    records: Records, table: Table, line: int, time: datetime, column: str, text: str | None, found: list[Defect]
) -> float:
    text = (text or "").strip()
    if text in table.missing:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        message = f"{records.station}: {column} {text!r} is no number"
        found.append(Defect(VALUE, records.file, line, f"{time:%Y-%m-%d}", message))
        return float("nan")
