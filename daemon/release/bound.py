"""Compares what a ledger is bound to with what is there: base model, LoRA shape, holdout key, state and artifacts."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from daemon.config.settings import Settings
from daemon.domain.errors import DaemonError
from daemon.domain.holdout import BadHoldoutKey, Holdout
from daemon.ledger.marks import FoundMark
from daemon.ledger.stores import Stores, artifacts_url, holdout_key_path
from daemon.training.from_settings import lora_settings
from registry.types import Version


class Bound(StrEnum):
    """What a ledger is bound to."""

    BASE = "base model"
    SHAPE = "LoRA shape"
    LEDGER = "ledger identity"
    ARTIFACTS = "artifact store"
    HOLDOUT_KEY = "holdout key"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """Something that is not what the ledger is bound to."""

    bound: Bound
    found: str  # one sentence that names both sides
    remedy: str

    def __str__(self) -> str:
        return f"{self.found}; {self.remedy}"


class BoundElsewhere(DaemonError):
    """The ledger is bound to something else than what is there. Nothing was started."""


def refuse_differences(stores: Stores, settings: Settings, *, base_digest: str) -> None:
    """Raise BoundElsewhere, naming all differences, unless there are none."""
    found = [*differences(stores, settings), *base_difference(stores, settings, base_digest)]
    if found:
        raise BoundElsewhere("\n".join(map(str, found)))


def differences(stores: Stores, settings: Settings, *, near: bool = False) -> Iterator[Difference]:
    """Compare all but the base model, whose digest takes long. ``near`` leaves out what asks the artifact store.

    A store that does not answer is not compared.
    """
    live = live_version(stores, settings)
    if live is not None:
        yield from _shape(stores, settings, live)
    yield from _holdout_key(stores, settings)
    yield from _mark(stores, stores.marks.of_state_folder())
    if near:
        return
    with suppress(OSError):
        mark = stores.marks.of_artifact_store()
        yield from _mark(stores, mark)
        if mark is None and live is not None:
            yield from _artifacts(stores, settings, live)


def base_difference(stores: Stores, settings: Settings, digest: str) -> Iterator[Difference]:
    """Compare the digest of the base model's files with that of the live version's base."""
    live = live_version(stores, settings)
    if live is None or live.lineage.base_digest == digest:
        return
    yield Difference(
        bound=Bound.BASE,
        found=(
            f"{settings.model.base} (model.base) has digest {digest[:12]}, but {live.name}, which is live, was made for "
            f"{live.lineage.base} with digest {live.lineage.base_digest[:12]}"
        ),
        remedy=(
            "restore those files or correct model.base; another base model needs a model line with a state_dir of its own"
        ),
    )


def live_version(stores: Stores, settings: Settings) -> Version | None:
    """Return the version that the promotion log says is live; None for an empty log."""
    entry = stores.versions.newest_promotion(settings.model_line)
    return None if entry is None else stores.versions.version(entry.version)


def _shape(stores: Stores, settings: Settings, live: Version) -> Iterator[Difference]:
    """Compare the shape: a training continues from the live version, so both must have the same."""
    if live.artifact is None:
        return
    wanted = lora_settings(settings)
    shape: dict[str, object] = {
        "rank": wanted.rank,
        "alpha": wanted.alpha,
        "target_modules": _plain(wanted.target_modules),
    }
    has = {name: _plain(live.lineage.settings[name]) for name in shape if name in live.lineage.settings}
    differing = [name for name in has if has[name] != shape[name]]
    if not differing:
        return
    ours = ", ".join(f"{name} {shape[name]}" for name in differing)
    theirs = ", ".join(f"{name} {has[name]}" for name in differing)
    settable = ", ".join(f"learning.{name}: {has[name]}" for name in differing if name != "target_modules")
    base = stores.versions.history(settings.model_line).line[0]
    back = f"go back to the base: `retuned rollback v{base.number} -m REASON`"
    yield Difference(
        bound=Bound.SHAPE,
        found=f"section learning has {ours}, but {live.name}, which is live, has {theirs}",
        remedy=f"set {settable}, or {back}" if settable else back,
    )


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _holdout_key(stores: Stores, settings: Settings) -> Iterator[Difference]:
    """Compare the key's file with the key in use: a file that is gone is noticed before the next start needs it."""
    path, bound = holdout_key_path(settings), stores.holdout.fingerprint
    try:
        found = Holdout(path.read_bytes().strip(), share=settings.holdout.share).fingerprint
    except OSError as error:
        found = f"no key that can be read ({error.strerror})"
    except BadHoldoutKey:
        found = "no key that can be used"
    if found != bound:
        yield Difference(
            bound=Bound.HOLDOUT_KEY,
            found=f"{path} has {found}, but the ledger was created with the key of fingerprint {bound}",
            remedy="restore the key there from a backup",
        )


def _mark(stores: Stores, found: FoundMark | None) -> Iterator[Difference]:
    problem = None if found is None else stores.marks.disagreement(found)
    if problem is not None:
        yield Difference(
            bound=Bound.LEDGER,
            found=problem,
            remedy=(
                "restore the newest ledger, or correct ledger_url, state_dir or artifacts_url; to go on with this one all "
                "the same: `retuned sync --accept-ledger`"
            ),
        )


def _artifacts(stores: Stores, settings: Settings, live: Version) -> Iterator[Difference]:
    """Look for the live version's artifact in a store that this ledger has not marked."""
    if live.artifact is None or stores.artifacts.has(live.artifact, live.digest):
        return
    yield Difference(
        bound=Bound.ARTIFACTS,
        found=(
            f"{artifacts_url(settings)} (artifacts_url) has no artifact of {live.name}, which is live in the ledger "
            f"{stores.engine.url.render_as_string(hide_password=True)}; it was stored as {live.artifact}"
        ),
        remedy="correct artifacts_url, or copy the artifacts there",
    )
