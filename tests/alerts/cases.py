"""For each alert, series on which it fires and does not fire, at times in Prometheus' notation.

Values are those of ``promtool test rules``, one a minute: ``1x9`` is 1 and nine more, ``_`` is a missing sample.
Times since 1970 count from the first sample, which is at 0.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LINE = {"model_line": "chat"}
#: A minute and an hour of one-minute samples, in seconds.
_DAY = 24 * 3_600


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """Series of one line on one instance, and when the alert fires on them."""

    alert: str
    what: str  # happens
    series: Mapping[str, str]  # with {} where model_line and instance stand
    fires: tuple[str, ...] = ()
    quiet: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)  # of the alert, besides model_line and severity
    every: str = "1m"

    def promtool_series(self) -> list[dict[str, str]]:
        """The series as promtool takes them."""
        return [
            {"series": name if "{" in name else f'{name}{{instance="a",model_line="chat"}}', "values": values}
            for name, values in self.series.items()
        ]


def one(metric: str, instance: str = "a", **labels: str) -> str:
    """The name of a series of the line."""
    named = {"instance": instance, **LINE, **labels}
    selector = ",".join(f'{name}="{value}"' for name, value in named.items())
    return f"{metric}{{{selector}}}"


def cases() -> Iterator[Case]:
    """All cases."""
    yield from _of_process()
    yield from _of_resources()
    yield from _of_credentials()
    yield from _of_operators()
    yield from _of_halts()
    yield from _of_lag()
    yield from _of_stream()
    yield from _of_drift()
    yield from _of_training()
    yield from _of_releases()


def _of_process() -> Iterator[Case]:
    yield Case(
        alert="RetunedDown",
        what="the daemon is gone from minute 20 on; after six hours it counts as taken down on purpose",
        series={"retuned_leader": "1x19 stale"},
        quiet=("10m", "22m", "8h"),
        fires=("26m", "5h"),
    )
    yield Case(
        alert="RetunedDown",
        what="a restart of two minutes",
        series={"retuned_leader": "1x19 stale _ 0 1x60"},
        quiet=("20m", "22m", "40m"),
    )
    yield Case(
        alert="RetunedLoopStuck",
        what="turns until minute 20, then none",
        series={"retuned_loop_iteration_seconds_count": "0+300x19 5700x30"},
        labels={"instance": "a"},
        quiet=("3m", "19m", "24m"),
        fires=("28m",),
    )
    yield Case(
        alert="RetunedLoopStuck",
        what="a restart, from which the count begins anew",
        series={"retuned_loop_iteration_seconds_count": "0+300x19 _ _ 0+300x20"},
        quiet=("21m", "24m", "30m"),
    )
    yield Case(
        alert="RetunedLoopStuck",
        what="a line that waits to be started again",
        series={"retuned_loop_iteration_seconds_count": "0x60", "retuned_line_up": "0x60"},
        quiet=("20m",),
    )
    yield Case(
        alert="RetunedLineDown",
        what="down for two minutes, and from minute 20 on",
        series={"retuned_line_up": "1x5 0x1 1x12 0x30"},
        labels={"instance": "a"},
        quiet=("7m", "10m", "22m"),
        fires=("27m",),
    )
    problem = one("retuned_problem", kind="ledger_unreachable")
    yield Case(
        alert="RetunedProblem",
        what="the ledger can't be reached for a minute, and later for five",
        series={problem: "0x9 1 0x9 1x4 0x9"},
        labels={"instance": "a", "kind": "ledger_unreachable"},
        quiet=("11m", "12m", "21m", "26m"),
        fires=("23m",),
    )
    yield Case(
        alert="RetunedProblem",
        what="problems that have an alert of their own",
        series={one("retuned_problem", kind=kind): "1x30" for kind in ("broker", "intake_halted", "scorer_down", "target_differs")},
        quiet=("20m",),
    )  # fmt: skip
    leaders = {one("retuned_leader", "a"): "1x9 0x30", one("retuned_leader", "b"): "0x11 1x7 0x20"}
    yield Case(
        alert="RetunedNoLeader",
        what="another replica takes over within two minutes; from minute 20 on none leads",
        series=leaders,
        quiet=("11m", "18m", "22m"),
        fires=("27m",),
    )
    yield Case(
        alert="RetunedSeveralLeaders",
        what="two lead: for a minute in a change of leaders, and for good from minute 20 on",
        series={one("retuned_leader", "a"): "1x9 1 0x9 1x10", one("retuned_leader", "b"): "0x9 1x20"},
        quiet=("10m", "12m", "21m"),
        fires=("24m",),
    )
    yield Case(
        alert="RetunedNoLeader",
        what="one of two lines in a daemon has no leader, and the sum over both is 1",
        series={one("retuned_leader"): "0x20", 'retuned_leader{instance="a",model_line="sales"}': "1x20"},
        quiet=("4m",),
        fires=("10m",),
    )
    yield from _of_children()


def _of_children() -> Iterator[Case]:
    scorer, judge = one("retuned_child_up", child="scorer"), one("retuned_child_up", child="judge")
    yield Case(
        alert="RetunedScorerDown",
        what="it dies and is back a minute later; from minute 30 on it lives a minute in three",
        series={scorer: "1x14 0 1x14 0 0 1 0 0 1 0 0 1 0 0 1 0 0 1 0 0 1"},
        quiet=("15m", "18m", "33m"),
        fires=("42m",),
    )
    yield Case(
        alert="RetunedJudgeDown",
        what="a restart, then a judge that stays dead",
        series={judge: "1x9 0 1x9 0x40"},
        labels={"child": "judge"},
        quiet=("11m", "25m"),
        fires=("42m",),
    )
    yield Case(
        alert="RetunedChildRestarts",
        what="one restart, and later one every five minutes",
        series={one("retuned_child_restarts_total", child="scorer"): "0x9 1x59 1+0.2x40"},
        labels={"child": "scorer"},
        quiet=("30m", "70m"),
        fires=("108m",),
    )


def _of_resources() -> Iterator[Case]:
    free, size = "retuned_disk_free_bytes", "retuned_disk_size_bytes"
    yield Case(
        alert="RetunedDiskFilling",
        what="from 35 GB of 100 GB on, 3 GB an hour are used up",
        series={free: "35e9-50e6x600", size: "100e9x600"},
        labels={"instance": "a"},
        quiet=("1h", "2h"),  # too early to tell
        fires=("5h",),
    )
    yield Case(
        alert="RetunedDiskFilling",
        what="a training takes 5 GB of 35 GB and gives them back",
        series={free: "35e9x299 30e9x59 35e9x240", size: "100e9x600"},
        quiet=("4h", "330m", "7h", "9h"),
    )
    yield Case(
        alert="RetunedDiskFull",
        what="a disk with 4% free, until somebody frees 10%",
        series={free: "4e9x20 14e9x20", size: "100e9x60"},
        labels={"instance": "a"},
        quiet=("4m", "22m"),
        fires=("10m",),
    )
    ledger, beside = "retuned_ledger_size_bytes", "retuned_ledger_disk_free_bytes"
    yield Case(
        alert="RetunedLedgerFilling",
        what="the ledger grows by 600 MB an hour, and 20 GB are free",
        series={ledger: "1e9+10e6x600", beside: "20e9-10e6x600"},
        quiet=("1h", "3h"),
        fires=("5h",),
        labels={"instance": "a"},
    )
    yield Case(
        alert="RetunedLedgerFilling",
        what="a backlog is read within an hour, then retention keeps the size steady",
        series={ledger: "1e9+100e6x60 7e9x600", beside: "20e9-100e6x60 14e9x600"},
        quiet=("50m", "2h", "4h", "8h"),
    )
    yield Case(
        alert="RetunedLedgerFilling",
        what="a ledger on PostgreSQL",
        series={ledger: "0x600"},
        quiet=("5h",),
    )


def _of_credentials() -> Iterator[Case]:
    client = one("retuned_certificate_expiry_timestamp_seconds", setting="kafka.ssl_certfile")
    authority = one("retuned_certificate_expiry_timestamp_seconds", setting="kafka.ssl_cafile")
    end = 20 * _DAY
    yield Case(
        alert="RetunedCertificateExpires",
        what="20 days are left; after 8 days it is renewed",
        series={authority: f"{end}x191 {end + 365 * _DAY}x200"},
        labels={"setting": "kafka.ssl_cafile"},
        quiet=("5d", "8d5h"),
        fires=("7d",),
        every="1h",
    )
    yield Case(
        alert="RetunedClientCertificateExpires",
        what="20 days are left, and nobody renews it",
        series={client: f"{end}x600"},
        quiet=("10d", "17d"),
        fires=("19d", "21d"),
        every="1h",
    )
    yield Case(
        alert="RetunedClientCertificateExpires",
        what="an authority's certificate expires",
        series={authority: f"{end}x600"},
        quiet=("19d",),
        every="1h",
    )
    expiry, failing = (
        "retuned_token_expiry_timestamp_seconds",
        "retuned_token_failing_since_timestamp_seconds",
    )
    yield Case(
        alert="RetunedTokenNotRenewed",
        what="a renewal fails for a minute, and from minute 20 on for good",
        series={expiry: "3600x9 7200x30", failing: "_x9 600 _x9 1200x30"},
        labels={"instance": "a"},
        quiet=("5m", "11m", "18m", "22m"),
        fires=("26m",),
    )
    yield Case(
        alert="RetunedTokenNotRenewed",
        what="the token endpoint hangs, and the token expires at minute 10",
        series={expiry: "600x30"},
        labels={"instance": "a"},
        quiet=("9m", "11m"),
        fires=("14m",),
    )


def _of_operators() -> Iterator[Case]:
    yield Case(
        alert="RetunedTeacherFailing",
        what="it fails from minute 10 (second 600) on, and answers again from minute 60 on",
        series={"retuned_teacher_failing_since_timestamp_seconds": "_x9 600x49 _x20"},
        quiet=("39m", "75m"),
        fires=("42m",),
    )
    held = one("retuned_held", what="promotion")
    yield Case(
        alert="RetunedHeld",
        what="held from the second hour on, with a restart after half a day",
        series={held: "0x59 1x700 _ _ 1x1000 0x60"},
        labels={"what": "promotion"},
        quiet=("2h", "24h", "31h"),
        fires=("26h",),
    )


def _of_halts() -> Iterator[Case]:
    lost, operator = (
        one("retuned_intake_halted", reason="offset_lost"),
        one("retuned_intake_halted", reason="operator"),
    )
    yield Case(
        alert="RetunedIntakeHalted",
        what="an offset is lost at minute 10; at minute 30 somebody resumes",
        series={lost: "0x9 1x19 0x20"},
        labels={"reason": "offset_lost"},
        quiet=("9m", "11m", "31m"),
        fires=("13m", "29m"),
    )
    yield Case(
        alert="RetunedIntakeHalted",
        what="an operator halts intake",
        series={operator: "1x100"},
        quiet=("90m",),
    )
    yield Case(
        alert="RetunedIntakeHaltedByOperator",
        what="an operator halts intake at minute 10, and resumes two hours later",
        series={operator: "0x9 1x119 0x20"},
        quiet=("30m", "69m", "131m"),
        fires=("75m",),
    )
    broker = one("retuned_problem", kind="broker")
    yield Case(
        alert="RetunedBrokerUnreachable",
        what="a broker restarts within three minutes; from minute 20 on it is away",
        series={broker: "0x9 1x2 0x6 1x20"},
        labels={"instance": "a"},
        quiet=("12m", "15m", "22m"),
        fires=("27m",),
    )


def _of_lag() -> Iterator[Case]:
    lag = one("retuned_consumer_lag_records", partition="0")
    read, rejected = (
        one("retuned_intake_records_total", kind="conversation"),
        one("retuned_records_rejected_total", reason="not_json"),
    )
    halted, waits = (
        one("retuned_intake_halted", reason="offset_lost"),
        one("retuned_open_transaction_wait_timestamp_seconds", partition="0"),
    )
    stuck = {lag: "0x29 0+100x60", read: "0+100x29 2900x60", rejected: "0x90"}
    yield Case(
        alert="RetunedIntakeStuck",
        what="reading ends at minute 30, and records go on coming",
        series=stuck,
        quiet=("20m", "38m"),
        fires=("50m",),
    )
    for why, other in (
        ("intake is halted", {halted: "0x29 1x60"}),
        ("a transaction is open", {waits: "_x29 1800x60"}),
    ):
        yield Case(
            alert="RetunedIntakeStuck", what=f"the same while {why}", series={**stuck, **other}, quiet=("50m", "80m")
        )  # fmt: skip
    yield Case(
        alert="RetunedIntakeStuck",
        what="the lag grows while records are read, or while all are rejected",
        series={lag: "0+100x90", read: "0+100x45 4500x45", rejected: "0x45 0+100x45"},
        quiet=("30m", "60m", "80m"),
    )
    yield Case(
        alert="RetunedIntakeStuck",
        what="a quiet night with one record that only a commit marker follows",
        series={lag: "1x90", read: "500x90", rejected: "0x90"},
        quiet=("80m",),
    )
    yield Case(
        alert="RetunedLagGrows",
        what="100 records a minute more come than are read, until minute 60",
        series={lag: "0+100x59 6000-500x12 0x30"},
        quiet=("10m", "20m", "90m"),
        fires=("45m",),
    )
    yield Case(
        alert="RetunedLagGrows",
        what="a large backlog that is worked off, and a burst that is",
        series={lag: "90000-1000x60 30000x10 60000-2000x30"},
        quiet=("30m", "65m", "85m", "100m"),
    )
    yield Case(
        alert="RetunedOpenTransaction",
        what="a partition waits from second 120 to minute 20",
        series={one("retuned_open_transaction_wait_timestamp_seconds", partition="3"): "_ _ 120x17 _"},
        labels={"partition": "3"},
        quiet=("11m", "30m"),
        fires=("13m",),
    )


def _of_stream() -> Iterator[Case]:
    yield Case(
        alert="RetunedDeadLettersNearCeiling",
        what="a tenth of the limit, then most of it, then a restart, then none",
        series={"retuned_dead_letter_ceiling_ratio": "0.1x19 0.7x19 _ _ 0.7x19 0.1x40"},
        quiet=("15m", "23m", "80m"),
        fires=("28m", "41m", "48m"),
    )
    conversation, feedback = (
        "retuned_last_conversation_timestamp_seconds",
        "retuned_last_feedback_timestamp_seconds",
    )
    yield Case(
        alert="RetunedNoConversations",
        what="one every five minutes for ten hours, then none",
        series={conversation: "0+300x119 35700x500", "retuned_leader": "1x700"},
        quiet=("9h", "30h"),
        fires=("35h",),
        every="5m",
    )
    yield Case(
        alert="RetunedNoConversations",
        what="a line that has never had one, from its first start on",
        series={"retuned_leader": "1x700"},
        quiet=("10h", "23h"),
        fires=("25h",),
        every="5m",
    )
    yield Case(
        alert="RetunedNoConversations",
        what="a quiet night, and a daemon that restarts in it",
        series={conversation: "0x100 _ _ 0x10 33600+300x100", "retuned_leader": "1x100 stale _ 0 1x110"},
        quiet=("8h", "505m", "9h"),
        every="5m",
    )
    talk = "0+300x1200"
    yield Case(
        alert="RetunedFeedbackSilent",
        what="feedback ends after ten hours, conversations do not",
        series={conversation: talk, feedback: "0+300x119 35700x1000"},
        quiet=("9h", "2d"),
        fires=("60h",),
        every="5m",
    )
    yield Case(
        alert="RetunedFeedbackSilent",
        what="a stream that never has feedback",
        series={conversation: talk},
        quiet=("4d",),
        every="5m",
    )
    yield Case(
        alert="RetunedFeedbackSilent",
        what="nobody talks either",
        series={conversation: "0+300x119 35700x1000", feedback: "0+300x119 35700x1000"},
        quiet=("60h", "3d"),
        every="5m",
    )


def _of_drift() -> Iterator[Case]:
    triage, confirmed, unresolved, declined, training = (
        one("retuned_situation", state=state)
        for state in ("in_triage", "confirmed", "unresolved", "not_trained", "training")
    )
    yield Case(
        alert="RetunedDriftUnanswered",
        what="in triage, then confirmed, with a restart between; a training begins after four hours",
        series={triage: "0x9 1x49 0x400", confirmed: "0x59 1x59 _ _ _ 1x117 0x200", training: "0x239 1x200"},
        quiet=("60m", "2h", "260m"),
        fires=("135m", "3h"),
    )
    yield Case(
        alert="RetunedDriftUnanswered",
        what="a training begins within an hour",
        series={triage: "0x9 1x9 0x200", confirmed: "0x19 1x30 0x170", training: "0x49 1x170"},
        quiet=("30m", "3h"),
    )
    yield Case(
        alert="RetunedTrainingCannotHelp",
        what="triage says so at minute 10; the change is gone at minute 60",
        series={one("retuned_open_change_triage", outcome="cant_help"): "_x9 1x49 stale _x60"},
        quiet=("20m", "80m"),
        fires=("30m",),
    )
    yield Case(
        alert="RetunedTrainingCannotHelp",
        what="a harmless change",
        series={one("retuned_open_change_triage", outcome="ignore"): "1x200"},
        quiet=("3h",),
    )
    yield Case(
        alert="RetunedChangeUnresolved",
        what="from minute 10 on; at minute 80 another training has begun",
        series={unresolved: "0x9 1x69 0x60", training: "1x9 0x69 1x60"},
        quiet=("69m", "95m"),
        fires=("72m",),
    )
    yield Case(
        alert="RetunedChangeNotTrained",
        what="a harmless change from minute 10 on",
        series={declined: "0x9 1x100 0x60", one("retuned_open_change_triage", outcome="ignore"): "1x160"},
        quiet=("60m", "125m"),
        fires=("75m",),
    )
    yield Case(
        alert="RetunedChangeNotTrained",
        what="a change that training can't help with, which has an alert of its own",
        series={declined: "1x200", one("retuned_open_change_triage", outcome="cant_help"): "1x200"},
        quiet=("100m",),
    )


def _of_training() -> Iterator[Case]:
    failed, deadline = one("retuned_last_run", outcome="failed"), "retuned_run_deadline_timestamp_seconds"
    progress, left = "retuned_run_progress_ratio", "retuned_run_left_seconds"
    yield Case(
        alert="RetunedTrainingFailed",
        what="a run fails at minute 20; another goes on from minute 70 to 90 and ends well",
        series={failed: "0x19 1x69 0x60", deadline: "21600x19 stale _x48 25800x19 stale _x60"},
        quiet=("10m", "35m", "80m", "120m"),
        fires=("50m", "65m"),
    )
    yield Case(
        alert="RetunedTrainingFailed",
        what="a run of a replica that ended is replaced at once",
        series={failed: "0x19 1x100", deadline: "21600x119"},
        quiet=("60m", "100m"),
    )
    yield Case(
        alert="RetunedTrainingTooSlow",
        what="of six hours, 8 are needed; from minute 60 on it is faster",
        series={left: "28800x59 7200-60x60", deadline: "21600x119"},
        quiet=("10m", "70m"),
        fires=("20m",),
    )
    yield Case(
        alert="RetunedTrainingStalled",
        what="no step after minute 30",
        series={progress: "0+0.01x29 0.29x70", deadline: "21600x99"},
        quiet=("20m", "55m", "70m"),
        fires=("80m",),
    )
    yield Case(
        alert="RetunedTrainingStalled",
        what="a Job that is never scheduled",
        series={deadline: "21600x99"},
        quiet=("40m",),
        fires=("50m",),
    )
    yield Case(
        alert="RetunedTrainingStalled",
        what="one step in twenty minutes; then the run ends, and another begins",
        series={progress: "0.1x19 0.2x19 0.3x19 stale _x9 0x19", deadline: "21600x59 stale _x8 25800x39"},
        quiet=("45m", "60m", "75m", "90m"),
    )
    for alert, metric in (
        ("RetunedTrainingLeftOut", "retuned_training_left_out_ratio"),
        ("RetunedTrainingSkipped", "retuned_training_skipped_ratio"),
    ):
        yield Case(
            alert=alert,
            what="a tenth, then most, then a tenth again",
            series={metric: "_ 0.1x8 0.8x29 0.1x20"},
            quiet=("8m", "20m", "50m"),
            fires=("30m",),
        )


def _of_releases() -> Iterator[Case]:
    yield Case(
        alert="RetunedServedVersionDiffers",
        what="a switch that takes a moment, and one that does not succeed until minute 30",
        series={one("retuned_problem", kind="target_differs"): "0x9 1 0x9 1x9 0x10"},
        quiet=("10m", "21m", "31m"),
        fires=("23m",),
    )
    promoted, rolled_back = (
        one("retuned_live_since_timestamp_seconds", kind=kind) for kind in ("promotion", "rollback")
    )
    yield Case(
        alert="RetunedRollback",
        what="at second 600, with a restart in the hour after it",
        series={promoted: "0x9 stale _x100", rolled_back: "_x10 600x28 _ _ 600x80"},
        quiet=("9m", "75m"),
        fires=("11m", "41m", "65m"),
    )
    yield Case(alert="RetunedRollback", what="a promotion", series={promoted: "0x100"}, quiet=("10m",))
    yield Case(
        alert="RetunedGateStarving",
        what="a version waits from second 0 on; it is decided on after three days",
        series={"retuned_gate_open_since_timestamp_seconds": "0x863 stale _x100"},
        quiet=("1d", "2d", "74h"),
        fires=("50h",),
        every="5m",
    )
    yield Case(
        alert="RetunedGateStarving",
        what="one version after the other waits for a day",
        series={"retuned_gate_open_since_timestamp_seconds": "0x287 86400x287 172800x287 259200x100"},
        quiet=("1d", "47h", "60h", "75h"),
        every="5m",
    )
