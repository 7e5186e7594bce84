"""Hosts and brokers may be written with and without brackets."""

from pathlib import Path

import pytest
from kafka.cluster import collect_hosts  # type: ignore[import-untyped]

from daemon.config.addresses import bracketed, parse_broker, parse_host
from daemon.config.loader import load
from daemon.config.urls import without_secrets


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("kafka-1:9092", "kafka-1:9092"), ("kafka-1", "kafka-1"), ("10.0.0.7:9092", "10.0.0.7:9092"),
        (" k1:9092 ", "k1:9092"), ("[::1]:9092", "[::1]:9092"), ("::1:9092", "[::1]:9092"), ("[::1]", "[::1]"), ("::1", "[::1]"),
        ("2001:db8:0:0:0:0:0:1:9092", "[2001:db8:0:0:0:0:0:1]:9092"), ("[fe80::1%eth0]:9", "[fe80::1%eth0]:9"),
        ("fe80::a", "[fe80::a]"), ("::ffff:10.0.0.7:9092", "[::ffff:10.0.0.7]:9092"), ("брокер:9092", "брокер:9092"),
    ],
)  # fmt: skip
def test_a_broker_is_read_as_it_was_meant(written: str, read: str) -> None:
    assert parse_broker(written) == read
    assert parse_broker(read) == read


@pytest.mark.parametrize(
    "written",
    ["", " ", ":9092", "k1:", "k1:port", "k1:0", "k1:65536", "PLAINTEXT://k1:9092", "k1:1:2", "[::1", "::1]:9", "[k1", "k 1:9",
     "k1,k2:9092", "u@k1:9092", "[]:9092", "[zz::1]:1"],
)  # fmt: skip
def test_what_is_no_broker_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"must be"):
        parse_broker(written)


@pytest.mark.parametrize(
    ("written", "read"),
    [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("[::1]", "::1"), ("[::]", "::"), ("localhost", "localhost"),
     ("example.org", "example.org"), ("[fe80::1%lo]", "fe80::1%lo")],
)  # fmt: skip
def test_a_host_is_read_without_brackets(written: str, read: str) -> None:
    assert parse_host(written) == read


@pytest.mark.parametrize(
    "written", ["", "[", "::1]", "127.0.0.1:9464", "http://localhost", "a b", "[localhost]", "[::1]:80"]
)
def test_what_is_no_host_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="without a port"):
        parse_host(written)


@pytest.mark.parametrize(
    ("written", "reached"),
    [
        ("::1:9093", ("::1", 9093)),
        ("[::1]", ("::1", 9092)),
        ("fe80::1%lo:9093", ("fe80::1%lo", 9093)),
        ("k1", ("k1", 9092)),
    ],
)
def test_the_client_reaches_the_broker_that_was_meant(written: str, reached: tuple[str, int]) -> None:
    (host, port, _), *more = collect_hosts([parse_broker(written)])

    assert ((host, port), more) == (reached, [])


def test_only_ipv6_gets_brackets() -> None:
    assert [bracketed(host) for host in ("::1", "10.0.0.7", "k1")] == ["[::1]", "10.0.0.7", "k1"]


@pytest.mark.parametrize("servers", ["[::1]:9092,::1:9093", '["[::1]:9092", "::1:9093"]'])
def test_the_environment_may_name_ipv6_brokers(tmp_path: Path, servers: str) -> None:
    path = tmp_path / "retuned.yaml"
    path.write_text("model: {base: b}", encoding="utf-8")

    settings = load(path, {"RETUNED_KAFKA__BOOTSTRAP_SERVERS": servers, "RETUNED_HTTP__HOST": "[::1]"})

    assert settings.kafka.bootstrap_servers == ("[::1]:9092", "[::1]:9093")
    assert settings.http.host == "::1"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:hush@db/x", "postgresql://ada:***@db/x"),
        ("postgresql://ada:hu/sh@x@db:5432/x", "postgresql://ada:***@db:5432/x"),
        ("postgresql://:hush@db/x", "postgresql://:***@db/x"),
        ("postgresql://db/x?user=ada&password=hush", "postgresql://db/x?user=ada&password=***"),
        ("s3://bucket/a@b:c", "s3://bucket/a@b:c"),
        ("file:///data/a:b@c", "file:///data/a:b@c"),
        ("sqlite:////data/ledger.db", "sqlite:////data/ledger.db"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    assert without_secrets(url) == shown
