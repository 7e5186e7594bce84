"""The cost of decoding a record of each format, beside that of parsing its JSON."""

import time
from collections.abc import Callable

import orjson

from daemon.config.settings import LimitsSection
from daemon.domain.clock import utc_now
from daemon.intake.decoding import decode_document
from daemon.intake.formats.reading import Reading
from daemon.intake.unwrapping import unwrap
from tests.benchmarks.figures import show
from tests.factories.formats import PLAIN, WRITTEN

_RUNS, _TIMES = 15, 2_000


def fastest(call: Callable[[], object]) -> float:
    """The processor time of a call in microseconds: that of the fastest of several runs."""
    found = []
    for _ in range(_RUNS):
        started = time.process_time()
        for _ in range(_TIMES):
            call()
        found.append((time.process_time() - started) / _TIMES * 1e6)
    return min(found)


def test_each_format() -> None:
    reading = Reading(limits=LimitsSection(), received_at=utc_now(), recorded_at=utc_now())
    for name, written in WRITTEN.items():
        value = orjson.dumps(written.write(PLAIN))
        parsing = fastest(lambda value=value: orjson.loads(value))  # type: ignore[misc]
        decoding = fastest(
            lambda value=value: [
                decode_document(document, reading) for document in unwrap(value, limits=reading.limits)
            ]  # type: ignore[misc]
        )
        ratio = show(name, ours=decoding, peer=parsing, unit="µs a record", peer_is="parsing alone")
        assert ratio < 150
