"""What is live, what the gate said, and who put what live."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.frame import frame
from deploy.grafana.overview import held, live_version
from deploy.grafana.panels import GREEN, NATS, RED, YELLOW, Panel, Query, bars, course, figure, names
from deploy.grafana.promql import leading, most, of, recently

_IN_RANGE = "$__range"


def releases() -> Dashboard:
    """Return the dashboard of versions, gate and promotions."""
    return frame(
        "Releases",
        "retuned-releases",
        "Versions, what the gate found in the latest candidate, promotions and rollbacks.",
        [("Now", _now()), ("Versions", _versions()), ("The gate's latest look", _gate())],
    )


def _now() -> list[Panel]:
    return [
        live_version(),
        figure(
            "Versions",
            "Versions in the registry, including the bare base model.",
            Query(most(of("retuned_versions")), "{{model_line}}"),
            none="No daemon answers",
        ),
        figure(
            "Promotions",
            "Versions put live in the time shown, rollbacks apart.",
            Query(
                recently("retuned_promotions_total", within=_IN_RANGE, where='kind="promotion"'),
                "{{model_line}}",
            ),
            none="No daemon answers",
        ),
        figure(
            "Rollbacks",
            "Returns to an earlier version in the time shown.",
            Query(
                recently("retuned_promotions_total", within=_IN_RANGE, where='kind="rollback"'),
                "{{model_line}}",
            ),
            steps=[(1, YELLOW)],
            none="No daemon answers",
        ),
        figure(
            "Rejected by the gate",
            "Looks of the gate in the time shown that turned a candidate down.",
            Query(
                recently("retuned_gate_verdicts_total", within=_IN_RANGE, where='verdict="reject"'),
                "{{model_line}}",
            ),
            steps=[(1, YELLOW)],
            none="No daemon answers",
        ),
        held(),
    ]


def _versions() -> list[Panel]:
    return [
        names(
            "Live since",
            "Since when the live version is live, and by what kind of entry of the promotion log.",
            Query(
                f"{most(leading('retuned_live_since_timestamp_seconds'), 'kind')} * 1000",
                "{{model_line}}: {{kind}}",
            ),
            unit="dateTimeFromNow",
            none="None is live",
        ).height(8),
        figure(
            "Waits for the gate",
            "How long the newest version has waited for the gate's decision.",
            Query(f"time() - {most(leading('retuned_gate_open_since_timestamp_seconds'))}", "{{model_line}}"),
            unit="s",
            none="None waits",
        ).height(8),
        course(
            "Number of the live version",
            "0 is the bare base model; a step down is a rollback.",
            Query(most(of("retuned_live_version_number")), "{{model_line}}"),
            none="No daemon answers",
            steps=True,
            span=8,
        ),
        course(
            "Put live in an hour",
            "Promotions and rollbacks of the last hour, by whom: the daemon or an operator.",
            Query(f"{recently('retuned_promotions_total', 'kind', 'actor')} > 0", "{{kind}} by {{actor}}"),
            stacked=True,
            colors={"promotion.*": GREEN, "rollback.*": RED},
            none="Nothing was put live",
            span=8,
        ),
    ]


def _gate() -> list[Panel]:
    return [
        course(
            "Loss against the live version",
            "Loss of the latest candidate minus that of the live version, on the worst slice of each role. Below 0 the "
            "candidate is better.",
            Query(most(leading("retuned_gate_loss_difference_nats_per_token"), "role"), "{{role}}"),
            unit=NATS,
            limit=0,
            least=None,
            none="No candidate yet",
        ),
        course(
            "The gate's answers in an hour",
            "Looks of the gate in the last hour, by verdict. Inconclusive: it waits for more conversations.",
            Query(f"{recently('retuned_gate_verdicts_total', 'verdict')} > 0", "{{verdict}}"),
            stacked=True,
            colors={"promote": GREEN, "inconclusive": YELLOW, "reject": RED},
            none="No look in this time",
        ),
        bars(
            "Failed checks of answers",
            "Answers that failed a check at the latest look, of the live version and of the candidate on the same prompts.",
            Query(most(leading("retuned_gate_check_failures"), "check", "side"), "{{check}}: {{side}}"),
            base=GREEN,
            steps=[(1, YELLOW), (5, RED)],
            none="No answers were compared",
            span=12,
        ),
        bars(
            "Figures of answers",
            "Figures of the latest look that do not decide, such as token F1 against good answers.",
            Query(most(leading("retuned_gate_figure"), "figure", "side"), "{{figure}}: {{side}}"),
            unit="percentunit",
            most=1,
            none="No answers were compared",
            span=12,
        ),
    ]
