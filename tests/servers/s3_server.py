"""An S3 server on this machine (moto's), in a process of its own: it outlives whatever is killed around it."""

import contextlib
import http.client
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from tests.e2e.daemon_process import free_port
from tests.support.helpers import eventually

BUCKET = "tansu"


@contextlib.contextmanager
def running_s3() -> Iterator[Mapping[str, str]]:
    """The environment of a client; the bucket BUCKET is there, and empty."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: _made(port), deadline_s=60)
        yield {
            **os.environ,
            "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_CONDITIONAL_PUT": "etag",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
        }
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def s3fs_on(environment: Mapping[str, str]) -> Iterator[None]:
    """Have s3fs use that server within this process: it keeps clients, with what they read of the environment."""
    from s3fs import S3FileSystem  # type: ignore[import-untyped]

    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            patch.setenv(name, environment[name])
        patch.setenv("AWS_ENDPOINT_URL", environment["AWS_ENDPOINT"])
        S3FileSystem.clear_instance_cache()
        try:
            yield
        finally:
            S3FileSystem.clear_instance_cache()


def _made(port: int) -> bool:
    """Make the bucket; False while nobody listens yet."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("PUT", f"/{BUCKET}")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
