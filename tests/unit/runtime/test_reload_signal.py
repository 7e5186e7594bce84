import os
import signal

from daemon.runtime import reload_signal
from daemon.runtime.reload_signal import reload_on_hangup
from daemon.runtime.stop_signals import stop_on_signals


def test_each_hangup_is_a_request() -> None:
    with reload_on_hangup() as requests:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)

        assert requests.number == 2
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL


def test_the_end_of_the_terminal_stops_the_daemon(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(reload_signal, "_has_terminal", lambda: True)
    with stop_on_signals() as stop, reload_on_hangup() as requests:
        monkeypatch.setattr(reload_signal, "_has_terminal", lambda: False)
        os.kill(os.getpid(), signal.SIGHUP)

        assert stop.is_set()
        assert requests.number == 0
