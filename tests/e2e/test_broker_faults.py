"""A broker that dies under a real daemon, or falls silent."""

import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.demo.broker import LocalBroker
from daemon.domain.windows import SeqRange
from daemon.intake.replay import encode_record
from daemon.ledger.conversations import ConversationLedger
from daemon.ledger.database import connect
from tests.e2e.load import Load
from tests.e2e.regimes import small_talk
from tests.e2e.stream import Stream
from tests.e2e.test_closed_loop import a_daemon
from tests.servers.s3_server import running_s3
from tests.servers.tcp_proxy import TcpProxy
from tests.support.compressed import send_compressed
from tests.support.helpers import eventually

pytestmark = [
    pytest.mark.usefixtures("clients_are_gone"),
    pytest.mark.timeout(240),
    # The client forgets to close the socket of a connection that was refused; the collector does it.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

OUTAGES = 3


@pytest.fixture
def durable() -> Iterator[LocalBroker]:
    with running_s3() as environment, LocalBroker(storage="s3://tansu/", environment=environment) as running:
        yield running


def test_a_broker_killed_under_load_costs_no_record_and_repeats_none(
    durable: LocalBroker, tiny_model: Path, tmp_path: Path
) -> None:
    stream = Stream(durable, "killed")
    with a_daemon(stream, durable, tiny_model, tmp_path, policy={"on_drift": False}) as daemon:
        engine = connect(f"sqlite:///{tmp_path / 'state' / 'ledger.db'}")
        ledger = ConversationLedger(engine)
        load = Load(stream)
        try:
            for _ in range(OUTAGES):
                before = ledger.last_seq()
                eventually(lambda before=before: ledger.last_seq() >= before + 100, deadline_s=60)  # type: ignore[misc]
                with load.writes.between():
                    durable.kill()
                eventually(lambda: daemon.metric("retuned_broker_connected") == 0, deadline_s=30)
                durable.start()
        finally:
            load.stop()
        eventually(lambda: ledger.last_seq() >= len(load.names), deadline_s=60)
        assert daemon.stop() == 0
        found = ledger.between(SeqRange(first=1, last=10**9))
        assert Counter(conversation.conversation_id for conversation in found) == Counter(load.names)
        engine.dispose()


def test_a_compression_bomb_halts_the_daemon_until_an_operator_leaves_it_out(
    broker: LocalBroker, tiny_model: Path, tmp_path: Path
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

        daemon.retuned("intake", "seek", "bomb/0", "1", "-m", "it was a bomb")

        eventually(daemon.ready, deadline_s=30)
        eventually(
            lambda: daemon.retuned("status")["overview"]["intake"]["conversations"] == 1, deadline_s=30
        )
        assert daemon.stop() == 0


@pytest.fixture
def proxy() -> Iterator[TcpProxy]:
    with TcpProxy() as before, LocalBroker(advertised=before.bootstrap) as running:
        before.target_port = running.port
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
