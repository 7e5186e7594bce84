"""Is all well? What is live, what was decided and why, and what is going on."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.frame import frame
from deploy.grafana.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    RED,
    YELLOW,
    Panel,
    Query,
    Value,
    course,
    figure,
    listing,
    names,
    share,
    states,
)
from deploy.grafana.promql import leading, most, of, of_all, per_minute, recently, total

_WELL = {0: Value("Well", GREEN), 1: Value("Look closer", RED)}
#: Patterns of names, such as "chat: stable". An alarm is no fault; a change that nothing ends is.
SITUATION_COLORS = {
    ".*: (stable|promoted)": GREEN,
    ".*: (no_reference|window_drift)": GREY,
    ".*: (alarm_raised|in_triage|not_trained)": YELLOW,
    ".*: (confirmed|training|at_gate)": BLUE,
    ".*: unresolved": RED,
}


def overview() -> Dashboard:
    """Return the dashboard to look at first."""
    return frame(
        "Overview",
        "retuned-overview",
        "Whether all is well with each model line, what is live and what is going on.",
        [
            ("Is all well?", _now()),
            ("What is going on", _course()),
            ("Work and limits", _work()),
            ("Replicas and resources", _resources()),
        ],
    )


def situation() -> Panel:
    """Return what is going on, in one word."""
    return names(
        "Situation",
        "What is going on, as `retuned status` says it. The leader tells.",
        Query(f"{most(of('retuned_situation'), 'state')} == 1", "{{model_line}}: {{state}}"),
        none="No leader",
        colors=SITUATION_COLORS,
    )


def live_version() -> Panel:
    """Return the version that answers."""
    return names(
        "Live version",
        "The version that the promotion log says is live. Two at once: a replica has not followed the log yet.",
        Query(most(of("retuned_live_version_info"), "version"), "{{version}}"),
        none="None is live",
    )


def held() -> Panel:
    """Return what an operator holds."""
    return figure(
        "Held by an operator",
        "Whether an operator holds automatic promotion (`retuned hold`, a rollback) or pauses training. `retuned unhold` "
        "and `retuned resume` end it.",
        Query(most(leading("retuned_held"), "what"), "{{what}}"),
        values={0: Value("No", GREEN), 1: Value("Held", ORANGE)},
        none="No leader",
    )


def run_progress() -> Panel:
    """Return how far the current run is."""
    return share(
        "Training run",
        "Share of the current run's steps that are done.",
        Query(most(of("retuned_run_progress_ratio")), "{{model_line}}"),
        none="No run",
    )


def run_left() -> Panel:
    """Return when the current run ends."""
    return figure(
        "Time left of the run",
        "Estimated time to the end of the current run.",
        Query(most(of("retuned_run_left_seconds")), "{{model_line}}"),
        unit="s",
        none="No run",
    )


def evidence() -> Panel:
    """Return how far the detector is from an alarm."""
    return course(
        "Evidence of a change",
        "Mean likelihood ratio of a change against none, over all aspects. The detector alarms where it reaches the "
        "threshold, monitors.conversations_between_false_alarms.",
        Query(most(leading("retuned_change_evidence_mean")), "{{model_line}}: evidence"),
        Query(most(leading("retuned_change_evidence_threshold")), "{{model_line}}: alarm"),
        log=True,
        alarm_lines=".*: alarm",
        none="No reference yet",
    )


def unread_records() -> Panel:
    return figure(
        "Unread records",
        "Records of the topic that were not read yet, over all partitions.",
        Query(total(of("retuned_consumer_lag_records")), "{{model_line}}"),
        steps=[(1_000, YELLOW), (10_000, RED)],
        graph=True,
        none="No partition",
    )


def newest_record() -> Panel:
    return figure(
        "Newest record",
        "How long ago a record was read.",
        Query(f"time() - ({most(of('retuned_last_record_timestamp_seconds'))} > 0)", "{{model_line}}"),
        unit="s",
        none="None since the start",
    )


def _now() -> list[Panel]:
    return [
        figure(
            "All well?",
            "Well: no replica has a problem, and exactly one leads. `retuned status` says more.",
            Query(
                f"clamp_max({most(of('retuned_problem'))} + on (model_line) "
                f"({total(of_all('retuned_leader'))} != bool 1), 1)",
                "{{model_line}}",
            ),
            values=_WELL,
            none="No daemon answers",
        ),
        situation(),
        live_version(),
        names(
            "Last decision",
            "When the daemon last decided whether to train, what, and on what ground. `retuned why` tells the reason.",
            Query(
                f"{most(leading('retuned_last_decision_timestamp_seconds'), 'action', 'ground')} * 1000",
                "{{model_line}}: {{action}} ({{ground}})",
            ),
            unit="dateTimeFromNow",
            none="None since the start",
        ),
        unread_records(),
        newest_record(),
    ]


def _course() -> list[Panel]:
    return [
        states(
            "Situations",
            "What was going on when.",
            Query(f"{most(of('retuned_situation'), 'state')} == 1", "{{model_line}}: {{state}}"),
            colors=SITUATION_COLORS,
            none="No leader in this time",
        ),
        evidence(),
        states(
            "Problems",
            "What keeps a replica from being ready, by kind. The runbook says what to do about each.",
            Query(most(of("retuned_problem"), "kind"), "{{kind}}"),
            values={0: Value("Well", GREEN), 1: Value("Problem", RED)},
        ),
        course(
            "Conversations",
            "Conversations stored in a minute.",
            Query(per_minute("retuned_conversations_total"), "{{model_line}}"),
            unit="cpm",
        ),
    ]


def _work() -> list[Panel]:
    return [
        run_progress(),
        run_left(),
        figure(
            "Teacher's budget",
            "Calls and money that teacher.calls_a_day and teacher.money_a_day still allow today.",
            Query(most(of("retuned_teacher_budget_left_calls")), "calls"),
            Query(most(of("retuned_teacher_budget_left_money")), "money"),
            none="No teacher",
        ),
        held(),
        figure(
            "Firing alerts",
            "Alerts of retuned that Prometheus finds firing, whatever their line.",
            Query('count(ALERTS{alertname=~"Retuned.*",alertstate="firing"}) or vector(0)', "alerts"),
            steps=[(1, RED)],
            none="No alerts",
        ),
        figure(
            "Restarts of children",
            "Child processes that died and were started again, in the time shown.",
            Query(recently("retuned_child_restarts_total", within="$__range"), "{{model_line}}"),
            steps=[(1, YELLOW), (5, RED)],
            none="No daemon answers",
        ),
    ]


def _resources() -> list[Panel]:
    return [
        listing(
            "Replicas",
            "The replicas, which of them leads, the memory of each without its children, and whether its settings were read "
            "without a mistake, when, and how many wait for a restart.",
            Query(f"max by (instance, version) ({of_all('retuned_build_info')})", "{{instance}}"),
            {"Instance": "instance", "Release": "version"},
            {
                "Leads": (f"max by (instance) ({of_all('retuned_leader')})", "bool_yes_no"),
                "Fencing token": (f"max by (instance) ({of_all('retuned_leader_fence')})", "none"),
                "Memory": (
                    f"max by (instance) (process_resident_memory_bytes and on (instance) {of_all('retuned_build_info')})",
                    "bytes",
                ),
                "Settings sound": (
                    f"min by (instance) ({of_all('retuned_config_reload_success')})",
                    "bool_yes_no",
                ),
                "Settings read": (
                    f"max by (instance) ({of_all('retuned_config_reload_success_timestamp_seconds')}) * 1000",
                    "dateTimeFromNow",
                ),
                "Settings for a restart": (
                    f"max by (instance) ({of_all('retuned_config_awaiting_restart')})",
                    "none",
                ),
            },
            none="No daemon answers",
        ),
        course(
            "Memory of children",
            "Resident memory of the child processes that score, train, judge and embed.",
            Query(
                most(of("retuned_child_resident_memory_bytes"), "instance", "child"), "{{instance}} {{child}}"
            ),
            unit="bytes",
            none="No child runs",
        ),
        states(
            "Lines and children",
            "Whether each model line runs, and the child processes that its leader always needs.",
            Query(most(of("retuned_line_up")), "{{model_line}}"),
            Query(most(leading("retuned_child_up"), "child"), "{{model_line}}: {{child}}"),
            values={0: Value("Down", RED), 1: Value("Up", GREEN)},
            none="No daemon answers",
            span=12,
        ),
        course(
            "Stores",
            "Size of the ledger and of all artifacts.",
            Query(most(of("retuned_ledger_size_bytes")), "{{model_line}}: ledger"),
            Query(most(of("retuned_artifact_store_size_bytes")), "{{model_line}}: artifacts"),
            unit="bytes",
            span=6,
        ),
        course(
            "Free disk",
            "Free space on the disk that holds state_dir, as a share of its size.",
            Query(
                f"min by (instance) ({of('retuned_disk_free_bytes')}) / "
                f"min by (instance) ({of('retuned_disk_size_bytes')})",
                "{{instance}}",
            ),
            unit="percentunit",
            span=6,
        ),
        course(
            "Free disk of the ledger",
            "Free space on the disk of the ledger's file, where it is one.",
            Query(f"min by (instance) ({of('retuned_ledger_disk_free_bytes')})", "{{instance}}"),
            unit="bytes",
            none="The ledger is on a server",
            span=6,
        ),
        course(
            "Rows pruned in an hour",
            "Rows that retention deleted from the ledger, by table.",
            Query(f"{recently('retuned_pruned_rows_total', 'table')} > 0", "{{table}}"),
            none="Nothing was pruned",
            span=6,
        ),
    ]
