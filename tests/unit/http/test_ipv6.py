"""The server, its probe and doctor at IPv6 addresses."""

import socket

import pytest

from daemon.cli.doctor.machine import check_http
from daemon.config.settings import HttpSection, Settings
from daemon.http.health import Health
from daemon.http.probe import probe
from daemon.http.server import HttpServer, bind_listener
from daemon.telemetry.metrics import Metrics


def has_ipv6() -> bool:
    try:
        bind_listener("::1", 0, backlog=1).close()
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize("host", ["::1", "[::1]", "::", "[::]", "localhost", "127.0.0.1"])
def test_a_daemon_is_found_at_the_address_that_it_listens_on(host: str) -> None:
    with HttpServer(
        HttpSection(host=host, port=0), Metrics(), Health(clock=lambda: 0.0, components=())
    ) as server:
        health = probe(HttpSection(host=host, port=server.port), timeout_s=5)

    assert health.running


@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_the_probe_and_doctor_name_the_address_in_brackets(host: str) -> None:
    with socket.socket(socket.AF_INET6) as other:
        other.bind(("::1", 0))
        other.listen()
        port = other.getsockname()[1]
        settings = Settings.model_validate({"model": {"base": "b"}, "http": {"host": host, "port": port}})

        check = check_http(settings)

    assert not check.ok
    assert f"could not listen at [::1]:{port}" in check.found
    assert probe(settings.http).url == f"http://[::1]:{port}"


def test_the_zone_of_an_address_is_escaped() -> None:
    assert probe(HttpSection(host="fe80::1%lo", port=1)).url == "http://[fe80::1%25lo]:1"


def test_a_name_that_does_not_exist_is_told() -> None:
    settings = Settings.model_validate(
        {"model": {"base": "b"}, "http": {"host": "no-such-host.invalid", "port": 1}}
    )

    assert not check_http(settings).ok
