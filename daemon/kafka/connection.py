"""Connects clients to brokers, and keeps the reason when a connection fails."""

from typing import Any

from daemon.domain.streams import BrokerUnreachable
from daemon.kafka.library import KafkaConnectionManager, KafkaNetClient, NetworkSelector, kafka_errors
from daemon.kafka.login import LoginError
from daemon.kafka.refusals import explain
from daemon.kafka.sasl import sasl_options
from daemon.kafka.settings import KafkaSettings
from daemon.kafka.tls import ClientTls

#: The newest protocol that the client knows. Each connection negotiates down to its broker's; without it the
#: constructors would wait for a broker.
_NEWEST_API = (4, 3)
_RECONNECT_MAX_MS = 2_000
#: How long sending waits for a topic's partitions, by which a flush may overrun its time-out.
METADATA_TIMEOUT_MS = 1_000
#: A topic that is deleted and created anew while it is read is noticed within this time, if the broker does not report
#: it. What was read of the new topic until then is read again after the operator's seek, and counted once.
METADATA_MAX_AGE_MS = 5_000


#: A login that the broker refused, or that had nothing to log in with.
_LOGIN_ERRORS = (
    kafka_errors.SaslAuthenticationFailedError,
    kafka_errors.UnsupportedSaslMechanismError,
    LoginError,
)
#: Words of an error about a port that nothing listens on.
_NOT_LISTENING = ("ECONNREFUSED", "Connection refused")


class _Manager(KafkaConnectionManager):  # type: ignore[misc]
    """Remembers why the latest connection failed: the client only logs it and retries."""

    refusal: Exception | None = None

    async def _connect(self, node: object, conn: Any, *args: object, **options: object) -> None:
        conn.init_future.add_both(self._note)
        # A broker that requires a password closes the connection at the first request after the handshake.
        conn.close_future.add_errback(self._note)
        await super()._connect(node, conn, *args, **options)

    def _note(self, outcome: object) -> None:
        """Keep the reason. After a failed login only a connection, or a port that answers no more, replaces it.

        The broker hangs up after it has refused a login, and attempts that come too soon time out: neither tells more.
        """
        found = outcome if isinstance(outcome, Exception) else None
        if isinstance(self.refusal, _LOGIN_ERRORS) and found is not None and not _is_new(found):
            return
        self.refusal = found


def _is_new(error: Exception) -> bool:
    """Return whether an error after a failed login says something else than the broker's hang-up."""
    return isinstance(error, _LOGIN_ERRORS) or any(word in str(error) for word in _NOT_LISTENING)


class Client(KafkaNetClient):  # type: ignore[misc]
    """The client's own network client, with a manager that remembers refusals and our TLS."""

    def __init__(self, settings: KafkaSettings, **configs: object) -> None:
        net = NetworkSelector(**configs)
        if settings.security_protocol in ("SSL", "SASL_SSL"):
            configs["ssl_context"] = ClientTls(settings, later=net.call_later)
        manager = _Manager(net, **configs)
        # The client's own setting of this name never reaches the request: asking for a topic would create it.
        manager.cluster.config["allow_auto_create_topics"] = False
        super().__init__(net=net, manager=manager)

    @property
    def refusal(self) -> Exception | None:
        """Why the latest connection failed; None if it did not."""
        found: Exception | None = self._manager.refusal
        return found

    @property
    def has_connection(self) -> bool:
        """Whether a broker of the cluster is connected now."""
        return any(self.connected(broker.node_id) for broker in self.cluster.brokers())


def no_connection(settings: KafkaSettings, client: Client | None) -> BrokerUnreachable:
    """Return the error that says why no broker is connected."""
    refusal = None if client is None else client.refusal
    return BrokerUnreachable("no broker answers") if refusal is None else unreachable(settings, refusal)


def unreachable(
    settings: KafkaSettings, error: Exception, *, timeout_s: float | None = None
) -> BrokerUnreachable:
    """Return the error that says why no broker can be used, and what to change."""
    servers = ", ".join(settings.bootstrap_servers)
    within = "" if timeout_s is None else f" within {timeout_s:g} s"
    return BrokerUnreachable(f"no usable broker at {servers}{within}: {explain(error, settings)}")


def connection(settings: KafkaSettings) -> dict[str, object]:
    """Return the options that consumers, producers and admin clients share. TLS is part of ``Client``: pass one, too."""
    return {
        "bootstrap_servers": list(settings.bootstrap_servers),
        "client_id": settings.client_id,
        "api_version": settings.api_version or _NEWEST_API,
        "request_timeout_ms": settings.request_timeout_ms,
        "reconnect_backoff_max_ms": _RECONNECT_MAX_MS,
        "security_protocol": settings.security_protocol,
        **sasl_options(settings),
    }
