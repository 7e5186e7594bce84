"""How a client connects: settings, TLS, and why a connection did not come about."""

from typing import Any

from daemon.domain.streams import BrokerUnreachable
from daemon.kafka.library import KafkaConnectionManager, KafkaNetClient, NetworkSelector
from daemon.kafka.refusals import explained
from daemon.kafka.settings import KafkaSettings
from daemon.kafka.tls import ClientTls

#: The newest protocol that the client knows. Each connection comes down to what its broker speaks;
#: without it the constructors would wait for a broker.
_NEWEST_API = (4, 3)
_RECONNECT_MAX_MS = 2_000
#: Sending waits this long for a topic's partitions; a flush overruns its time-out by no more.
METADATA_TIMEOUT_MS = 1_000


class _Manager(KafkaConnectionManager):  # type: ignore[misc]
    """Remembers why the latest connection did not come about: the client only logs it, and tries again."""

    refusal: Exception | None = None

    async def _connect(self, node: object, conn: Any, *args: object, **options: object) -> None:
        conn.init_future.add_both(self._note)
        # A broker that wants a password hangs up on the first request after the greeting.
        conn.close_future.add_errback(self._note)
        await super()._connect(node, conn, *args, **options)

    def _note(self, outcome: object) -> None:
        self.refusal = outcome if isinstance(outcome, Exception) else None


class Client(KafkaNetClient):  # type: ignore[misc]
    """The client's own, with the manager above and TLS of ours."""

    def __init__(self, settings: KafkaSettings, **configs: object) -> None:
        net = NetworkSelector(**configs)
        if settings.security_protocol in ("SSL", "SASL_SSL"):
            configs["ssl_context"] = ClientTls(settings, later=net.call_later)
        super().__init__(net=net, manager=_Manager(net, **configs))

    @property
    def refusal(self) -> Exception | None:
        """Why the latest connection did not come about; None where it did."""
        found: Exception | None = self._manager.refusal
        return found


def unreachable(
    settings: KafkaSettings, error: Exception, *, timeout_s: float | None = None
) -> BrokerUnreachable:
    """Return the error that says why no broker is of use, and what to set."""
    servers = ", ".join(settings.bootstrap_servers)
    within = "" if timeout_s is None else f" within {timeout_s:g} s"
    return BrokerUnreachable(f"no use of the broker at {servers}{within}: {explained(error, settings)}")


def connection(settings: KafkaSettings) -> dict[str, object]:
    """Return what consumers, producers and admin clients are given alike. TLS is ``Client``'s: pass one."""
    return {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": settings.client_id,
        "api_version": settings.api_version or _NEWEST_API,
        "request_timeout_ms": settings.request_timeout_ms,
        "reconnect_backoff_max_ms": _RECONNECT_MAX_MS,
        "security_protocol": settings.security_protocol,
        "sasl_mechanism": settings.sasl_mechanism,
        "sasl_plain_username": settings.sasl_username,
        "sasl_plain_password": settings.sasl_password,
    }
