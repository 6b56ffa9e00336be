"""Whole runs on a local Ray with fake predictors, and the job's exit statuses."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from jobs import classify_archive
from meteo_ray.archive import run
from meteo_ray.archive.cascade.models import Models
from meteo_ray.archive.config import ArchiveConfig, Batches
from meteo_ray.archive.inputs.source import open_source
from meteo_ray.archive.results import writer
from meteo_ray.errors import MeteoRayError, TooManyBadRows, UsageError
from meteo_ray.judging.starter import STARTER
from meteo_ray.stages import PREDICTIONS
from tests.archive.fakes import BLUE, DyingGate, fake_model, fake_models, paint, paint_archive
from tests.archive.untrained import VOCABULARY, write_models

SMALL = Batches(rows=4, product_rows=8, product_images=2, part_rows=8)
CHARTS, OTHERS, BAD = 9, 7, 4


def config(archive: Path, out: Path, **values: Any) -> ArchiveConfig:
    return ArchiveConfig(archive=archive, models=out.with_name("models"), out=out, **{"batches": SMALL, **values})


def rows(out: Path) -> list[dict[str, Any]]:
    return pq.read_table(out / "predictions").to_pylist()


def without_run(out: Path) -> list[dict[str, Any]]:
    return sorted(rows(out), key=lambda row: row["path"])


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = paint_archive(tmp_path_factory.mktemp("archive"), CHARTS, OTHERS)
    (folder / "empty.png").write_bytes(b"")
    (folder / "<script>alert(1)<").write_text("no image")
    (folder / "invoice\u202egnp.exe").write_text("no image")
    (folder / "out.png").symlink_to("/etc/hostname")
    return folder


@pytest.fixture(scope="module")
def finished(ray_session: None, archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "out"
    run.classify(config(archive, out), fake_models())
    return out


def test_every_file_has_one_row(finished: Path, archive: Path) -> None:
    listed = sorted(path.relative_to(archive).as_posix() for path in archive.rglob("*") if not path.is_dir())
    assert sorted(row["path"] for row in rows(finished)) == listed
    assert len({row["image_id"] for row in rows(finished)}) == len(listed)
    for part in (finished / "predictions").iterdir():
        assert pq.read_schema(part).equals(PREDICTIONS)


def test_stages_see_only_what_the_one_before_let_through(finished: Path) -> None:
    for row in rows(finished):
        chart = row["path"].startswith("charts/")
        assert bool(row["is_meteo"]) == chart
        assert (row["elements"] is not None) == chart
        assert (row["product"] is not None) == chart
        assert row["model_version"] == "gate=0123456789ab elements=0123456789ab products=0123456789ab"


def test_summary_counts_what_the_rows_say(finished: Path) -> None:
    summary = json.loads((finished / "summary.json").read_text("utf-8"))
    written = rows(finished)
    assert summary["rows"] == sum(summary["status"].values()) == len(written) == CHARTS + OTHERS + BAD
    assert summary["status"] == {"ok": CHARTS + OTHERS, "rejected": 1, "error": 3}
    assert summary["reasons"] == Counter(row["reason"] for row in written if row["reason"])
    assert (summary["charts"], summary["turned_away"]) == (CHARTS, OTHERS)
    assert summary["products"] == Counter(row["product"] for row in written if row["product"])
    assert summary["elements"]["temperature"] == CHARTS
    assert summary["seconds"]["read"] > 0
    assert summary["arguments"]["batches"]["rows"] == SMALL.rows


def test_report_stands_alone_and_escapes_names(finished: Path) -> None:
    page = (finished / "report.html").read_text("utf-8")
    assert "&lt;script&gt;alert(1)&lt;" in page
    assert "<script" not in page
    assert "\u202e" not in page
    assert "invoice\\u202egnp.exe" in page
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("data:image/jpeg;base64,") >= CHARTS + OTHERS


def test_nothing_but_the_run_is_left_in_the_folder(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    assert names == {".lock", "run.json", "manifest", "predictions", "summary.json", "report.html"}


def state(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Time, inode and content of every file."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
        for path in files
    }


def test_rerun_of_a_finished_job_writes_nothing(finished: Path, archive: Path) -> None:
    """Fault 62."""
    before = state(finished)
    summary = run.classify(config(archive, finished, resume=True), fake_models())
    assert summary["rows"] == CHARTS + OTHERS + BAD
    assert state(finished) == before


def test_resume_after_a_full_disk_gives_the_same_rows(
    finished: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = writer.write_parquet

    def fill_up(path: Path, table: Any) -> None:
        if path.name == "part-00001.parquet":
            raise OSError(28, "No space left on device")
        write(path, table)

    monkeypatch.setattr(writer, "write_parquet", fill_up)
    with pytest.raises(MeteoRayError, match="No space left on device"):
        run.classify(config(archive, tmp_path / "out"), fake_models())
    assert not (tmp_path / "out" / "summary.json").exists()
    committed = len(rows(tmp_path / "out"))
    assert 0 < committed < CHARTS + OTHERS + BAD
    monkeypatch.undo()
    summary = run.classify(config(archive, tmp_path / "out", resume=True), fake_models())
    assert summary["this_call"]["rows"] == CHARTS + OTHERS + BAD - committed
    assert without_run(tmp_path / "out") == without_run(finished)


def test_gate_alone_and_too_many_bad_rows(ray_session: None, archive: Path, tmp_path: Path) -> None:
    """Both in one run: what --stages leaves out stays null; --max-bad speaks after everything is written."""
    settings = config(archive, tmp_path / "out", stages=("gate",), max_bad=0.1)
    with pytest.raises(TooManyBadRows, match="4 of 20 files") as caught:
        run.classify(settings, fake_models(("gate",)))
    assert caught.value.exit_status == 3
    assert (tmp_path / "out" / "summary.json").exists()
    assert (tmp_path / "out" / "report.html").exists()
    assert {row["product"] for row in rows(tmp_path / "out")} == {None}
    assert sum(row["is_meteo"] or False for row in rows(tmp_path / "out")) == CHARTS


def test_an_image_that_kills_the_judging_process_costs_its_row(ray_session: None, tmp_path: Path) -> None:
    archive = paint_archive(tmp_path / "archive", 3, 3)
    paint(archive / "poison.png", (0, 0, 0), 3)
    models = Models([fake_model("gate", DyingGate)], fake_models().vocabulary)
    summary = run.classify(config(archive, tmp_path / "out", stages=("gate",)), models)
    assert summary["status"] == {"ok": 6, "rejected": 0, "error": 1}
    (bad,) = [row for row in rows(tmp_path / "out") if row["status"] != "ok"]
    assert (bad["path"], bad["reason"]) == ("poison.png", "crashed")
    assert "died of it" in bad["detail"]


def test_what_a_model_objects_to_while_loading_reaches_the_user(
    ray_session: None, archive: Path, tmp_path: Path
) -> None:
    models = fake_models(("gate",), refuse="min_recall 0.7 was not fitted")
    with pytest.raises(UsageError, match=r"min_recall 0\.7 was not fitted"):
        run.classify(config(archive, tmp_path / "out", stages=("gate",)), models)


def status_of(capsys: pytest.CaptureFixture[str], **flags: Any) -> tuple[int, str]:
    arguments = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
    return classify_archive.main(arguments), capsys.readouterr().err


def test_unusable_arguments_end_with_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    folder = paint(tmp_path / "a" / "x.png", BLUE).parent
    good = {"archive": folder, "models": tmp_path / "models", "out": tmp_path / "out"}
    for changes, message in [
        ({"archive": tmp_path / "typo"}, f"{tmp_path}/typo: no such folder"),
        ({"archive": folder / "x.png"}, "is a file"),
        ({"also": "links,copies"}, "give one of them"),
        ({"archive": "s3x://bucket/x"}, "s3x://bucket/x: cannot be opened"),
        ({"models": tmp_path / "nowhere"}, f"{tmp_path}/nowhere: no such folder"),
        ({"models": tmp_path / "empty"}, "no gate model here"),
        ({"out": folder / "out"}, "lies inside --archive"),
        ({"models": folder}, "lies inside"),
        ({"archive": tmp_path / "out" / "pending"}, "no such folder"),
        ({"stages": "elements"}, "elements needs gate before it"),
        ({"stages": "elements,gate"}, "in this order"),
        ({"stages": "gate,nowcast"}, "'nowcast'"),
        ({"max-bad": 1.5}, "--max-bad"),
    ]:
        status, error = status_of(capsys, **{**good, **changes})
        assert (status, message in error) == (2, True), error
    assert classify_archive.main([f"--{name}={value}" for name, value in good.items()] + ["--retry-errors"]) == 2
    assert "give --resume as well" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_packages_own_models_may_lie_in_the_archive_and_the_output_in_neither(tmp_path: Path) -> None:
    source = open_source(STARTER.parents[1])
    run._require_apart(ArchiveConfig(archive=STARTER.parents[1], out=tmp_path), source)
    for out in (STARTER / "out", STARTER.parents[1] / "out"):
        with pytest.raises(UsageError, match=r"--out .* lies inside"):
            run._require_apart(ArchiveConfig(archive=STARTER.parents[1], out=out), source)


def test_a_base_model_that_is_gone_is_named_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: Any) -> None:
        raise AssertionError("nothing may start")

    models = write_models(tmp_path / "models", adaptation="lora")
    monkeypatch.setattr(run, "Work", refused)
    (models / "base").rename(tmp_path / "moved")
    good = {"archive": paint_archive(tmp_path / "archive", 1, 0), "models": models, "out": tmp_path / "out"}
    for place, changes in ((models / "base", {}), (tmp_path / "wrong", {"products-base": tmp_path / "wrong"})):
        status, error = status_of(capsys, **good, **changes)
        assert (status, str(place) in error, "--products-base FOLDER" in error) == (2, True, True), error
    assert not (tmp_path / "out").exists()
    with pytest.raises(AssertionError, match="nothing may start"):
        status_of(capsys, **good, **{"products-base": tmp_path / "moved"})


def test_empty_archive_ends_with_its_path_before_ray_starts(tmp_path: Path) -> None:
    (tmp_path / "a" / "sub").mkdir(parents=True)
    with pytest.raises(UsageError, match=f"{tmp_path}/a: holds no file"):
        run.classify(config(tmp_path / "a", tmp_path / "out"), fake_models())


@pytest.mark.slow
def test_the_job_with_real_models(tmp_path: Path, capsys: pytest.CaptureFixture[str], ray_session: None) -> None:
    models = write_models(tmp_path / "models")
    archive = paint_archive(tmp_path / "archive", 4, 4)
    (archive / "twin.png").write_bytes((archive / "charts" / "0001.png").read_bytes())
    good = {"archive": archive, "models": models, "out": tmp_path / "out"}
    status, error = status_of(capsys, **good, stages="gate", **{"min-recall": 0.99})
    assert (status, "no threshold reached it" in error) == (2, True)
    assert status_of(capsys, **good)[0] == 0
    written = {row["path"]: row for row in rows(tmp_path / "out")}
    assert len(written) == 9
    summary = json.loads((tmp_path / "out" / "summary.json").read_text("utf-8"))
    assert summary["tokens_per_second"] == pytest.approx(summary["tokens"] / summary["seconds"]["products"], rel=1e-2)
    products = set(VOCABULARY.product_ids)
    for row in written.values():
        assert row["is_meteo"] is True
        assert row["product"] in products
        assert 0 <= row["product_score"] <= 1
        assert row["product_top"][0]["id"] == row["product"]
    twins = [written[name] for name in ("twin.png", "charts/0001.png")]
    for name in ("sha256", "gate_score", "elements", "element_sequence", "product_score", "product_top"):
        assert twins[0][name] == twins[1][name]
    (models / "elements" / "weights.safetensors").write_bytes(b"damaged")
    status, error = status_of(capsys, **{**good, "out": tmp_path / "other"})
    assert (status, "damaged" in error) == (2, True)
