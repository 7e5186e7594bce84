"""Reads the two logs of a model line, and what they say about a version."""

from collections.abc import Sequence
from dataclasses import dataclass

from registry.ancestry import all_at_once, one_by_one, walk_back
from registry.history import History, Step
from registry.names import VersionName
from registry.orders import OrderLog
from registry.restrictions import Bar, Hold, Restrictions, bar_on, hold_on
from registry.store import Store


@dataclass(frozen=True, kw_only=True, slots=True)
class LineLogs:
    """The two logs of a model line, as they were read for one decision."""

    history: History
    orders: OrderLog

    @property
    def hold(self) -> Hold | None:
        """What holds automatic promotion."""
        return hold_on(self.history.entries, self.orders)


@dataclass(frozen=True, kw_only=True, slots=True)
class LineOutline:
    """The two logs of a model line, the promotion log without most of its entries' contents, for views."""

    model_line: str
    steps: Sequence[Step]
    orders: OrderLog

    @property
    def hold(self) -> Hold | None:
        """What holds automatic promotion."""
        return hold_on(self.steps, self.orders)


def read_logs(versions: Store, model_line: str) -> LineLogs:
    """Read both logs. An entry that is decided from them is refused if either has grown meanwhile."""
    return LineLogs(history=versions.history(model_line), orders=versions.orders(model_line))


def read_outline(versions: Store, model_line: str) -> LineOutline:
    """Read both logs for a view."""
    return LineOutline(
        model_line=model_line, steps=versions.steps(model_line), orders=versions.orders(model_line)
    )


def restrictions_on(versions: Store, name: VersionName, logs: LineLogs) -> Restrictions:
    """Return what restricts the promotion of a version. Raises VersionNotFound."""
    return Restrictions(hold=logs.hold, bar=read_bar(versions, name, logs))


def read_bar(versions: Store, name: VersionName | None, logs: LineLogs) -> Bar | None:
    """Return why a version may not go live by itself; None if it may, or for no version. Raises VersionNotFound."""
    return bar_on(walk_back(name, one_by_one(versions)), logs.history.entries, logs.orders)


def outlined_bar(versions: Store, name: VersionName | None, outline: LineOutline) -> Bar | None:
    """Return the same for a view, of any version of the line."""
    ancestry = walk_back(name, all_at_once(versions, outline.model_line))
    return bar_on(ancestry, outline.steps, outline.orders)
