"""Where the processor time of intake goes, part by part, on the same conversations."""

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from daemon.config.settings import Settings
from daemon.domain.clock import utc_now
from daemon.domain.conversation import Conversation
from daemon.domain.personal_data import PersonalData
from daemon.domain.streams import RawRecord
from daemon.domain.text_digest import normalized_words, text_digest
from daemon.intake.decoding import decode
from daemon.intake.privacy.cleaning import Cleaner
from daemon.intake.privacy.redaction import Redactor
from daemon.intake.router import RoutedRecords, Router
from daemon.ledger.database import open_ledger
from daemon.ledger.stores import Stores
from daemon.runtime.build_leader import build_detect_stage
from daemon.runtime.garbage_collector import relax_garbage_collector
from daemon.telemetry.metrics import Metrics
from tests.benchmarks.figures import tell
from tests.benchmarks.stream import some_values
from tests.factories.stores import some_settings, some_stores

_RECORDS, _BATCH, _WATCHED = 30_000, 2_000, 5


def test_parts(tmp_path: Path) -> None:
    settings = some_settings(tmp_path)
    stores = some_stores(open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}"), settings)
    relax_garbage_collector()
    values = list(some_values(_RECORDS))
    _routing_parts(values, settings, stores)
    routed = _whole_routing(values, settings, stores)
    stores.references.start("v0", size=settings.windows.reference_size, after_seq=0, now=utc_now())
    watching = build_detect_stage(settings, stores, Metrics())
    _told(
        "ledger",
        lambda: [stores.intake.record(batch.batch) for batch in routed[:-_WATCHED]],
        of=_RECORDS - _WATCHED * _BATCH,
    )
    watching.step()
    spent = 0.0
    for batch in routed[-_WATCHED:]:
        stores.intake.record(batch.batch)
        started = time.process_time()
        watching.step()
        spent += time.process_time() - started
    tell("watching", spent / (_WATCHED * _BATCH) * 1e6, "µs a conversation, at full speed")
    stores.engine.dispose()


def _routing_parts(values: list[bytes], settings: Settings, stores: Stores) -> None:
    now, records = utc_now(), list[Conversation]()
    found: Counter[PersonalData] = Counter()
    holdout = stores.holdout
    cleaner = Cleaner(
        Redactor(settings.hygiene), pseudonym=holdout.conversation_hash, user_pseudonym=holdout.user_hash
    )

    def decoded() -> None:
        for value in values:
            record = decode(value, limits=settings.limits, received_at=now)
            assert isinstance(record, Conversation)
            records.append(record)

    _told("decoding", decoded)
    _told("redaction and cleaning", lambda: [cleaner.clean(record, found) for record in records])
    words = [normalized_words(record.messages) for record in records]
    _told("words", lambda: [normalized_words(record.messages) for record in records])
    _told(
        "digest of the words",
        lambda: [text_digest(r.messages, w) for r, w in zip(records, words, strict=True)],
    )
    _told(
        "keyed hashes",
        lambda: [
            (holdout.holds_out(holdout.user_hash(record.user_id or "")), holdout.conversation_hash(record.conversation_id))
            for record in records
        ],
    )  # fmt: skip


def _whole_routing(values: list[bytes], settings: Settings, stores: Stores) -> list[RoutedRecords]:
    router, now = Router(settings, stores.holdout), utc_now()
    routed: list[RoutedRecords] = []
    raw = [
        RawRecord(topic="t", partition=0, offset=offset, timestamp_ms=0, key=None, value=value)
        for offset, value in enumerate(values)
    ]

    def route() -> None:
        batches = (raw[start : start + _BATCH] for start in range(0, len(raw), _BATCH))
        routed.extend(router.route(batch, now) for batch in batches)

    _told("all of routing", route)
    return routed


def _told(part: str, work: Callable[[], object], *, of: int = _RECORDS) -> None:
    started = time.process_time()
    work()
    tell(part, (time.process_time() - started) / of * 1e6, "µs a conversation")
