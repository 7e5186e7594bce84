"""What topics, producers and the broker's rules do to a real daemon."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from confluent_kafka import Producer

from daemon.intake.replay import encode_record
from tests.e2e.kafka_faults.acknowledged_load import AcknowledgedLoad
from tests.e2e.kafka_faults.cluster_state import add_partitions, allow_records_of, limit_reading
from tests.e2e.kafka_faults.sizes import FULL, RATE, only_soak
from tests.e2e.kafka_faults.trial import a_trial
from tests.e2e.regimes import shop_questions
from tests.e2e.stream import Stream
from tests.e2e.test_closed_loop import SETTINGS
from tests.servers.apache_kafka import ApacheKafka, Listener
from tests.support.helpers import eventually
from tests.support.reading import polled, source_of
from tests.support.transactions import Transactions

pytestmark = pytest.mark.timeout(600)

Record = Callable[[str, object], None]

BACKLOG = 100_000
ABORTED, IN_EACH = 10, 50
#: Longer than kafka.stalled_after_s, after which intake halts where records don't come.
LEFT_OPEN_S = 75 if FULL else 5
LETTERS, LETTER_BYTES = 5, 6_000_000
SESSION_S = 10
_CLIENT = f"retuned-{SETTINGS['model_line']}"  # the daemon's client id
_PLAIN = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_retuned="secret";'


@pytest.fixture
def broker_with_sessions() -> Iterator[ApacheKafka]:
    """A broker that ends a session unless its client logs in again in time (KIP-368)."""
    rules = {
        "sasl.enabled.mechanisms": "PLAIN",
        "plain.sasl.jaas.config": _PLAIN,
        "plain.connections.max.reauth.ms": str(SESSION_S * 1000),
    }
    secured = Listener(name="SECURED", protocol="SASL_PLAINTEXT", settings=rules)
    with ApacheKafka(listeners=[secured]) as broker:
        yield broker


def test_partitions_are_added_while_it_reads(
    apache_kafka: ApacheKafka, tiny_model: Path, tmp_path: Path, record_property: Record
) -> None:
    with a_trial(apache_kafka, tiny_model, tmp_path, topic="grows", partitions=2) as trial:
        with trial.running():
            trial.goes_on()
            for total in (4, 6) if FULL else (6,):
                add_partitions(apache_kafka, "grows", total)
                eventually(lambda total=total: trial.partitions() == total, deadline_s=60)  # type: ignore[misc]
                trial.goes_on()
        outcome = trial.conclude("partitions added, 2 to 6", record_property)
    assert outcome.not_ready_s == 0


def test_aborted_and_open_transactions_are_not_counted(
    apache_kafka: ApacheKafka, tiny_model: Path, tmp_path: Path, record_property: Record
) -> None:
    taken_back = [encode_record(one) for one in shop_questions((ABORTED + 1) * IN_EACH, seed=1)]
    with a_trial(apache_kafka, tiny_model, tmp_path, topic="aborted") as trial:
        transactions = Transactions(trial.stream.settings)
        left_open = Transactions(trial.stream.settings, timeout_ms=LEFT_OPEN_S * 1000)
        with trial.running():
            trial.goes_on()
            for first in range(0, ABORTED * IN_EACH, IN_EACH):
                transactions.abort(*taken_back[first : first + IN_EACH])
            left_open.leave_open(*taken_back[-IN_EACH:])
            time.sleep(LEFT_OPEN_S - 1)
            assert "transaction" in trial.daemon.get("/readyz")
            eventually(lambda: "transaction" not in trial.daemon.get("/readyz"), deadline_s=30)
            trial.goes_on()
        outcome = trial.conclude(
            f"{ABORTED} transactions of {IN_EACH} aborted, one left open for {LEFT_OPEN_S} s", record_property
        )
    assert outcome.not_ready_s == 0


@only_soak
def test_a_backlog_is_read(
    apache_kafka: ApacheKafka, tiny_model: Path, tmp_path: Path, record_property: Record
) -> None:
    def fill(_: Stream, load: AcknowledgedLoad) -> None:
        load.write(BACKLOG)

    with a_trial(apache_kafka, tiny_model, tmp_path, topic="backlog", prepare=fill) as trial:
        begin = time.monotonic()
        with trial.watching():
            eventually(lambda: trial.counted() >= BACKLOG, deadline_s=300)
        rate = BACKLOG / (time.monotonic() - begin)
        trial.conclude(f"a backlog of {BACKLOG:,}, read at {rate:,.0f} a second", record_property)


@only_soak
def test_a_reader_is_throttled(
    apache_kafka: ApacheKafka, tiny_model: Path, tmp_path: Path, record_property: Record
) -> None:
    limit = 10_000
    with a_trial(apache_kafka, tiny_model, tmp_path, topic="throttled") as trial:
        with trial.running(within_s=300):
            trial.goes_on()
            limit_reading(apache_kafka, _CLIENT, limit)
            try:
                time.sleep(60)
                behind = len(trial.load.acknowledged) - trial.counted()
                assert behind > RATE, "nothing was held back"
            finally:
                limit_reading(apache_kafka, _CLIENT, None)
            trial.goes_on(further=behind)
        trial.conclude(f"a reader throttled to {limit:,} bytes a second for a minute", record_property)


@only_soak
def test_sessions_end(
    broker_with_sessions: ApacheKafka, tiny_model: Path, tmp_path: Path, record_property: Record
) -> None:
    login = {
        "bootstrap_servers": [broker_with_sessions.address("SECURED")],
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "PLAIN",
        "sasl_username": "retuned",
        "sasl_password": "secret",
    }
    with a_trial(broker_with_sessions, tiny_model, tmp_path, topic="sessions", kafka=login) as trial:
        with trial.running():
            for _ in range(6):
                trial.goes_on()
                time.sleep(SESSION_S)
        outcome = trial.conclude(f"sessions that end every {SESSION_S} s, for a minute", record_property)
    assert outcome.not_ready_s == 0


@only_soak
def test_large_records_become_dead_letters(
    apache_kafka: ApacheKafka, tiny_model: Path, tmp_path: Path, record_property: Record
) -> None:
    def allow(stream: Stream, _: AcknowledgedLoad) -> None:
        for topic in (stream.settings.topic, stream.settings.dead_letter_topic):
            allow_records_of(apache_kafka, topic, 2 * LETTER_BYTES)

    with a_trial(apache_kafka, tiny_model, tmp_path, topic="large", prepare=allow) as trial:
        producer = Producer(
            {
                "bootstrap.servers": apache_kafka.bootstrap,
                "message.max.bytes": 2 * LETTER_BYTES,
                "acks": "all",
            }
        )
        with trial.running():
            for number in range(LETTERS):
                trial.goes_on()
                producer.produce("large", b"%d" % number + bytes(LETTER_BYTES))
                assert producer.flush(30) == 0
            published = "retuned_dead_letters_published_total"
            eventually(lambda: trial.daemon.metric(published) == LETTERS, deadline_s=60)
        trial.conclude(
            f"beside {LETTERS} records of {LETTER_BYTES // 10**6} MB that are dead letters", record_property
        )
        sizes = _sizes_of_dead_letters(trial.stream)
    assert sizes == [LETTER_BYTES + 1] * LETTERS


def _sizes_of_dead_letters(stream: Stream) -> list[int]:
    settings = replace(
        stream.settings, topic=stream.settings.dead_letter_topic, group_id="looks at dead letters"
    )
    source = source_of(settings)
    try:
        return [int(dict(letter.headers)["retuned.size"]) for letter in polled(source, LETTERS)]
    finally:
        source.close(2)
