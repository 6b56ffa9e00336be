"""Keys in a URI, and those in the environment, are seen by what needs them alone."""

import json

import pytest

from meteo_ray.archive import resume
from meteo_ray.archive.cascade.models import Models
from meteo_ray.archive.config import ArchiveConfig
from meteo_ray.archive.inputs.source import open_source
from meteo_ray.archive.results.summary import Timing, Totals, summary_document
from meteo_ray.errors import UsageError
from meteo_ray.files import without_secrets
from meteo_ray.imaging.decode import DecodeFailure
from meteo_ray.imaging.guarded_decoding import GuardedLoader
from meteo_ray.vocabulary import load_vocabulary
from tests.archive.fakes import BLUE, paint

SECRET = "sEcr3t%2Fkey"
URI = f"s3://AKIAKEY:{SECRET}@bucket/folder?region=eu-west-1"


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        (URI, "s3://***@bucket/folder?region=eu-west-1"),
        ("gs://token@bucket/a@b", "gs://***@bucket/a@b"),
        ("s3://AK:a/b@bucket/x", "s3://***@bucket/x"),
        ("s3://AK:a@b@bucket", "s3://***@bucket"),
        ("s3://bucket/mail@office", "s3://bucket/mail@office"),
        ("/data/a@b", "/data/a@b"),
    ],
)
def test_only_what_stands_before_the_host_is_hidden(place, shown):
    assert without_secrets(place) == shown


def test_neither_record_nor_summary_nor_message_holds_the_key(tmp_path):
    config = ArchiveConfig(archive=URI, models=tmp_path / "models", out=tmp_path / "out")
    models = Models([], load_vocabulary())
    record = json.dumps(resume.identity(config, models))
    summary = json.dumps(summary_document(Totals(), config, {}, {}, Timing(0, 0, 0)))
    with pytest.raises(UsageError) as caught:
        open_source(URI.replace("s3:", "s3x:"))
    for text in (record, summary, str(caught.value)):
        assert SECRET not in text
        assert "AKIAKEY" not in text
        assert "bucket" in text


def test_what_decodes_hostile_bytes_has_no_keys(tmp_path, monkeypatch):
    for name in ("AWS_SECRET_ACCESS_KEY", "RAY_AUTH_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "HF_TOKEN"):
        monkeypatch.setenv(name, SECRET)
    picture = paint(tmp_path / "a.png", BLUE)
    curious = "tests.imaging.curious_loader:tell_environment"
    with GuardedLoader(loader=curious) as loader, pytest.raises(DecodeFailure) as caught:
        loader.load(picture)
    seen = set(json.loads(caught.value.detail))
    assert "PATH" in seen
    assert not {name for name in seen if "KEY" in name or "TOKEN" in name or "CREDENTIALS" in name}
