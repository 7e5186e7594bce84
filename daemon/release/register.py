"""Registers versions: the bare base model, and the results of runs."""

import logging
from dataclasses import asdict

from daemon.domain.clock import Clock
from daemon.training.dataset import offset_ranges
from daemon.training.planned_run import PlannedRun
from daemon.training.trained_lesson import lesson_from_json
from learners.types import RunResult
from registry.artifacts import ArtifactStore
from registry.names import VersionName
from registry.store import Store
from registry.transitions import bootstrap
from registry.types import Actor, Lineage, Version

_log = logging.getLogger(__name__)
DAEMON = Actor(kind="daemon", name="retuned")


def register_base(store: Store, *, model_line: str, base: str, base_digest: str, clock: Clock) -> None:
    """Make the bare base model version 0 and live, unless the line has a live version."""
    history = store.history(model_line)
    if history.live is not None:
        return
    name = VersionName(model_line, 0)
    if store.next_number(model_line) == 0:
        store.add_version(
            Version(
                name=name,
                run=None,
                artifact=None,
                digest=base_digest,
                size_bytes=0,
                lineage=_base_lineage(base, base_digest),
                created_at=clock(),
            )
        )
    entry = bootstrap(history, name, reason="the base model, before any training", by=DAEMON, now=clock())
    store.append(entry, expected=history.position)


def register_run(
    store: Store,
    artifacts: ArtifactStore,
    planned: PlannedRun,
    result: RunResult,
    *,
    model_line: str,
    base: str,
    clock: Clock,
) -> Version:
    """Store a run's artifact and add its version; a run that was registered before keeps its version.

    Raises RegistryError, OSError.
    """
    for version in store.versions(model_line):
        if version.run == result.run:
            return version
    name = _free_name(store, artifacts, model_line, result.digest)
    stored = artifacts.put(result.artifact, name)
    version = Version(
        name=name,
        run=result.run,
        artifact=stored.url,
        digest=stored.digest,
        size_bytes=stored.size_bytes,
        lineage=_lineage(planned, result, base),
        created_at=clock(),
    )
    store.add_version(version)
    return version


def _free_name(store: Store, artifacts: ArtifactStore, model_line: str, digest: str) -> VersionName:
    """Return the next name under which the artifact store has no other artifact. Raises OSError.

    It has one where the ledger was restored from an older backup: the name was given away before.
    """
    number = store.next_number(model_line)
    while others := artifacts.digests(VersionName(model_line, number)) - {digest}:
        _log.warning(
            "the artifact store has %s with digest %s, which the ledger does not know; digest %s gets another name",
            VersionName(model_line, number), ", ".join(sorted(others)), digest, extra={"action": "register"},
        )  # fmt: skip
        number += 1
    return VersionName(model_line, number)


def _lineage(planned: PlannedRun, result: RunResult, base: str) -> Lineage:
    request, dataset = planned.request, planned.dataset
    skipped = {number for numbers in result.skipped_lines.values() for number in numbers}
    within = {
        (span.topic, span.partition, offset)
        for span in dataset.sources
        for offset in range(span.first, span.last + 1)
    }
    learned = dict.fromkeys(
        (record.at, record.conversation_hash)
        for position, record in enumerate(dataset.records)
        if (position if record.line is None else record.line) not in skipped
        and lesson_from_json(record.lesson).part is None
        and (record.at.topic, record.at.partition, record.at.offset) in within
    )
    return Lineage(
        base=base,
        base_digest=request.base_digest,
        parent=VersionName.parse(planned.parent) if planned.parent else None,
        method=request.method,
        settings=asdict(request.settings),
        seed=request.seed,
        packages=dict(result.packages),
        sources=offset_ranges(dict.fromkeys(at for at, _ in learned)),
        conversations=len(learned),
        data_digest=dataset.digest,
    )


def _base_lineage(base: str, base_digest: str) -> Lineage:
    return Lineage(
        base=base, base_digest=base_digest, parent=None, method="none", settings={}, seed=0, packages={},
        sources=(), conversations=0, data_digest="",
    )  # fmt: skip
