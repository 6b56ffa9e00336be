"""Object stores: opened by URI with finite patience, listed a page at a time, objects read whole within a bound.

pyarrow opens and reads. It lists a folder only as a whole, which for a flat bucket is all of it; so buckets of S3 are
listed by boto3, which is told to take the URI as pyarrow takes it.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import pyarrow as pa
from pyarrow import fs

S3_SCHEME = "s3://"

ATTEMPTS = 5  # of each request; the pauses between them grow
CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 10  # without a byte of an object
LIST_TIMEOUT_S = 30  # without a byte of a page: a store gathers a thousand keys before it answers

# Query keys of a URI for which S3FileSystem's constructor has no argument.
ONLY_IN_URI = frozenset({"smart_defaults", "tls_verify_certificates"})
TRUE = ("true", "1")  # what pyarrow takes for true in a URI, in any case
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class TooLarge(Exception):
    """Raised when an object holds more than the caller is ready to take."""


class StoredObject(NamedTuple):
    """An object as its bucket lists it; `key` is relative to the listed folder."""

    key: str
    size: int
    modified_ns: int

    @property
    def can_be_opened(self) -> bool:
        """False for keys with an empty, `.` or `..` part: pyarrow refuses them or may take them for another object's.
        `bounded_bytes` raises OSError for them.
        """
        return _is_plain(self.key)


class _S3Uri(NamedTuple):
    """What a URI says of its store. The keys are empty where the environment or an AWS profile holds them."""

    access_key: str
    secret_key: str
    options: dict[str, str]


def open_filesystem(uri: str) -> tuple[fs.FileSystem, str]:
    """`FileSystem.from_uri`, but a bucket of S3 is given up after ATTEMPTS of bounded length.

    Without this a store that accepts connections and stays silent is asked for 99 s, 31 times; pyarrow's URIs have no
    place for time limits. A store that sends a byte now and then is not noticed: who cannot wait needs a clock too.
    `smart_defaults` and `tls_verify_certificates` leave pyarrow's own limits in force.

    Raises:
        OSError: when the region of the bucket has to be asked for and there is no answer.
        ValueError: when the URI means nothing to pyarrow (ArrowInvalid is one), or different things to pyarrow and
            boto3. pyarrow's message may repeat the URI.
    """
    if uri.startswith(S3_SCHEME) and "#" in uri:
        raise ValueError("write # as %23: a URI ends there")
    filesystem, path = fs.FileSystem.from_uri(uri)
    if not isinstance(filesystem, fs.S3FileSystem):
        return filesystem, path
    store = _s3_uri(uri, path)
    if store.options.keys() & ONLY_IN_URI:
        return filesystem, path
    return _patient(store, filesystem.region), path


def bounded_bytes(filesystem: fs.FileSystem, path: str, max_bytes: int) -> bytes:
    """An object as it is stored, whole; no more than `max_bytes` + 1 bytes of it are ever held.

    Raises:
        TooLarge: when it holds more than `max_bytes`.
        FileNotFoundError: when there is none.
        OSError: when the store does not answer, or no object can be opened by such a path.
    """
    # A file system may take `a/../b` for `b`: the bytes of another object. Absolute paths of HDFS begin with a slash.
    if not _is_plain(path.removeprefix("/")):
        raise OSError(f"{path}: a path with an empty, '.' or '..' part cannot be opened")
    pieces, room = [], max_bytes + 1
    try:
        # By default pyarrow would unpack `a.png.gz` on the way.
        with filesystem.open_input_stream(path, compression=None) as stream:
            while room and (piece := stream.read(room)):
                pieces.append(piece)
                room -= len(piece)
    except pa.ArrowInvalid as error:
        raise OSError(str(error)) from None
    if not room:
        raise TooLarge(f"{path}: more than {max_bytes} bytes")
    return b"".join(pieces)


def pages_s3(uri: str, page: int = 1000) -> Iterator[list[StoredObject]]:
    """The objects below a URI of S3 in the order of their keys; one page is held, and asked for when it is needed.

    Every object comes once, also with a key that cannot be opened: see `can_be_opened`. An object whose key is that of
    the folder itself, with its slash, has the key "". Left out are only the empty objects with a key that ends in "/",
    by which consoles mark folders.

    Args:
        page: how many keys to ask for at a time; S3 gives at most 1000.

    Raises:
        OSError: when the store cannot be reached, refuses or answers with something else, after ATTEMPTS; the message
            names the bucket and no keys.
        ValueError: as `open_filesystem`.
    """
    # Imported here: only the process that lists needs it.
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    filesystem, path = open_filesystem(uri)
    store = _s3_uri(uri, path)
    bucket, _, folder = path.partition("/")
    prefix = f"{folder}/" if folder else ""
    try:
        with closing(_client(store, filesystem.region)) as client:
            paginator = client.get_paginator("list_objects_v2")
            for answer in paginator.paginate(Bucket=bucket, Prefix=prefix, PaginationConfig={"PageSize": page}):
                _require_listing(answer)
                if objects := _objects(answer, prefix):
                    yield objects
    except (BotoCoreError, ClientError, ResponseParserError, OSError) as error:
        raise OSError(f"{S3_SCHEME}{path}: cannot be listed: {_without(store, str(error))}") from None


def _s3_uri(uri: str, path: str) -> _S3Uri:
    """What a URI says, once pyarrow has found it well formed; `path` is what pyarrow made of it.

    Raises:
        ValueError: for what pyarrow and boto3 would take differently. The message does not repeat the URI.
    """
    parts = urlsplit(uri)
    # pyarrow heeds the first of several.
    options = dict(reversed(parse_qsl(parts.query, keep_blank_values=True)))
    folder = path.partition("/")[2]
    if folder and not _is_plain(folder):
        raise ValueError("the folder has an empty, '.' or '..' part")
    if parts.username and not parts.password:
        raise ValueError("an access key needs its secret: s3://key:secret@bucket")
    if "tls_ca_dir_path" in options:
        raise ValueError("tls_ca_dir_path: not supported; give tls_ca_file_path")
    # pyarrow looks into these variables when it opens a URI, but not when S3FileSystem is called.
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3", os.environ.get("AWS_ENDPOINT_URL", ""))
    options.setdefault("endpoint_override", endpoint)
    if not parts.username:
        return _S3Uri("", "", options)
    return _S3Uri(unquote(parts.username), unquote(parts.password or ""), options)


def _patient(store: _S3Uri, region: str) -> fs.S3FileSystem:
    options: dict[str, Any] = {
        name: value.lower() in TRUE if name.startswith("allow_") else value for name, value in store.options.items()
    }
    return fs.S3FileSystem(
        access_key=store.access_key or None,
        secret_key=store.secret_key or None,
        connect_timeout=CONNECT_TIMEOUT_S,
        request_timeout=READ_TIMEOUT_S,  # on Linux too, whatever its documentation says
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=ATTEMPTS),
        **{**options, "region": region},
    )


def _client(store: _S3Uri, region: str) -> Any:
    """A boto3 client that reaches a store in the way in which pyarrow does."""
    import boto3
    from botocore import UNSIGNED
    from botocore.config import Config
    from botocore.session import Session

    core = Session()
    core.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
    endpoint = store.options["endpoint_override"]
    if endpoint and "://" not in endpoint:
        endpoint = f"{store.options.get('scheme') or 'https'}://{endpoint}"
    keys = (store.access_key or None, store.secret_key or None)
    session = boto3.Session(*keys, region_name=region, botocore_session=core)
    config = Config(
        # Without keys pyarrow does not sign, and public buckets can be read.
        signature_version=None if session.get_credentials() else UNSIGNED,
        s3={"addressing_style": "path" if endpoint else "auto"},
        proxies={},  # pyarrow passes by the proxies of the environment
        ignore_configured_endpoint_urls=True,
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=LIST_TIMEOUT_S,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    )
    verified = store.options.get("tls_verify_certificates", "true").lower() in TRUE
    verify = (store.options.get("tls_ca_file_path") or None) if verified else False
    return session.client("s3", endpoint_url=endpoint or None, verify=verify, config=config)


def _require_listing(answer: Mapping[str, Any]) -> None:
    """A gateway's own page, or a store that knows only the first version of this request, would else pass for the end
    of the bucket.
    """
    if "IsTruncated" not in answer or (answer["IsTruncated"] and not answer.get("NextContinuationToken")):
        raise OSError("the answer is no page of a listing (ListObjectsV2)")


def _objects(answer: Mapping[str, Any], prefix: str) -> list[StoredObject]:
    return [
        StoredObject(item["Key"][len(prefix) :], item["Size"], _nanoseconds(item["LastModified"]))
        for item in answer.get("Contents", ())
        if item["Size"] or not item["Key"].endswith("/")
    ]


def _moment(text: str) -> datetime:
    """botocore's own way takes three times as long for a whole page; it remains for what is not ISO 8601."""
    from botocore.utils import parse_timestamp

    try:
        return datetime.fromisoformat(text)
    except ValueError:
        moment: datetime = parse_timestamp(text)
        return moment


def _nanoseconds(moment: datetime) -> int:
    """Since 1970, exact: a float of seconds would lose digits."""
    return (moment - EPOCH) // timedelta(microseconds=1) * 1000


def _is_plain(key: str) -> bool:
    return not any(part in ("", ".", "..") for part in key.split("/"))


def _without(store: _S3Uri, message: str) -> str:
    for secret in filter(None, (store.secret_key, store.access_key)):
        message = message.replace(secret, "***")
    return message
