"""The output folder: one run, one job; parts are whole or absent; what stands there is never lost by mistake."""

import errno
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meteo_ray.archive import output
from meteo_ray.archive.cascade.judged_rows import JUDGED
from meteo_ray.archive.ids import IdSet
from meteo_ray.archive.results.summary import Totals, add_up, rates
from meteo_ray.archive.results.writer import PartWriter, part_files, read_parts
from meteo_ray.errors import MeteoRayError, UsageError
from meteo_ray.files import image_id
from meteo_ray.stages import PREDICTIONS


def rows(start: int, stop: int) -> pa.Table:
    paths = [f"{number}.png" for number in range(start, stop)]
    row = dict.fromkeys(JUDGED.names) | {"status": "ok", "schema_version": 1}
    row |= {"read_s": 0.5, "gate_s": 0.25, "elements_s": 0.0, "products_s": 0.0}
    listed = [row | {"image_id": image_id(path.encode()), "path": path} for path in paths]
    return pa.Table.from_pylist(listed, schema=JUDGED)


def test_parts_are_committed_by_rows_and_hold_the_public_columns(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path / "p", rows=10, seconds=1e9, written=IdSet())
    for start in range(0, 25, 5):
        writer.add(rows(start, start + 5))
    assert [pq.read_metadata(part).num_rows for part in part_files(tmp_path / "p")] == [10, 10]
    writer.commit()
    writer.commit()
    tables = [table for table, _ in read_parts(tmp_path / "p")]
    assert [table.num_rows for table in tables] == [10, 10, 5]
    assert all(table.schema.equals(PREDICTIONS) for table in tables)
    assert [seconds["read_s"] for _, seconds in read_parts(tmp_path / "p")] == [5.0, 5.0, 2.5]


def test_what_was_put_to_a_language_model_is_added_up_beside_its_seconds(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path / "p", rows=2, seconds=1e9, written=IdSet())
    for start, tokens in enumerate((None, 400, 0, 500)):
        columns = {"gate_score": [0.5], "product_tokens": [tokens], "products_s": [1.5 if start else 0.0]}
        row = rows(start, start + 1)
        for name, values in columns.items():
            field = JUDGED.field(name)
            row = row.set_column(row.schema.get_field_index(name), field, pa.array(values, field.type))
        writer.add(row)
    totals = add_up(tmp_path / "p")
    assert rates(totals) == {"tokens": 900, "tokens_per_second": 200.0}
    assert "product_tokens" not in totals.seconds
    totals.add_work({"products_s": 1.0})  # a part of before there was a count
    assert rates(totals) == {"tokens": None, "tokens_per_second": None}
    assert rates(Totals()) == {"tokens": None, "tokens_per_second": None}


def test_parts_are_committed_by_time(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path / "p", rows=1000, seconds=0.0, written=IdSet())
    writer.add(rows(0, 3))
    assert len(part_files(tmp_path / "p")) == 1


def test_abandoned_halves_are_neither_read_nor_kept(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path / "p", rows=1, seconds=1e9, written=IdSet())
    writer.add(rows(0, 2))
    (tmp_path / "p" / ".part-00001.parquet").write_bytes(b"PAR1 half of a fi")
    assert pq.read_table(tmp_path / "p").num_rows == 2  # as any Parquet reader sees the folder
    again = PartWriter(tmp_path / "p", rows=1, seconds=1e9, written=IdSet())
    again.add(rows(2, 3))
    assert [path.name for path in part_files(tmp_path / "p")] == ["part-00000.parquet", "part-00001.parquet"]
    assert sorted(path.name for path in (tmp_path / "p").iterdir()) == ["part-00000.parquet", "part-00001.parquet"]


def test_a_row_that_comes_twice_is_taken_once(tmp_path: Path) -> None:
    writer = PartWriter(tmp_path / "p", rows=1000, seconds=1e9, written=IdSet())
    assert writer.add(rows(0, 4)).num_rows == 4
    assert writer.add(rows(2, 6)).num_rows == 2
    writer.commit()
    assert writer.add(rows(0, 6)).num_rows == 0
    assert [row["path"] for row in pq.read_table(tmp_path / "p").to_pylist()] == [f"{n}.png" for n in range(6)]


def test_second_job_is_refused_while_the_first_holds_the_folder(tmp_path: Path) -> None:
    second = output.locked(tmp_path / "out")
    with output.locked(tmp_path / "out"), pytest.raises(UsageError, match="another job"):
        second.__enter__()
    with output.locked(tmp_path / "out"):
        pass


def test_folder_that_cannot_be_made_is_a_usage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match="cannot be written to"), output.locked(tmp_path / "file" / "out"):
        pass


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_full_or_read_only_disk_says_how_to_go_on(tmp_path: Path, code: int) -> None:
    with pytest.raises(MeteoRayError, match="--resume") as caught, output.explained_write_errors(tmp_path):
        raise OSError(code, "disk")
    assert caught.value.exit_status == 1


def test_other_defects_keep_their_traceback(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), output.explained_write_errors(tmp_path):
        tmp_path.open()
