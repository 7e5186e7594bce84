"""A connection that is refused leaves no socket behind."""

import socket
from typing import Any

import pytest

from daemon.kafka import client_patches
from daemon.kafka.library import kafka_errors, net_inet
from daemon.kafka.net_sockets import ClosingNetSocket
from tests.e2e.daemon_process import free_port


class Net:
    """A selector of which every socket is ready at once."""

    async def wait_write(self, sock: socket.socket, timeout_at: float | None = None) -> None:
        sock.setblocking(True)


class Watched(ClosingNetSocket):
    made: socket.socket

    def socket(self, *arguments: Any, **options: Any) -> socket.socket:
        Watched.made = socket.socket(*arguments)
        return Watched.made


def connect(port: int) -> Any:
    address = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", port))
    made = Watched().connect(Net(), address)
    try:
        made.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("it waits")


def test_the_socket_of_a_refused_connection_is_closed() -> None:
    with pytest.raises(kafka_errors.KafkaConnectionError):
        connect(free_port())

    assert Watched.made.fileno() == -1


def test_a_connected_socket_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        sock = connect(server.getsockname()[1])
        assert sock.fileno() != -1
        sock.close()


def test_the_client_uses_it() -> None:
    client_patches.apply()

    assert net_inet.KafkaNetSocket is ClosingNetSocket
