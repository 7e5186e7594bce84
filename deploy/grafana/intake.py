"""What comes in, what becomes of it, and whether intake keeps up."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.frame import frame
from deploy.grafana.overview import newest_record, unread_records
from deploy.grafana.panels import (
    GREEN,
    PER_MINUTE,
    RED,
    YELLOW,
    Panel,
    Query,
    Value,
    bars,
    course,
    figure,
    states,
)
from deploy.grafana.promql import leading, most, of, per_minute, quantile, total


def intake() -> Dashboard:
    """Return the dashboard of intake."""
    return frame(
        "Intake",
        "retuned-intake",
        "Records read from Kafka, what they became, and what keeps intake from going on.",
        [
            ("Now", _now()),
            ("Pace", _pace()),
            ("What comes", _records()),
            ("What is unusable", _unusable()),
            ("Logins", _logins()),
        ],
    )


def _now() -> list[Panel]:
    return [
        figure(
            "Broker",
            "Whether every replica reaches a broker.",
            Query(f"min by (model_line) ({of('retuned_broker_connected')})", "{{model_line}}"),
            values={1: Value("Connected", GREEN), 0: Value("Unreachable", RED)},
            none="No daemon answers",
        ),
        figure(
            "Halted",
            "Whether intake is halted and waits for an operator. `retuned intake show` says why.",
            Query(
                f"{most(of('retuned_intake_halted'))} or {most(of('retuned_broker_connected'))} * 0",
                "{{model_line}}",
            ),
            values={0: Value("No", GREEN), 1: Value("Halted", RED)},
            none="No daemon answers",
        ),
        unread_records(),
        newest_record(),
        figure(
            "Newest by kind",
            "How long ago the newest conversation was stored, and the newest opinion.",
            Query(f"time() - {most(leading('retuned_last_conversation_timestamp_seconds'))}", "conversation"),
            Query(f"time() - {most(leading('retuned_last_feedback_timestamp_seconds'))}", "feedback"),
            unit="s",
            none="None yet",
        ),
        figure(
            "Open transaction",
            "How long the partition that waits longest has waited for a producer's open transaction to end.",
            Query(
                f"time() - min by (model_line) ({of('retuned_open_transaction_wait_timestamp_seconds')})",
                "{{model_line}}",
            ),
            unit="s",
            steps=[(60, YELLOW), (600, RED)],
            none="None is open",
        ),
    ]


def _pace() -> list[Panel]:
    return [
        course(
            "Unread records by partition",
            "Records not read yet, by partition.",
            Query(total(of("retuned_consumer_lag_records"), "partition"), "{{model_line}}: {{partition}}"),
            none="No partition",
            span=8,
        ),
        course(
            "Time to store a batch",
            "Duration of decoding and storing one batch of records.",
            Query(quantile("retuned_intake_batch_seconds", 0.5), "{{model_line}}: half are faster"),
            Query(quantile("retuned_intake_batch_seconds", 0.95), "{{model_line}}: 95% are faster"),
            unit="s",
            none="No batch in this time",
            span=8,
        ),
        course(
            "One turn of the main loop",
            "Duration of one turn of the main loop. Seconds: a stage keeps the others waiting.",
            Query(quantile("retuned_loop_iteration_seconds", 0.5), "{{model_line}}: half are faster"),
            Query(quantile("retuned_loop_iteration_seconds", 0.95), "{{model_line}}: 95% are faster"),
            unit="s",
            span=8,
        ),
    ]


def _records() -> list[Panel]:
    return [
        course(
            "Conversations",
            "Conversations stored in a minute, by side of the holdout split. One that grows counts once.",
            Query(per_minute("retuned_conversations_total", "split"), "{{split}}"),
            unit=PER_MINUTE,
            stacked=True,
            span=8,
        ),
        course(
            "Records by kind",
            "Records in a minute that were not rejected, by what they were.",
            Query(f"{per_minute('retuned_intake_records_total', 'kind')} > 0", "{{kind}}"),
            unit=PER_MINUTE,
            stacked=True,
            span=8,
        ),
        course(
            "Redacted personal data",
            "Items of personal data that were replaced in a minute, by kind.",
            Query(f"{per_minute('retuned_redacted_total', 'kind')} > 0", "{{kind}}"),
            unit=PER_MINUTE,
            stacked=True,
            none="Nothing was redacted",
            span=8,
        ),
    ]


def _unusable() -> list[Panel]:
    return [
        course(
            "Rejected records",
            "Unusable records in a minute, by reason. `retuned deadletters list` shows them.",
            Query(f"{per_minute('retuned_records_rejected_total', 'reason')} > 0", "{{reason}}"),
            unit=PER_MINUTE,
            stacked=True,
            none="Nothing was rejected",
            span=6,
        ),
        course(
            "Dead letters",
            "Rejected records published to the dead-letter topic in a minute, and those that wait for it.",
            Query(
                per_minute("retuned_dead_letters_published_total"), "{{model_line}}: published in a minute"
            ),
            Query(total(of("retuned_dead_letters_waiting")), "{{model_line}}: waiting"),
            span=6,
        ),
        course(
            "Rejected, of the limit",
            "How near the latest records are to the limits of section dead_letters; at 100% intake halts.",
            Query(most(leading("retuned_dead_letter_ceiling_ratio")), "{{model_line}}"),
            unit="percentunit",
            limit=1,
            none="No leader",
            span=6,
        ),
        course(
            "Unreadable feedback",
            "Opinions in a minute that could not be read, by reason; see the settings of feedback.",
            Query(f"{per_minute('retuned_feedback_unusable_total', 'reason')} > 0", "{{reason}}"),
            unit=PER_MINUTE,
            stacked=True,
            none="All feedback was read",
            span=6,
        ),
        states(
            "Halts",
            "When intake was halted, by reason.",
            Query(most(of("retuned_intake_halted"), "reason"), "{{reason}}"),
            values={0: Value("No", GREEN), 1: Value("Halted", RED)},
            none="Intake was never halted",
            span=24,
            height=6,
        ),
    ]


def _logins() -> list[Panel]:
    return [
        bars(
            "Certificates expire in",
            "Time until a certificate expires, by the setting that names its file; of several in it, the next.",
            Query(
                f"min by (model_line, setting) ({of('retuned_certificate_expiry_timestamp_seconds')}) - time()",
                "{{setting}}",
            ),
            unit="s",
            base=RED,
            steps=[(14 * 86_400, YELLOW), (30 * 86_400, GREEN)],
            none="No certificates",
            height=6,
        ),
        figure(
            "Access token expires in",
            "Time until the access token for Kafka expires. It is renewed before.",
            Query(
                f"min by (model_line) ({of('retuned_token_expiry_timestamp_seconds')}) - time()",
                "{{model_line}}",
            ),
            unit="s",
            none="No token",
            span=8,
        ).height(6),
        figure(
            "Access token failing for",
            "Time since which the access token for Kafka can't be fetched or renewed.",
            Query(
                f"time() - min by (model_line) ({of('retuned_token_failing_since_timestamp_seconds')})",
                "{{model_line}}",
            ),
            unit="s",
            steps=[(60, RED)],
            none="It does not fail",
            span=8,
        ).height(6),
    ]
