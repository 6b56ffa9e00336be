"""A bucket is listed page by page and read by the same URI; what cannot be is said in time and without keys."""

import pickle
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import settings
from pyarrow import fs

from meteo_ray.archive.inputs import object_store
from meteo_ray.archive.inputs.object_store import StoredObject, TooLarge, bounded_bytes, open_filesystem, pages_s3
from tests.archive.s3_server import REGION, S3Server, s3_server

ODD_NAMES = [
    "a b.png",
    "a#b.png",
    "a%20b.png",
    "a?b.png",
    "图 1.png",
    "a+b.png",
    "a=b/c.png",
    "a&b;c.png",
    "a:b.png",
    "back\\slash.png",
    "bell\x07.png",
    "é.png",
    "e\u0301.png",
    ".hidden.png",
    " blank ",
    "packed.png.gz",
    "/".join(["deep"] * 30) + "/a.png",
]
FOLDER = {f"folder/{name}": name.encode() for name in ODD_NAMES} | {
    f"folder/{number:02d}.png": b"x" * number for number in range(24)
}
BESIDE = {
    "folder/": b"",
    "folder/sub/": b"",
    "folder.png": b"beside",
    "folder2/x.png": b"beside",
    "图 夹+%20#/a.png": b"odd folder",
}
CANNOT_BE_OPENED = ["a//b.png", "/first.png", "./dot.png", "x/../up.png", "x/./y.png", "..", "x/.", "full/", "full//"]


@pytest.fixture(scope="module")
def server() -> Iterator[S3Server]:
    with s3_server() as running:
        running.fill("bucket", FOLDER | BESIDE)
        running.fill("odd", {f"f/{key}": key.encode() for key in CANNOT_BE_OPENED} | {"f/": b"of the folder"})
        running.fill("other", {"up.png": b"another object"})
        yield running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "ATTEMPTS", 2)
    for name in ("CONNECT_TIMEOUT_S", "READ_TIMEOUT_S", "LIST_TIMEOUT_S"):
        monkeypatch.setattr(object_store, name, 1)


def listed(uri: str, page: int = 1000) -> dict[str, StoredObject]:
    items = [item for objects in pages_s3(uri, page) for item in objects]
    found = {item.key: item for item in items}
    assert len(found) == len(items), "an object was listed twice"
    return found


def read(uri: str, key: str, max_bytes: int = 1000) -> bytes:
    filesystem, root = open_filesystem(uri)
    return bounded_bytes(filesystem, f"{root}/{key}", max_bytes)


def test_every_object_is_listed_and_read_by_the_same_uri(server: S3Server) -> None:
    uri = server.uri("bucket", "folder")
    found = listed(uri)
    assert {f"folder/{key}" for key in found} == set(FOLDER)
    for key, item in found.items():
        assert item.can_be_opened
        data = read(uri, key, item.size)
        assert (data, len(data)) == (FOLDER[f"folder/{key}"], item.size)


def test_time_is_that_which_pyarrow_lists(server: S3Server) -> None:
    uri = server.uri("bucket", "folder")
    filesystem, root = open_filesystem(uri)
    files = filesystem.get_file_info(fs.FileSelector(root, recursive=True))
    theirs = {info.path[len(root) + 1 :]: info.mtime_ns for info in files if info.is_file}
    assert theirs == {item.key: item.modified_ns for item in listed(uri).values()}


def test_pages_are_small_and_asked_for_one_by_one(server: S3Server) -> None:
    """What is uploaded after the first page has come stands on a later one."""
    server.fill("growing", {f"{number:02d}.png": b"x" for number in range(40)})
    pages = pages_s3(server.uri("growing"), page=7)
    first = next(pages)
    server.client.put_object(Bucket="growing", Key="99.png", Body=b"late")
    rest = list(pages)
    assert [len(page) for page in [first, *rest]] == [7, 7, 7, 7, 7, 6]
    keys = [item.key for page in [first, *rest] for item in page]
    assert keys == [f"{number:02d}.png" for number in [*range(40), 99]]


@pytest.mark.parametrize("prefix", ["folder2", "folder2/", "folder2//"])
def test_slash_at_the_end_of_the_uri_changes_nothing(server: S3Server, prefix: str) -> None:
    assert set(listed(server.uri("bucket", prefix))) == {"x.png"}


def test_whole_bucket_and_folder_with_odd_name(server: S3Server) -> None:
    marked = {key for key in FOLDER | BESIDE if not key.endswith("/")}
    assert set(listed(server.uri("bucket"))) == marked
    uri = server.uri("bucket", "图 夹+%20#")
    assert set(listed(uri)) == {"a.png"}
    assert read(uri, "a.png") == b"odd folder"


def test_folder_that_is_not_there_is_empty(server: S3Server) -> None:
    assert listed(server.uri("bucket", "nothing")) == {}


def test_keys_that_cannot_be_opened_are_listed_and_known(server: S3Server) -> None:
    uri = server.uri("odd", "f")
    found = listed(uri)
    assert set(found) == {*CANNOT_BE_OPENED, ""}
    for key, item in found.items():
        assert not item.can_be_opened
        with pytest.raises(OSError, match="cannot be opened"):
            read(uri, key)


def test_path_with_dots_does_not_read_another_object(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """pyarrow itself would where nothing is signed."""
    monkeypatch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", float("inf"))
    filesystem, _ = open_filesystem(server.uri("other"))
    with filesystem.open_input_stream("other/f/../up.png") as stream:
        assert stream.read() == b"another object"
    with pytest.raises(OSError, match="cannot be opened"):
        bounded_bytes(filesystem, "other/f/../up.png", 1000)


def test_object_is_held_up_to_the_bound(server: S3Server) -> None:
    server.fill("sizes", {"a.png": b"x" * 10, "empty.png": b""})
    uri = server.uri("sizes")
    assert read(uri, "a.png", max_bytes=10) == b"x" * 10
    assert read(uri, "empty.png", max_bytes=0) == b""
    server.client.put_object(Bucket="sizes", Key="a.png", Body=b"x" * 1_000_000)
    with pytest.raises(TooLarge, match="more than 10 bytes"):
        read(uri, "a.png", max_bytes=10)
    server.client.delete_object(Bucket="sizes", Key="a.png")
    with pytest.raises(FileNotFoundError):
        read(uri, "a.png", max_bytes=10)


def test_other_file_systems_are_those_of_their_uri(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"12345")
    filesystem, root = open_filesystem(tmp_path.as_uri())
    assert (filesystem, root) == fs.FileSystem.from_uri(tmp_path.as_uri())
    assert bounded_bytes(filesystem, f"{root}/a.png", 5) == b"12345"
    with pytest.raises(TooLarge):
        bounded_bytes(filesystem, f"{root}/a.png", 4)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://bucket?region=eu-west-1",
        "s3://bucket:9000/a%20b/%E5%9B%BE/?region=eu-west-1&region=eu-west-2",
        "s3://AK:s%2Fe+c%20r%40t:x@bucket/a+b/c%2520d?region=eu-west-1",
        "s3://:ignored@bucket/a?region=eu-west-1&scheme=http",
        "s3://AK:s@bucket/a?region=a+b&scheme=http&endpoint_override=127.0.0.1%3A9000",
        "s3://AK:s@bucket/a?region=r&endpoint_override=http://127.0.0.1:9000",
        "s3://AK:s@bucket/a?region=r&allow_bucket_creation=True&allow_bucket_deletion=0&allow_delayed_open=1",
        "s3://AK:s@bucket/a?region=r&tls_ca_file_path=/etc/ca.pem",
        "s3://AK:s@bucket/a?region=r&tls_verify_certificates=false",
    ],
)
def test_uri_means_what_it_means_to_pyarrow(uri: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """But for time limits and retries, which its file systems do not compare."""
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    theirs, their_path = fs.FileSystem.from_uri(uri)
    for name in ("connect_timeout", "request_timeout"):
        assert _options(theirs).pop(name) == -1
    ours, path = open_filesystem(uri)
    assert path == their_path
    if "tls_verify" not in uri:
        timeouts = {"connect_timeout": object_store.CONNECT_TIMEOUT_S, "request_timeout": object_store.READ_TIMEOUT_S}
        assert _options(ours) == _options(theirs) | timeouts


def _options(filesystem: fs.FileSystem) -> dict[str, object]:
    """What a file system would be built from in another process."""
    _, (options,) = filesystem.__reduce__()
    return dict(options)


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("s3://AK:SECRET@bucket/a#b?region=r", "%23"),
        ("s3://AK:SECRET@bucket/a/../b?region=r", "part"),
        ("s3://AK:SECRET@bucket/a//b?region=r", "part"),
        ("s3://AK@bucket/a?region=r", "secret"),
        ("s3://AK:SECRET@bucket/a?region=r&tls_ca_dir_path=/etc", "tls_ca_file_path"),
        ("s3://AK:SECRET@bucket/a?region=r&request_timeout=5", "request_timeout"),
        ("s3:///a?region=r", "bucket"),
    ],
)
def test_uri_that_would_be_misread_is_refused(uri: str, why: str) -> None:
    for call in (open_filesystem, lambda uri: next(pages_s3(uri))):
        with pytest.raises(ValueError, match=why) as caught:
            call(uri)
        assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("endpoint", ["scheme=http&endpoint_override={}", "endpoint_override=http://{}", ""])
def test_endpoint_keys_and_region_may_stand_in_the_environment(
    server: S3Server, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{server.address}" if not endpoint else "http://127.0.0.1:9")
    uri = f"s3://bucket/folder2?{endpoint.format(server.address)}"
    assert set(listed(uri)) == {"x.png"}
    assert read(uri, "x.png") == b"beside"


def test_public_bucket_needs_no_keys(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", float("inf"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    server.client.put_object_acl(Bucket="bucket", Key="folder2/x.png", ACL="public-read")
    uri = f"s3://bucket/folder2?region={REGION}&scheme=http&endpoint_override={server.address}"
    assert set(listed(uri)) == {"x.png"}
    assert read(uri, "x.png") == b"beside"


def test_proxy_of_the_environment_is_passed_by(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name)
    uri = server.uri("bucket", "folder2")
    assert set(listed(uri)) == {"x.png"}
    assert read(uri, "x.png") == b"beside"


def refused(uri: str, secret: str, within_s: float) -> None:
    """Listing and reading both end in time with an OSError that holds no keys."""
    for call in (lambda: listed(uri), lambda: read(uri, "x.png")):
        start = time.monotonic()
        with pytest.raises(OSError) as caught:  # noqa: PT011
            call()
        assert time.monotonic() - start < within_s
        assert secret not in str(caught.value)
        assert "bucket" in str(caught.value)


def test_wrong_key_is_refused_at_once(server: S3Server) -> None:
    refused(server.uri("bucket", "folder2", secret_key="wr/ng+secret"), "wr/ng+secret", within_s=3)


def test_bucket_that_is_not_there_is_an_error(server: S3Server) -> None:
    with pytest.raises(OSError, match=r"s3://no-such-bucket/a: cannot be listed: .*NoSuchBucket"):
        listed(server.uri("no-such-bucket", "a"))


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("silent", [False, True])
def test_dead_or_silent_store_is_given_up(silent: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:  # takes connections, never answers
        port = listening.getsockname()[1]
        if not silent:
            listening.close()
        uri = f"s3://AK:s3cr%2Ft@bucket?region=r&scheme=http&endpoint_override=127.0.0.1:{port}"
        refused(uri, "s3cr", within_s=10)


@pytest.mark.parametrize(
    "answer", [{}, {"IsTruncated": True}, {"IsTruncated": True, "NextContinuationToken": ""}], ids=str
)
def test_answer_that_is_no_listing_is_not_the_end_of_the_bucket(answer: dict[str, object]) -> None:
    with pytest.raises(OSError, match="no page of a listing"):
        object_store._require_listing(answer)


def test_file_system_keeps_its_patience_in_another_process(server: S3Server) -> None:
    filesystem, root = open_filesystem(server.uri("bucket", "folder2"))
    again = pickle.loads(pickle.dumps(filesystem))
    assert _options(again)["request_timeout"] == object_store.READ_TIMEOUT_S
    assert bounded_bytes(again, f"{root}/x.png", 10) == b"beside"
