"""Builds what asks the teacher."""

from functools import partial

from daemon.config.settings import Settings
from daemon.domain.clock import utc_now
from daemon.intake.privacy.redaction import Redactor
from daemon.ledger.stores import Stores
from daemon.teaching.client import TeacherClient
from daemon.teaching.daemon_threads import DaemonThreads
from daemon.teaching.endpoint import endpoint_of
from daemon.teaching.judge import TeacherJudge
from daemon.teaching.prompts import PromptReader
from daemon.teaching.stage import TeacherStage
from daemon.telemetry.metrics import Metrics


def build_teacher(settings: Settings, stores: Stores, metrics: Metrics) -> TeacherStage | None:
    """Build the stage that asks the teacher; None where the settings name none, or nothing to ask it."""
    teacher, endpoint = settings.teacher, endpoint_of(settings.teacher)
    if endpoint is None or not (teacher.answers or teacher.judges):
        return None
    client = TeacherClient(endpoint)
    return TeacherStage(
        stores.teacher,
        teacher,
        ask=lambda messages, max_tokens: client.ask(messages, max_tokens=max_tokens),
        choose=PromptReader(stores, settings).read,
        redact=partial(_redacted, Redactor(settings.hygiene)),
        executor=DaemonThreads("retuned-teacher"),
        metrics=metrics,
        clock=utc_now,
    )


def build_judge(settings: Settings, stage: TeacherStage | None) -> TeacherJudge | None:
    """Build the judge of pairs of answers; None where the settings want none."""
    if stage is None or not settings.teacher.judges:
        return None
    return TeacherJudge(stage.ask_judge, partial(_redacted, Redactor(settings.hygiene)))


def _redacted(redactor: Redactor, text: str) -> str:
    return redactor.redact(text).text
