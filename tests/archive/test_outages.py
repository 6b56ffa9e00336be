"""Outages, odd places and late ends: nothing is held against files, nothing stays out of date, nothing is lost."""

import os
import zipfile
from pathlib import Path

import pytest

from meteo_ray.archive import judging, run
from meteo_ray.archive.inputs.source import LocalSource
from meteo_ray.errors import MachineFault, UsageError
from tests.archive.fakes import BLUE, fake_models, paint, paint_archive
from tests.archive.in_process import without_ray  # noqa: F401
from tests.archive.test_run import config, rows
from tests.archive.test_run_again import GATE, gate

pytestmark = pytest.mark.usefixtures("without_ray")


@pytest.fixture
def archive(tmp_path):
    return paint_archive(tmp_path / "archive", 5, 4)


def bad(out):
    return sorted((row["path"], row["status"], row["reason"]) for row in rows(out) if row["status"] != "ok")


def test_an_outage_while_listing_is_held_against_no_file(archive, tmp_path, monkeypatch):
    gate(archive, tmp_path / "out")
    for n in range(6):
        paint(archive / "new" / f"{n}.png", BLUE, 100 + n)
    entries = LocalSource.entries

    def unmounted(source):
        for entry in entries(source):
            yield entry
            if entry.path.startswith("new/") and not (tmp_path / "aside").exists():
                archive.rename(tmp_path / "aside")
                archive.mkdir()

    with monkeypatch.context() as outage:
        outage.setattr(LocalSource, "entries", unmounted)
        with pytest.raises(MachineFault):
            gate(archive, tmp_path / "out", resume=True)
    archive.rmdir()
    (tmp_path / "aside").rename(archive)
    gate(archive, tmp_path / "out", resume=True)
    assert bad(tmp_path / "out") == []


def test_an_outage_between_two_folders_leaves_the_listing_unfinished(archive, tmp_path, monkeypatch):
    scandir, seen = os.scandir, []

    def gone(path):
        if isinstance(path, bytes):
            seen.append(path)
            if len(seen) == 2:
                archive.rename(tmp_path / "aside")
                archive.mkdir()
        return scandir(path)

    with monkeypatch.context() as outage:
        outage.setattr("meteo_ray.archive.inputs.listing.os.scandir", gone)
        try:
            gate(archive, tmp_path / "out", max_bad=1.0)
            ended = "as if complete"
        except MachineFault:
            ended = "stopped"
    archive.rmdir()
    (tmp_path / "aside").rename(archive)
    gate(archive, tmp_path / "out", resume=True)
    gate(archive, tmp_path / "out", resume=True, retry_errors=True)
    assert (ended, bad(tmp_path / "out")) == ("stopped", [])


def test_a_container_that_was_mended_has_no_row_of_its_own(archive, tmp_path):
    with zipfile.ZipFile(archive / "day.zip", "w") as packed:
        packed.write(archive / "charts" / "0000.png", "a.png")
    whole = (archive / "day.zip").read_bytes()
    (archive / "day.zip").write_bytes(whole[:100])
    gate(archive, tmp_path / "out")
    (archive / "day.zip").write_bytes(whole)
    gate(archive, tmp_path / "out", resume=True, retry_errors=True)
    assert "day.zip/a.png" in {row["path"] for row in rows(tmp_path / "out")}
    assert bad(tmp_path / "out") == []


def test_errors_are_retried_beside_a_damaged_part(archive, tmp_path):
    gate(archive, tmp_path / "out")
    sorted((tmp_path / "out" / "predictions").iterdir())[0].write_bytes(b"PAR1 x")
    assert gate(archive, tmp_path / "out", resume=True, retry_errors=True)["rows"] == 9


@pytest.mark.parametrize("moment", ["write_report", "add_up"])
def test_report_and_tables_after_a_resumed_run_that_broke_off_late(archive, tmp_path, monkeypatch, moment):
    """Killed (or out of disk) after the last part of the new files: `add_up` before summary.json, else after it."""
    out = tmp_path / "out"
    run.classify(config(archive, out, stages=GATE, also=("csv",)), fake_models(GATE))
    paint(archive / "new.png", BLUE, 50)

    def kill(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(run, moment, kill)
        with pytest.raises(KeyboardInterrupt):
            run.classify(config(archive, out, stages=GATE, also=("csv",), resume=True), fake_models(GATE))
    assert run.classify(config(archive, out, stages=GATE, also=("csv",), resume=True), fake_models(GATE))["rows"] == 10
    assert "new.png" in (out / "predictions.csv").read_text("utf-8-sig")


def test_a_file_uri_is_a_folder_too(archive, tmp_path):
    settings = config(archive, tmp_path / "out", stages=GATE).model_copy(
        update={"archive": f"file://{archive}", "out": archive / "out"}
    )
    with pytest.raises(UsageError, match="lies inside"):
        run.classify(settings, fake_models(GATE))


@pytest.mark.parametrize("which", ["archive", "out"])
def test_a_folder_whose_own_name_is_not_utf8(archive, tmp_path, which):
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    if which == "archive":
        archive.rename(odd)
        assert gate(odd, tmp_path / "out")["rows"] == 9
    else:
        with pytest.raises(UsageError, match="not UTF-8"):
            gate(archive, odd)


def test_nul_in_a_list_of_paths(archive, tmp_path):
    (tmp_path / "l.txt").write_bytes(b"archive/charts/0001.png\nfoo\0bar.png\n")
    assert gate(tmp_path / "l.txt", tmp_path / "out")["rows"] == 2


def test_a_resume_that_is_interrupted_twice_removes_nothing_of_the_users(archive, tmp_path, monkeypatch):
    out = tmp_path / "out"
    gate(archive, out, batches={"part_rows": 100}, also=("copies",))
    (out / "sorted" / "no_product" / "mine.txt").write_text("x")
    (only_part,) = (out / "predictions").iterdir()
    only_part.write_bytes(b"PAR1 x")

    def kill(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(judging.Work, "do", kill)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            gate(archive, out, resume=True)
    assert (out / "sorted" / "no_product" / "mine.txt").exists()


def test_a_damaged_summary_is_made_anew(archive, tmp_path):
    out = tmp_path / "out"
    gate(archive, out)
    (out / "summary.json").write_text("{")
    assert gate(archive, out, resume=True)["rows"] == 9
