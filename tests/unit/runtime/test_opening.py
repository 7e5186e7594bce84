import pytest

from daemon.domain.errors import LedgerLost, LedgerUnavailable
from daemon.runtime.opening import open_when_up


class Bench:
    """A ledger that can be used from a time on, and a clock that moves while one waits."""

    def __init__(self, up_at: float, *, stop_at: float = 1e9) -> None:
        self.now, self.up_at, self.stop_at = 0.0, up_at, stop_at

    def open(self) -> str:
        if self.now < self.up_at:
            raise LedgerUnavailable("starting up")
        return "ledger"

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return self.now >= self.stop_at

    def run(self) -> str | None:
        return open_when_up(self.open, clock=lambda: self.now, wait=self.wait)


@pytest.mark.parametrize("up_at", [0, 3, 55])
def test_a_server_that_starts_is_waited_for(up_at: float, caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(up_at)

    assert bench.run() == "ledger"
    assert caplog.text.count("starting up; waiting for it") == (up_at > 0)
    assert bench.now <= up_at + 5


def test_one_that_does_not_come_up_ends_the_start() -> None:
    bench = Bench(1e9)

    with pytest.raises(LedgerUnavailable):
        bench.run()
    assert 60 <= bench.now <= 66


def test_a_stop_ends_the_wait() -> None:
    assert Bench(1e9, stop_at=2).run() is None


def test_what_lasts_is_not_waited_for() -> None:
    def lost() -> str:
        raise LedgerLost("damaged")

    with pytest.raises(LedgerLost):
        open_when_up(lost, clock=lambda: 0.0, wait=lambda _: pytest.fail("it waits"))
