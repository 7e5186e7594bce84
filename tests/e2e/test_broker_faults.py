"""A broker that gives a real daemon what it can't read, or falls silent. kafka_faults has those that die."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.intake.replay import encode_record
from tests.e2e.regimes import small_talk
from tests.e2e.stream import Stream
from tests.e2e.test_closed_loop import a_daemon
from tests.servers.brokers import Broker, own_broker
from tests.servers.tcp_proxy import TcpProxy
from tests.support.compressed import send_compressed
from tests.support.helpers import eventually

pytestmark = [
    pytest.mark.usefixtures("clients_are_gone"),
    pytest.mark.timeout(240),
    # The client forgets to close the socket of a connection that was refused; the collector does it.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


def test_a_compression_bomb_halts_the_daemon_until_an_operator_leaves_it_out(
    broker: Broker, tiny_model: Path, tmp_path: Path
) -> None:
    stream = Stream(broker, "bomb", partitions=1)
    [conversation] = small_talk(1, seed=1)
    with a_daemon(stream, broker, tiny_model, tmp_path) as daemon:
        send_compressed(stream.settings, "gzip", [bytes(200 * 10**6)])
        stream.send(encode_record(conversation))
        eventually(
            lambda: daemon.metric('retuned_intake_halted{reason="batch_too_large"}') == 1, deadline_s=30
        )
        eventually(lambda: not daemon.ready())
        [halt] = daemon.retuned("intake", "show")["halts"]
        assert "retuned intake seek bomb/0 1 -m" in halt["reason"]

        daemon.retuned("intake", "seek", "bomb/0", "1", "-m", "it was a bomb", "--yes")

        eventually(daemon.ready, deadline_s=30)
        eventually(
            lambda: daemon.retuned("status")["overview"]["intake"]["conversations"] == 1, deadline_s=30
        )
        assert daemon.stop() == 0


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    with TcpProxy() as before, own_broker(advertised=before.bootstrap) as running:
        before.target_port = int(running.bootstrap.rpartition(":")[2])
        yield before


@pytest.mark.parametrize("noticed", [False, True])
def test_the_daemon_stops_within_20_seconds_in_a_black_hole(
    proxy: TcpProxy, tiny_model: Path, tmp_path: Path, noticed: bool
) -> None:
    stream = Stream(proxy, "silent")
    with a_daemon(stream, proxy, tiny_model, tmp_path) as daemon:
        stream.send(b"no json")
        eventually(lambda: daemon.metric("retuned_dead_letters_published_total") == 1, deadline_s=30)
        proxy.black_hole()
        if noticed:
            eventually(lambda: daemon.metric("retuned_broker_connected") == 0, deadline_s=30)
            eventually(lambda: not daemon.ready(), deadline_s=10)

        start = time.monotonic()
        assert daemon.stop(within_s=20) == 0
        sys.stdout.write(f"stopped in a black hole after {time.monotonic() - start:.1f} s\n")
