"""Runs that go on: new files, errors once more, doubt about what stands there, images that are hard to bear."""

import json
import os
import shutil
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from meteo_ray.archive import judging, output, run
from meteo_ray.archive.cascade.models import Models
from meteo_ray.archive.inputs.source import LocalSource
from meteo_ray.errors import MachineFault, MeteoRayError
from meteo_ray.files import SIGN, write_parquet
from tests.archive.fakes import BLUE, RED, fake_models, paint, paint_archive
from tests.archive.in_process import without_ray  # noqa: F401 (a fixture)
from tests.archive.test_run import config, rows, state, without_run

pytestmark = pytest.mark.usefixtures("without_ray")
GATE = ("gate",)


def gate(archive: Path, out: Path, models: Models | None = None, **values: object) -> dict:
    return run.classify(config(archive, out, stages=GATE, **values), models or fake_models(GATE))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return paint_archive(tmp_path / "archive", 5, 4)


def paths(out: Path) -> list[str]:
    return sorted(row["path"] for row in rows(out))


def test_files_that_are_new_in_the_archive_are_judged_by_a_later_run(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    gate(archive, out)
    before = without_run(out)
    paint(archive / "new.png", BLUE, 50)
    (archive / "charts" / "0001.png").unlink()  # what has been judged keeps its row
    summary = gate(archive, out, resume=True)
    assert (summary["rows"], summary["this_call"]["rows"]) == (10, 1)
    assert [row for row in without_run(out) if row["path"] != "new.png"] == before


def test_files_with_an_error_are_judged_again_when_asked(archive: Path, tmp_path: Path) -> None:
    """One file is mended, one stays broken, one is gone for good: it keeps its error."""
    out = tmp_path / "out"
    for name in ("mended.png", "broken.png", "gone.png"):
        (archive / name).write_bytes(b"no image")
    (archive / "paper.pdf").write_bytes(b"%PDF-")
    gate(archive, out)
    good = [row for row in without_run(out) if row["status"] != "error"]
    paint(archive / "mended.png", BLUE, 60)
    (archive / "gone.png").unlink()
    assert gate(archive, out, resume=True)["status"] == {"ok": 9, "rejected": 1, "error": 3}
    summary = gate(archive, out, resume=True, retry_errors=True)
    assert summary["status"] == {"ok": 10, "rejected": 1, "error": 2}
    after = {row["path"]: row for row in without_run(out)}
    assert (after["mended.png"]["status"], after["mended.png"]["is_meteo"]) == ("ok", True)
    assert after["gone.png"]["reason"] == after["broken.png"]["reason"] == "unidentified"
    assert [after[row["path"]] for row in good] == good
    assert gate(archive, out, resume=True)["rows"] == 13


def test_the_same_bytes_are_judged_once_whatever_is_resumed(archive: Path, tmp_path: Path) -> None:
    """Fault 17: identical scores for every path, also for one that comes a run later."""
    out, one = tmp_path / "out", (archive / "charts" / "0001.png").read_bytes()
    for number in range(6):
        (archive / f"copy{number}.png").write_bytes(one)
        (archive / f"empty{number}").write_bytes(b"")
    gate(archive, out)
    (archive / "late.png").write_bytes(one)
    assert gate(archive, out, resume=True)["rows"] == 9 + 12 + 1
    alike = [row for row in rows(out) if row["path"].startswith(("copy", "late")) or row["path"] == "charts/0001.png"]
    unlike = {"image_id", "path"}
    assert len(alike) == 8
    assert len({json.dumps({k: v for k, v in row.items() if k not in unlike}) for row in alike}) == 1
    assert {row["reason"] for row in rows(out) if row["path"].startswith("empty")} == {"empty"}


def test_a_twin_of_a_file_that_vanishes_is_judged_itself(archive: Path, tmp_path: Path, monkeypatch) -> None:
    """The first of two equal charts is lost between gate and products, so its row says nothing of the other."""
    (archive / "twin.png").write_bytes((archive / "charts" / "0001.png").read_bytes())
    twins = {"charts/0001.png", "twin.png"}
    add, lost = judging.Work._add, set()

    def lose(work: judging.Work, table: pa.Table) -> None:
        rows = table.to_pylist()
        for row in rows:
            if row["path"] in twins and not lost:
                row.update(status="error", reason="changed")
                lost.add(row["path"])
        add(work, pa.Table.from_pylist(rows, schema=table.schema))

    monkeypatch.setattr(judging.Work, "_add", lose)
    gate(archive, tmp_path / "out")
    found = {row["path"]: row["status"] for row in rows(tmp_path / "out") if row["path"] in twins}
    assert found == {path: "error" if path in lost else "ok" for path in twins}


def test_an_outage_stops_the_job_and_resume_finds_everything(archive: Path, tmp_path: Path, monkeypatch) -> None:
    """The share goes after the listing, comes back before the next call: no file is blamed, none is missed."""
    entries = LocalSource.entries

    def unmounted(source: LocalSource):
        yield from list(entries(source))
        archive.rename(tmp_path / "aside")
        archive.mkdir()

    with monkeypatch.context() as outage:
        outage.setattr(LocalSource, "entries", unmounted)
        with pytest.raises(MachineFault, match="nothing was held against its files"):
            gate(archive, tmp_path / "out")
    assert not (tmp_path / "out" / "summary.json").exists()
    archive.rmdir()
    (tmp_path / "aside").rename(archive)
    assert gate(archive, tmp_path / "out", resume=True)["status"] == {"ok": 9, "rejected": 0, "error": 0}


def test_an_unfinished_listing_is_told_and_finished_by_the_next_call(
    archive: Path, tmp_path: Path, monkeypatch
) -> None:
    entries = LocalSource.entries

    def broken_off(source: LocalSource):
        yield from list(entries(source))[:4]
        raise MachineFault("charts: cannot be listed to its end: Stale file handle")

    with monkeypatch.context() as outage:
        outage.setattr(LocalSource, "entries", broken_off)
        with pytest.raises(MachineFault, match="Stale file handle"):
            gate(archive, tmp_path / "out", batches={"part_rows": 1})
    assert not (tmp_path / "out" / "summary.json").exists()
    assert gate(archive, tmp_path / "out", resume=True)["rows"] == 9


def test_damage_and_doubles_are_mended_and_nothing_good_is_lost(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    gate(archive, out)
    before = without_run(out)
    parts = sorted((out / "predictions").iterdir())
    shutil.copy(parts[0], out / "predictions" / "part-00007.parquet")
    parts[1].write_bytes(b"PAR1 and no more")
    (out / "manifest" / "files-00000.parquet").write_bytes(b"damaged")
    gate(archive, out, resume=True)
    assert without_run(out) == before
    assert {path.name for path in (out / "damaged").iterdir()} == {
        "predictions-part-00001.parquet",
        "manifest-files-00000.parquet",
    }


def test_rows_that_are_lost_are_judged_again_and_never_passed_over(archive: Path, tmp_path: Path) -> None:
    """Fault 63."""
    out = tmp_path / "out"
    gate(archive, out)
    before = without_run(out)
    part = sorted((out / "predictions").iterdir())[0]
    write_parquet(part, pq.read_table(part).slice(2))
    totals = run.add_up(out / "predictions")
    with pytest.raises(MeteoRayError, match=r"9 files were listed, but 7 rows .*--resume"):
        run._require_complete(config(archive, out), totals, 9)
    gate(archive, out, resume=True)
    assert without_run(out) == before


def test_a_report_that_fails_leaves_the_summary_and_is_made_by_the_next_call(
    archive: Path, tmp_path: Path, monkeypatch
) -> None:
    def fail(*arguments: object) -> None:
        raise ValueError("cannot draw")

    with monkeypatch.context() as broken:
        broken.setattr(run, "write_report", fail)
        with pytest.raises(MeteoRayError, match="rows and summary are complete"):
            gate(archive, tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert summary["rows"] == 9
    before = state(tmp_path / "out")
    gate(archive, tmp_path / "out", resume=True)
    after = state(tmp_path / "out")
    assert set(after) - set(before) == {"report.html"}
    assert all(after[name] == value for name, value in before.items())


def test_tables_and_sorted_folders_are_made_and_kept_up_to_date(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with tarfile.open(archive / "more.tar.gz", "w:gz") as packed:
        packed.add(paint(tmp_path / "m.png", BLUE, 70), "m.png")
    paint(tmp_path / "c.png", RED, 71).rename(os.fsdecode(os.fsencode(archive) + b"/caf\xe9.png"))
    run.classify(config(archive, out, also=("csv", "jsonl", "links")), fake_models())
    assert len((out / "predictions.jsonl").read_text("utf-8").splitlines()) == 11
    images = [path for path in (out / "sorted").glob("*/*") if path.name != SIGN]
    assert {path.parent.name for path in images} == {"product_1", "product_2", "not_a_chart"}
    assert sum(path.is_symlink() for path in images) == 10
    (member,) = [path for path in images if not path.is_symlink()]
    assert member.read_bytes() == (tmp_path / "m.png").read_bytes()
    before = state(out)
    run.classify(config(archive, out, also=("csv", "jsonl", "links"), resume=True), fake_models())
    assert state(out) == before
    paint(archive / "new.png", BLUE, 72)
    run.classify(config(archive, out, resume=True), fake_models())
    assert len((out / "predictions.jsonl").read_text("utf-8").splitlines()) == 12
    assert output.TABLES["csv"] in {path.name for path in out.iterdir()}
