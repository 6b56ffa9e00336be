"""An archive in an object store, through a whole run: the same rows as of the same files in a folder."""

import json
from pathlib import Path

import pytest

from meteo_ray.archive import run
from meteo_ray.errors import MachineFault
from tests.archive.fakes import fake_models, paint_archive
from tests.archive.in_process import without_ray  # noqa: F401 (a fixture)
from tests.archive.s3_server import s3_server
from tests.archive.test_run import config, without_run

pytestmark = pytest.mark.usefixtures("without_ray")


def test_a_bucket_is_judged_like_the_folder_it_was_filled_from(tmp_path: Path, monkeypatch) -> None:
    """New objects are found by the next call; a store that went away is held against no object; keys stay secret."""
    archive, out = paint_archive(tmp_path / "archive", 4, 3), tmp_path / "out"
    (archive / "charts" / "图 1#%20.png").write_bytes((archive / "charts" / "0001.png").read_bytes())
    (archive / "empty.png").write_bytes(b"")
    files = {path.relative_to(archive).as_posix(): path.read_bytes() for path in archive.rglob("*") if path.is_file()}
    run.classify(config(archive, tmp_path / "local"), fake_models())
    with s3_server() as server:
        server.fill("bucket", {f"day/{name}": data for name, data in files.items()})
        uri = server.uri("bucket", "day")
        run.classify(config(uri, out, also=("copies",)), fake_models())
        assert without_run(out) == without_run(tmp_path / "local")
        assert {path.read_bytes() for path in (out / "sorted").glob("*/*.png")} <= set(files.values())
        server.fill("bucket", {"day/new.png": files["charts/0000.png"]})
        assert run.classify(config(uri, out, resume=True), fake_models())["this_call"]["rows"] == 1
        server.fill("bucket", {"day/late.png": files["others/0002.png"] + b"x"})

        def gone(*arguments: object) -> bytes:
            raise OSError("connection refused")

        with monkeypatch.context() as outage:
            outage.setattr("meteo_ray.archive.reading.fetching.bounded_bytes", gone)
            outage.setattr("meteo_ray.archive.reading.health.Health._remote_problem", lambda health: "is out of reach")
            with pytest.raises(MachineFault, match="nothing was held against"):
                run.classify(config(uri, out, resume=True), fake_models())
        assert run.classify(config(uri, out, resume=True), fake_models())["rows"] == len(files) + 2
    told = (out / "run.json").read_text() + (out / "summary.json").read_text() + (out / "report.html").read_text()
    assert server.secret_key not in told
    assert json.loads((out / "run.json").read_text())["archive"].startswith("s3://***@bucket/day")
