"""Metrics of intake."""

from typing import Literal, TypeAlias, get_args

from daemon.domain.bad_record import Absence, Reason
from daemon.domain.halts import HaltKind
from daemon.domain.personal_data import PersonalData
from daemon.domain.unusable_feedback import Unusable
from daemon.telemetry.buckets import UP_TO_SECONDS
from daemon.telemetry.instruments import Counter, GaugeReadings, LabelledMetric, MetricFactory

RecordKind: TypeAlias = Literal[
    "conversation", "continued", "repeated", "feedback", "other_line", "duplicate", "not_admitted", "forgotten", "tombstone"
]  # fmt: skip
#: Records of which nothing is stored because they hold no conversation count under the reason.
RecordLabel: TypeAlias = RecordKind | Absence
_RECORD_KINDS = (*get_args(RecordKind), *Absence)
Split: TypeAlias = Literal["train", "heldout"]


class IntakeMetrics:
    """Metrics of intake."""

    def __init__(self, factory: MetricFactory) -> None:
        self.records: LabelledMetric[Counter, RecordLabel] = LabelledMetric(
            factory.counter(
                "retuned_intake_records_total", "Records not rejected, by kind.", kind=_RECORD_KINDS
            )
        )
        self.conversations: LabelledMetric[Counter, Split] = LabelledMetric(
            factory.counter(
                "retuned_conversations_total",
                "Conversations stored, by side of the holdout split: train or heldout. One that grows counts once.",
                split=get_args(Split),
            )
        )
        self.rejected: LabelledMetric[Counter, str] = LabelledMetric(
            factory.counter("retuned_records_rejected_total", "Unusable records, by reason.", reason=Reason)
        )
        self.unusable_feedback: LabelledMetric[Counter, Unusable] = LabelledMetric(
            factory.counter(
                "retuned_feedback_unusable_total",
                "Opinions that could not be read, inside conversations too, by reason; see the settings of feedback.",
                reason=Unusable,
            )
        )
        self.redacted: LabelledMetric[Counter, PersonalData] = LabelledMetric(
            factory.counter(
                "retuned_redacted_total",
                "Items of personal data redacted from records, by kind.",
                kind=PersonalData,
            )
        )
        self._add_dead_letters(factory)
        self._add_state(factory)
        self.batch = factory.seconds(
            "retuned_intake_batch_seconds",
            "Duration of decoding and storing one batch of records.",
            UP_TO_SECONDS,
        )

    def _add_dead_letters(self, factory: MetricFactory) -> None:
        self.dead_letters = factory.counter(
            "retuned_dead_letters_published_total", "Rejected records published to the dead-letter topic."
        )
        self.dead_letters_waiting = factory.gauge(
            "retuned_dead_letters_waiting", "Rejected records not yet published to the dead-letter topic."
        )
        self._ceiling: GaugeReadings[()] = factory.readings(
            "retuned_dead_letter_ceiling_ratio",
            "How near the latest records are to the limits of section dead_letters: at 1 intake halts. The leader alone has it.",
            unit="ratio",
        )

    def _add_state(self, factory: MetricFactory) -> None:
        self.lag: GaugeReadings[int] = factory.readings(
            "retuned_consumer_lag_records",
            "Records not yet read, by assigned partition.",
            "partition",
            unit="records",
        )
        self.waiting_since: GaugeReadings[int] = factory.readings(
            "retuned_open_transaction_wait_timestamp_seconds",
            "Unix time since which a partition waits for an open transaction to end, by partition; absent while none does.",
            "partition",
            unit="seconds",
        )
        #: A time rather than an age: when the loop hangs, an age would stop growing and look healthy.
        self.last_record_at = factory.gauge(
            "retuned_last_record_timestamp_seconds",
            "Unix time of the last read of a record; time() minus this value is its age. 0: none since the start.",
            unit="seconds",
        )
        self._last_stored: GaugeReadings[()] = factory.readings(
            "retuned_last_conversation_timestamp_seconds",
            "Unix time at which the newest conversation was stored. Absent before the first; the leader alone has it.",
            unit="seconds",
        )
        self._last_feedback: GaugeReadings[()] = factory.readings(
            "retuned_last_feedback_timestamp_seconds",
            "Unix time of the newest opinion, in a conversation or on its own. Absent before the first; the leader alone has it.",
            unit="seconds",
        )
        self.broker_connected = factory.gauge(
            "retuned_broker_connected", "1 while the broker is reachable, else 0."
        )
        self.halted: GaugeReadings[HaltKind] = factory.readings(
            "retuned_intake_halted",
            "1 while intake is halted and waits for an operator, by reason, else 0.",
            "reason",
        )

    def stream_is(
        self, *, last_conversation: float | None, last_feedback: float | None, ceiling_ratio: float | None
    ) -> None:
        """Show what the ledger holds of the stream; None: nothing is known."""
        self._last_stored.replace(_single(last_conversation))
        self._last_feedback.replace(_single(last_feedback))
        self._ceiling.replace(_single(ceiling_ratio))


def _single(value: float | None) -> dict[tuple[()], float]:
    return {} if value is None else {(): value}
