"""The command doctor."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.lines import Answer, answer_lines
from daemon.cli.session import Json

if TYPE_CHECKING:
    from daemon.cli.doctor.check import Check
    from daemon.config.settings import Settings


def doctor(
    context: typer.Context,
    *,
    create_topics: Annotated[
        bool, typer.Option("--create-topics", help="Create topics that are missing.")
    ] = False,
    teacher: Annotated[
        bool, typer.Option("--teacher", help="Make one small call of the teacher, which costs money.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Check everything the daemon needs, with a remedy for each failure."""
    from daemon.cli.doctor.check import guarded
    from daemon.cli.render.doctor import checkup_screen

    def examine(settings: "Settings") -> Answer:
        checks = [
            check
            for subject, run in _checks(settings, create_topics=create_topics, call_teacher=teacher)
            for check in guarded(subject, run)
        ]
        ok = all(check.ok for check in checks)
        return Answer(
            document={"ok": ok, "checks": checks},
            screen=lambda: checkup_screen(checks),
            exit_code=0 if ok else 1,
        )

    answer_lines(context, examine, as_json=as_json)


def _checks(
    settings: "Settings", *, create_topics: bool, call_teacher: bool
) -> "Iterator[tuple[str, Callable[[], Iterable[Check]]]]":
    """Return the checks with what each is about. Each imports what it needs when it runs: a library may be missing."""

    def broker() -> "Iterable[Check]":
        from daemon.cli.doctor.broker import check_stream

        return check_stream(settings, create_topics=create_topics)

    def stores() -> "Iterable[Check]":
        from daemon.cli.doctor.stores import check_stores

        return check_stores(settings)

    def model() -> "Iterable[Check]":
        from daemon.cli.doctor.check import guarded
        from daemon.cli.doctor.model import check_model
        from daemon.cli.doctor.sample import check_sample

        yield check_model(settings)
        yield from guarded("training sample", lambda: (check_sample(settings),))

    def embedding() -> "Iterable[Check]":
        from daemon.cli.doctor.model import check_embedding

        return check_embedding(settings)

    def privacy() -> "Iterable[Check]":
        from daemon.cli.doctor.machine import check_privacy

        return check_privacy(settings)

    def machine(name: str) -> "Callable[[], Iterable[Check]]":
        def run() -> "Iterable[Check]":
            from daemon.cli.doctor import machine as of_machine

            return (getattr(of_machine, name)(settings),)

        return run

    yield "broker", broker
    yield "schema registry", partial(_schema_registry, settings)
    yield "teacher", partial(_teacher, settings, call=call_teacher)
    yield "cluster", partial(_cluster, settings)
    yield "certificate", partial(_certificates, settings)
    yield "ledger", stores
    yield "model", model
    yield "embedding model", embedding
    yield "disk", machine("check_disk")
    yield "privacy", privacy
    yield "holdout key", machine("check_holdout_key")
    yield "daemon", machine("check_http")
    yield "reload", partial(_reload, settings)
    yield "tracing", partial(_tracing, settings)


def _certificates(settings: "Settings") -> "Iterable[Check]":
    from daemon.cli.doctor.certificates import check_certificates

    return check_certificates(settings)


def _cluster(settings: "Settings") -> "Iterable[Check]":
    if settings.learning.where != "kubernetes":
        return ()
    from daemon.cli.doctor.cluster import check_cluster

    return check_cluster(settings)


def _schema_registry(settings: "Settings") -> "Iterable[Check]":
    if settings.kafka.schema_registry.url is None:
        return ()
    from daemon.cli.doctor.schema_registry import check_schema_registry

    return check_schema_registry(settings)


def _teacher(settings: "Settings", *, call: bool) -> "Iterable[Check]":
    if settings.teacher.url is None:
        return ()
    from daemon.cli.doctor.teacher import check_teacher

    return check_teacher(settings, call=call)


def _reload(settings: "Settings") -> "Iterable[Check]":
    from daemon.cli.doctor.settings import check_reload

    return check_reload(settings)


def _tracing(settings: "Settings") -> "Iterable[Check]":
    from daemon.cli.doctor.tracing import check_tracing

    return check_tracing(settings)
