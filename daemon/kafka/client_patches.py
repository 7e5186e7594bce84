"""Replaces classes inside kafka-python that it names itself and offers no setting for.

====================================  ======================  ======================================================
attribute                             replacement             why
====================================  ======================  ======================================================
record.memory_records.*RecordBatch    Bounded*Batch           decompression has no bound
consumer.group.Fetcher                WatchedFetcher          an unreadable batch would never leave poll
consumer.group.ConsumerCoordinator    ResumingCoordinator     a join that ends between two polls would start over
net.manager.Kafka*Transport           Complete*Transport      the last answer before a hang-up would be lost
net.inet.KafkaNetSocket               ClosingNetSocket        sockets of refused connections would stay open
====================================  ======================  ======================================================
"""

from types import ModuleType

from daemon.domain.errors import DaemonError
from daemon.kafka.batches import BoundedBatch, BoundedLegacyBatch, WatchedFetcher
from daemon.kafka.joining import ResumingCoordinator
from daemon.kafka.library import client_version, consumer_group, memory_records, net_inet, net_manager
from daemon.kafka.net_sockets import ClosingNetSocket
from daemon.kafka.transports import CompleteTcpTransport, CompleteTlsTransport

#: The release series whose private parts the replacements were written for.
SUPPORTED_SERIES = "3.0"

_REPLACEMENTS: tuple[tuple[ModuleType, str, type], ...] = (
    (memory_records, "DefaultRecordBatch", BoundedBatch),
    (memory_records, "LegacyRecordBatch", BoundedLegacyBatch),
    (consumer_group, "Fetcher", WatchedFetcher),
    (consumer_group, "ConsumerCoordinator", ResumingCoordinator),
    (net_manager, "KafkaTCPTransport", CompleteTcpTransport),
    (net_manager, "KafkaSSLTransport", CompleteTlsTransport),
    (net_inet, "KafkaNetSocket", ClosingNetSocket),
)


class UnsupportedClient(DaemonError):
    """The installed kafka-python is not one that the daemon can patch."""


def apply() -> None:
    """Put the replacements in place, once per process: further calls change nothing.

    Raises UnsupportedClient, before anything is replaced, for another release series or a missing attribute.
    """
    _check_version(client_version)
    for module, name, replacement in _REPLACEMENTS:
        _check_attribute(module, name, replacement)
    for module, name, replacement in _REPLACEMENTS:
        setattr(module, name, replacement)


def _check_version(version: str) -> None:
    if not version.startswith(f"{SUPPORTED_SERIES}."):
        raise UnsupportedClient(
            f"kafka-python {version} is installed, and the daemon needs {SUPPORTED_SERIES}.x: "
            f"pip install 'kafka-python=={SUPPORTED_SERIES}.*'"
        )


def _check_attribute(module: ModuleType, name: str, replacement: type) -> None:
    """Check that the attribute is the class that the replacement extends, or the replacement already."""
    found = getattr(module, name, None)
    if found is not replacement and found not in replacement.__bases__:
        raise UnsupportedClient(
            f"{module.__name__}.{name} of kafka-python {client_version} is not the class that the daemon replaces: "
            f"install kafka-python {SUPPORTED_SERIES}.x as released, and load nothing else that patches it"
        )
