"""Has the stream changed, how sure is that, and what follows?"""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.frame import frame
from deploy.grafana.overview import evidence, situation
from deploy.grafana.panels import BLUE, GREEN, RED, YELLOW, Panel, Query, bars, course, figure, names
from deploy.grafana.promql import leading, mean, most, quantile, recently

_IN_RANGE = "$__range"


def drift() -> Dashboard:
    """Return the dashboard of drift detection and of the decisions that follow."""
    return frame(
        "Drift",
        "retuned-drift",
        "Whether the stream is still like the reference, by detector and monitors, and what was decided.",
        [
            ("Now", _now()),
            ("Evidence", _evidence()),
            ("Findings", _findings()),
            ("Decisions", _decisions()),
        ],
    )


def _now() -> list[Panel]:
    return [
        situation(),
        figure(
            "Way to an alarm",
            "The detector's evidence as a share of its threshold; at 100% it alarms.",
            Query(
                f"{most(leading('retuned_change_evidence_mean'))} / on (model_line) "
                f"{most(leading('retuned_change_evidence_threshold'))}",
                "{{model_line}}",
            ),
            unit="percentunit",
            steps=[(0.1, YELLOW), (1, RED)],
            none="No reference yet",
        ),
        figure(
            "Alarms",
            "Alarms of the sequential detector in the time shown. A lasting change raises one.",
            Query(recently("retuned_alarms_total", within=_IN_RANGE), "{{model_line}}"),
            steps=[(1, YELLOW)],
            none="No daemon answers",
        ),
        figure(
            "Windows judged",
            "Windows that the monitor with the most verdicts judged in the time shown.",
            Query(
                f"max by (model_line) ({recently('retuned_verdicts_total', 'monitor', within=_IN_RANGE)})",
                "{{model_line}}",
            ),
            none="None was judged",
        ),
        figure(
            "Windows waiting",
            "Closed windows without verdicts.",
            Query(most(leading("retuned_windows_waiting")), "{{model_line}}"),
            steps=[(5, YELLOW), (20, RED)],
            graph=True,
            none="No leader",
        ),
        figure(
            "Failures of monitors",
            "Windows that a monitor failed to judge, in the time shown. The log says why.",
            Query(
                f"{recently('retuned_monitor_errors_total', 'monitor', within=_IN_RANGE)} > 0",
                "{{monitor}}",
            ),
            steps=[(1, RED)],
            none="None",
        ),
    ]


def _evidence() -> list[Panel]:
    return [
        evidence(),
        course(
            "Evidence by aspect",
            "Likelihood ratio of a change against none, by aspect: what users say, what the assistant says, language, shape "
            "and so on.",
            Query(most(leading("retuned_change_evidence"), "aspect"), "{{aspect}}"),
            log=True,
            none="No reference yet",
        ),
    ]


def _findings() -> list[Panel]:
    return [
        course(
            "Scores by monitor, of their thresholds",
            "Score of the latest window over the score at which the monitor finds drift. One window above 1 may be chance.",
            Query(
                f"{most(leading('retuned_drift_score'), 'monitor')} / on (model_line, monitor) "
                f"{most(leading('retuned_drift_threshold'), 'monitor')}",
                "{{monitor}}",
            ),
            unit="percentunit",
            limit=1,
            none="No window was judged",
        ),
        course(
            "Verdicts in an hour",
            "Verdicts of all monitors in the last hour, by finding.",
            Query(recently("retuned_verdicts_total", "finding"), "{{finding}}"),
            stacked=True,
            colors={"stable": GREEN, "inconclusive": YELLOW, "drift": RED},
            none="No window was judged",
        ),
        bars(
            "Changed columns",
            "Evidently's test of the latest window, by column, as a share of its threshold. From 100% on the column drifts.",
            Query(most(leading("retuned_column_drift_score"), "column"), "{{column}}"),
            unit="percentunit",
            base=GREEN,
            steps=[(1, RED)],
            none="No window was judged",
        ),
        course(
            "Windows closed in an hour",
            "Windows closed in the last hour.",
            Query(recently("retuned_windows_closed_total"), "{{model_line}}"),
            span=8,
        ),
        course(
            "Time to judge a window",
            "Duration of judging one window with all monitors: mean of the last hour, and the slowest twentieth.",
            Query(mean("retuned_judging_seconds", within="1h"), "{{model_line}}: mean"),
            Query(quantile("retuned_judging_seconds", 0.95, within="1h"), "{{model_line}}: 95% are faster"),
            unit="s",
            span=8,
            none="No window was judged",
        ),
    ]


def _decisions() -> list[Panel]:
    return [
        course(
            "Alarms in an hour",
            "Alarms of the sequential detector in the last hour, by leading aspect.",
            Query(f"{recently('retuned_alarms_total', 'aspect')} > 0", "{{aspect}}"),
            stacked=True,
            none="No alarm",
            span=6,
        ),
        bars(
            "Triaged alarms",
            "Alarms that were triaged in the time shown: train, ignore (harmless), can't help, or unclear.",
            Query(recently("retuned_triages_total", "outcome", within=_IN_RANGE), "{{outcome}}"),
            base=BLUE,
            none="No daemon answers",
            span=6,
        ),
        names(
            "Triage of the open change",
            "What triage says of the change that is open.",
            Query(
                f"{most(leading('retuned_open_change_triage'), 'outcome')} == 1",
                "{{model_line}}: {{outcome}}",
            ),
            none="No triaged change is open",
            span=6,
        ).height(8),
        course(
            "Decisions in an hour",
            "Decisions about training in the last hour that something called for, by trigger and action.",
            Query(
                f"{recently('retuned_decisions_total', 'trigger', 'action')} > 0", "{{trigger}}: {{action}}"
            ),
            stacked=True,
            none="Nothing called for a training",
            span=6,
        ),
    ]
