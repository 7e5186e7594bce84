"""What a training learns, how far it is, and what its teacher costs."""

from grafana_foundation_sdk.builders.dashboard import Dashboard

from deploy.grafana.frame import frame
from deploy.grafana.overview import held, run_left, run_progress
from deploy.grafana.panels import (
    GREEN,
    NATS,
    ORANGE,
    PER_MINUTE,
    RED,
    YELLOW,
    Panel,
    Query,
    bars,
    course,
    figure,
    names,
    states,
)
from deploy.grafana.promql import leading, mean, most, of, per_minute, recently, total

_IN_RANGE = "$__range"


def training() -> Dashboard:
    """Return the dashboard of runs, lessons and the teacher."""
    return frame(
        "Training",
        "retuned-training",
        "Runs and how they end, the lessons that they learn from, and the teacher's calls.",
        [("Now", _now()), ("Runs", _runs()), ("Lessons", _lessons()), ("Teacher", _teacher())],
    )


def _now() -> list[Panel]:
    return [
        run_progress(),
        run_left(),
        figure(
            "Speed",
            "Tokens of training data that the current run learns in a second.",
            Query(most(of("retuned_run_tokens_per_second")), "{{model_line}}"),
            unit="suffix:tokens/s",
            none="No run",
        ),
        figure(
            "New lessons",
            "Lessons since the last training that a training would learn, as of the last decision. policy.min_new_lessons is "
            "how many a training waits for.",
            Query(total(leading("retuned_new_lessons", 'kind!="unjudged"')), "{{model_line}}"),
            graph=True,
            none="None counted yet",
        ),
        figure(
            "Left out",
            "Share of the new conversations with a lesson that the newest training set left out, or would have.",
            Query(most(leading("retuned_training_left_out_ratio")), "{{model_line}}"),
            unit="percentunit",
            steps=[(0.25, YELLOW), (0.5, RED)],
            none="No training yet",
        ),
        held(),
    ]


def _runs() -> list[Panel]:
    return [
        course(
            "Loss of the current run",
            "Smoothed training loss; with methods dpo and kto what they minimise.",
            Query(most(of("retuned_run_loss_nats_per_token")), "{{model_line}}"),
            unit=NATS,
            none="No run in this time",
        ),
        course(
            "Speed of the current run",
            "Tokens of training data learned in a second.",
            Query(most(of("retuned_run_tokens_per_second")), "{{model_line}}"),
            unit="suffix:tokens/s",
            none="No run in this time",
        ),
        bars(
            "Runs ended",
            "Training runs that ended in the time shown, by outcome.",
            Query(recently("retuned_runs_total", "outcome", within=_IN_RANGE), "{{outcome}}"),
            none="No daemon answers",
            span=6,
        ),
        names(
            "Last run",
            "How the last run ended.",
            Query(f"{most(leading('retuned_last_run'), 'outcome')} == 1", "{{model_line}}: {{outcome}}"),
            colors={".*: finished": GREEN, ".*: cancelled": YELLOW, ".*: failed": RED},
            none="No run yet",
        ).height(8),
        figure(
            "Stopped at the latest in",
            "The daemon stops a run that takes longer than learning.timeout_s.",
            Query(f"{most(of('retuned_run_deadline_timestamp_seconds'))} - time()", "{{model_line}}"),
            unit="s",
            none="No run",
        ).height(8),
        course(
            "Mean duration of runs",
            "Mean duration of the runs that ended in the last day, whatever their outcome.",
            Query(mean("retuned_run_duration_seconds", within="1d"), "{{model_line}}"),
            unit="s",
            none="No run ended",
            span=6,
        ),
        figure(
            "Skipped by the last run",
            "Share of its training set that the last finished run could not learn from. `retuned show` names the reasons.",
            Query(most(leading("retuned_training_skipped_ratio")), "{{model_line}}"),
            unit="percentunit",
            steps=[(0.1, YELLOW), (0.5, RED)],
            none="No run yet",
        ).height(8),
        states(
            "Job of the current run",
            "What the Job is doing in which a run trains on a cluster. `retuned status` says what it waits for.",
            Query(f"{most(of('retuned_run_job'), 'state')} == 1", "{{model_line}}: {{state}}"),
            colors={
                ".*: running": GREEN,
                ".*: (submitting|fetching|ending)": YELLOW,
                ".*: (waiting|pulling)": ORANGE,
                ".*: unreachable": RED,
            },
            none="No Job in this time",
            span=24,
            height=5,
        ),
    ]


def _lessons() -> list[Panel]:
    return [
        bars(
            "New lessons by kind",
            "Lessons since the last training, by kind, as of the last decision. Unjudged answers are not learned.",
            Query(most(leading("retuned_new_lessons"), "kind"), "{{kind}}"),
            none="None counted yet",
        ),
        bars(
            "The newest training set",
            "Lessons in the newest training set, by kind; replay is what keeps the old from being forgotten.",
            Query(most(leading("retuned_run_lessons"), "kind"), "{{kind}}"),
            none="No training yet",
        ),
        bars(
            "Left out",
            "New conversations that training sets left out in the time shown, by reason. Each training set counts anew.",
            Query(
                f"{recently('retuned_conversations_left_out_total', 'reason', within=_IN_RANGE)} > 0",
                "{{reason}}",
            ),
            base=ORANGE,
            none="Nothing was left out",
        ),
    ]


def _teacher() -> list[Panel]:
    return [
        figure(
            "Calls left today",
            "Calls that teacher.calls_a_day still allows.",
            Query(most(of("retuned_teacher_budget_left_calls")), "{{model_line}}"),
            none="No teacher",
        ),
        figure(
            "Money left today",
            "Money that teacher.money_a_day still allows, in the currency of the prices in the settings.",
            Query(most(of("retuned_teacher_budget_left_money")), "{{model_line}}"),
            none="No limit of money",
        ),
        figure(
            "Failing for",
            "Time since the first of several failed calls since the teacher's last answer.",
            Query(
                f"time() - {most(of('retuned_teacher_failing_since_timestamp_seconds'))}", "{{model_line}}"
            ),
            unit="s",
            steps=[(1_800, RED)],
            none="It does not fail",
        ),
        figure(
            "Cost",
            "What the teacher's calls cost in the time shown, by the prices in the settings.",
            Query(total(f"increase({of('retuned_teacher_cost_total')}[{_IN_RANGE}])"), "{{model_line}}"),
            none="No daemon answers",
        ),
        figure(
            "Calls",
            "Calls of the teacher in the time shown, by purpose.",
            Query(recently("retuned_teacher_calls_total", "purpose", within=_IN_RANGE), "{{purpose}}"),
            none="No daemon answers",
            span=8,
        ),
        course(
            "Calls by outcome",
            "Calls of the teacher in a minute that had one, by outcome.",
            Query(f"{per_minute('retuned_teacher_calls_total', 'outcome')} > 0", "{{outcome}}"),
            unit=PER_MINUTE,
            stacked=True,
            none="No call in this time",
        ),
        course(
            "Tokens",
            "Tokens of the teacher in a minute, as its endpoint counts them.",
            Query(per_minute("retuned_teacher_tokens_total", "direction"), "{{direction}}"),
            unit=PER_MINUTE,
            none="No teacher",
        ),
    ]
