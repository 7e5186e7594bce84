"""The bounds on what clients of the HTTP port may take."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Bounds that keep slow, greedy or hostile clients from starving the probes."""

    #: Open connections. The server drops further ones.
    connections: int = 256
    #: Seconds a client may take to send its request, and again to read the response.
    client_timeout_s: float = 5.0
    #: Bytes of one request, which has no body.
    request_bytes: int = 16_384
    #: Bytes of responses that clients have not read yet, over all connections.
    unsent_bytes: int = 64 * 2**20
    #: Reports read from the ledger at a time: a report takes megabytes, and the loop needs the ledger too.
    report_readers: int = 2
    #: Seconds a request for a report waits for a free reader.
    report_wait_s: float = 2.0
