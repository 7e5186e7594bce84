"""Commands for erasure: forget, erasures, lineage."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.confirmation import confirm
from daemon.cli.session import Json, Reason, opened, operator, present, read_settings
from daemon.cli.version_argument import VERSION
from daemon.domain.errors import DaemonError

if TYPE_CHECKING:
    from daemon.config.settings import Settings
    from daemon.ledger.stores import Stores
    from daemon.training.lineage import VersionLineage
    from daemon.training.rebuild import ReadRecords, RebuiltDataset


class NobodyNamed(DaemonError):
    """Neither a user nor a conversation was named, or both were."""


def forget(
    context: typer.Context,
    *,
    user: Annotated[
        str | None, typer.Option(help="The user, as records name them.", show_default=False)
    ] = None,
    conversation: Annotated[
        str | None, typer.Option(help="The conversation, as records name it.", show_default=False)
    ] = None,
    reason: Reason,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Request a training from the newest untainted version.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    as_json: Json = False,
) -> None:
    """Erase a user or a conversation for good.

    The exit code is 1 where nothing of the user was found and conversations remain that name no user.
    """
    from daemon.cli.render.erasure import forgotten_screen
    from daemon.domain.clock import utc_now
    from daemon.erasure.forget import forget as erase
    from daemon.erasure.forget import subject_of
    from daemon.jobs.files import JobFiles
    from daemon.ledger.stores import artifacts_url

    if bool(user) == bool(conversation):
        raise NobodyNamed("name one of the two: --user U or --conversation C")
    settings = read_settings(context)
    named = f"user {user}" if user else f"conversation {conversation}"
    with opened(settings) as stores:
        confirm(f"Erase {named} from {settings.model_line} for good?", yes=yes, as_json=as_json)
        subject = subject_of(stores, user=user or None, conversation=conversation)
        done = erase(
            stores, subject, model_line=settings.model_line, runs_dir=settings.state_dir / "runs",
            jobs=JobFiles(artifacts_url(settings), cache=settings.state_dir / "cache"),
            by=operator().name, why=reason, clock=utc_now,
        )  # fmt: skip
        request = _ask(stores, reason) if retrain else None
    present(
        {"forgotten": done, "request": request, "found": done.found, "without_user": done.without_user},
        lambda: forgotten_screen(done, request, named=named),
        as_json=as_json,
    )
    if done.without_user and not done.found:
        raise typer.Exit(1)


def erasures(context: typer.Context, *, as_json: Json = False) -> None:
    """List what was erased, and verify that the list is intact."""
    from daemon.cli.render.erasure import erasures_screen
    from daemon.domain.errors import LedgerError

    settings = read_settings(context)
    problem = None
    with opened(settings) as stores:
        log = stores.erasures.log()
        try:
            stores.erasures.verify()
        except LedgerError as error:
            problem = str(error)
    present({"erasures": log, "problem": problem}, lambda: erasures_screen(log, problem), as_json=as_json)
    if problem is not None:
        raise typer.Exit(1)


def lineage(
    context: typer.Context,
    version: Annotated[str, VERSION],
    *,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Rebuild the training set, and compare its digest.")
    ] = False,
    from_kafka: Annotated[
        bool, typer.Option("--from-kafka", help="Rebuild it from the topic instead of the ledger.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option(help="Write the rebuilt training set to this file.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """List the records that a version learned from."""
    from daemon.cli.render.erasure import lineage_screen
    from daemon.training.lineage import lineage_of
    from registry.names import VersionName

    settings = read_settings(context)
    name = VersionName.parse(version, line=settings.model_line)
    with opened(settings) as stores:
        found = lineage_of(stores, name)
        again = None
        if rebuild or from_kafka or output:
            again = _rebuild(found, settings, stores, from_kafka=from_kafka)
    if again is not None and output is not None:
        output.write_bytes(again.content)
    present(
        {"lineage": found, "rebuilt": again and again.report},
        lambda: lineage_screen(found, again),
        as_json=as_json,
    )
    if again is not None and not again.report.equal:
        raise typer.Exit(1)


def _rebuild(
    found: "VersionLineage", settings: "Settings", stores: "Stores", *, from_kafka: bool
) -> "RebuiltDataset":
    from daemon.training.rebuild import from_ledger, rebuild_dataset

    return rebuild_dataset(
        found, _from_kafka(settings, stores) if from_kafka else from_ledger(stores.conversations)
    )


def _from_kafka(settings: "Settings", stores: "Stores") -> "ReadRecords":
    from functools import partial

    from daemon.domain.clock import utc_now
    from daemon.intake.router import Router
    from daemon.kafka import fetch_records
    from daemon.runtime.kafka_settings import load_kafka_settings
    from daemon.runtime.schemas import load_schemas
    from daemon.training.rebuild import from_topic

    fetch = partial(fetch_records, load_kafka_settings(settings))
    router = Router(settings, stores.holdout, load_schemas(settings))
    return from_topic(fetch, router, stores.conversations, clock=utc_now)


def _ask(stores: "Stores", reason: str) -> int:
    from daemon.domain.clock import utc_now

    return stores.decisions.request_training(
        by=operator().name, reason=f"something was forgotten: {reason}", now=utc_now()
    )
