"""An object store on this machine that speaks S3, checks signatures and needs neither network nor environment."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.config import Config
from moto import settings
from moto.server import ThreadedMotoServer

REGION = "us-east-1"
EVERYTHING = (
    '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "arn:aws:s3:::*"}]}'
)


@dataclass(frozen=True)
class S3Server:
    """`address` is host:port. The secret holds a slash and a plus sign, so a URI must have it percent-encoded."""

    address: str
    access_key: str
    secret_key: str
    client: Any

    def uri(self, bucket: str, prefix: str = "", secret_key: str | None = None) -> str:
        """The URI of a folder as a user would write it, with the keys, or with a wrong secret."""
        keys = f"{self.access_key}:{quote(secret_key or self.secret_key, safe='')}"
        return f"s3://{keys}@{bucket}/{quote(prefix)}?region={REGION}&scheme=http&endpoint_override={self.address}"

    def fill(self, bucket: str, objects: Mapping[str, bytes]) -> None:
        """Make a bucket with these objects, by their keys."""
        self.client.create_bucket(Bucket=bucket)
        for key, data in objects.items():
            self.client.put_object(Bucket=bucket, Key=key, Body=data)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A store that is empty and gone afterwards. One at a time in a process: two would share their buckets."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("no_proxy", "NO_PROXY"):
            patch.setenv(name, "127.0.0.1")
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        address = f"{host}:{port}"
        try:
            access_key, secret_key = _new_keys(_client("iam", address, "any", "any"))
            # From here on every request must be signed with these keys.
            patch.setattr(settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)
            yield S3Server(address, access_key, secret_key, _client("s3", address, access_key, secret_key))
        finally:
            urlopen(Request(f"http://{address}/moto-api/reset", method="POST")).close()
            server.stop()


def _client(service: str, address: str, access_key: str, secret_key: str) -> Any:
    return boto3.Session(access_key, secret_key, region_name=REGION).client(
        service, endpoint_url=f"http://{address}", config=Config(proxies={})
    )


def _new_keys(iam: Any) -> tuple[str, str]:
    """Keys of a user who may do everything; drawn until the secret is one that is easily written wrong in a URI."""
    number, key = 0, {"SecretAccessKey": ""}
    while not {"/", "+"} <= set(key["SecretAccessKey"]):
        number, user = number + 1, f"user{number}"
        iam.create_user(UserName=user)
        iam.put_user_policy(UserName=user, PolicyName="everything", PolicyDocument=EVERYTHING)
        key = iam.create_access_key(UserName=user)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]
