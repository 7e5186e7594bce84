"""A registry in memory, for tests that need one and no database."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from registry.history import History, LogStep, Step, check_next, verify
from registry.names import VersionName
from registry.orders import Order, OrderLog
from registry.store import Ancestry, Conflict, VersionExists, VersionNotFound
from registry.types import GateReport, GateVerdict, Promotion, PromotionKind, Version


class MemoryStore:
    """Keeps the Store's promises, save surviving a crash and several writers at once."""

    def __init__(self) -> None:
        self._versions: dict[VersionName, Version] = {}
        self._entries: dict[str, tuple[Promotion, ...]] = {}
        self._reports: dict[VersionName, dict[int, GateReport]] = {}
        self._orders: dict[str, tuple[Order, ...]] = {}

    def add_version(self, version: Version) -> None:
        if version.name in self._versions:
            raise VersionExists(str(version.name))
        self._versions[version.name] = version

    def version(self, name: VersionName) -> Version:
        self._require(name)
        return self._versions[name]

    def versions(self, model_line: str, *, newest: int | None = None) -> Sequence[Version]:
        known = [self._versions[name] for name in sorted(self._versions) if name.line == model_line]
        return known if newest is None else known[max(0, len(known) - newest) :]

    def ancestry(self, model_line: str) -> Sequence[Ancestry]:
        return [
            Ancestry(version.name, version.run, version.lineage.parent)
            for version in self.versions(model_line)
        ]

    def next_number(self, model_line: str) -> int:
        return max((version.name.number for version in self.versions(model_line)), default=-1) + 1

    def append(self, entry: Promotion, *, expected: int, orders: int | None = None) -> None:
        self._require(entry.version)
        history = self.history(entry.model_line)
        if orders is not None and orders != self.orders(entry.model_line).number:
            raise Conflict("an order was first")
        if history.position != expected:
            raise Conflict(f"at {history.position}, not {expected}")
        check_next(history, entry)
        self._entries[entry.model_line] = (*history.entries, entry)

    def history(self, model_line: str) -> History:
        return History(model_line=model_line, entries=self._entries.get(model_line, ()))

    def newest_promotion(self, model_line: str) -> Promotion | None:
        return next(reversed(self.history(model_line).entries), None)

    def promotions_of(self, name: VersionName) -> Sequence[Promotion]:
        return [entry for entry in self.history(name.line).entries if entry.version == name]

    def promotions_at(self, model_line: str, positions: Collection[int]) -> Sequence[Promotion]:
        return [entry for entry in self.history(model_line).entries if entry.position in positions]

    def promotions_between(self, model_line: str, first: int, last: int) -> Sequence[Promotion]:
        return self.promotions_at(model_line, range(first, last + 1))

    def verify(self, model_line: str) -> None:
        verify(self.history(model_line))

    def steps(self, model_line: str) -> Sequence[Step]:
        return [
            entry
            if entry.kind is PromotionKind.ROLLBACK
            else LogStep(
                entry.position,
                entry.version,
                entry.kind is PromotionKind.PROMOTION and entry.by.kind == "daemon",
            )
            for entry in self.history(model_line).entries
        ]

    def add_order(self, order: Order) -> None:
        known = self._orders.get(order.model_line, ())
        if order.number != len(known) + 1:
            raise Conflict(f"at {len(known)}, not {order.number - 1}")
        self._orders[order.model_line] = (*known, order)

    def orders(self, model_line: str) -> OrderLog:
        return OrderLog(model_line=model_line, orders=self._orders.get(model_line, ()))

    def add_gate_report(self, version: VersionName, report: GateReport, *, at: datetime) -> None:
        self._require(version)
        reports = self._reports.setdefault(version, {})
        if report.look in reports:
            raise Conflict(f"look {report.look} is there already")
        reports[report.look] = report

    def gate_reports(self, version: VersionName) -> Sequence[GateReport]:
        return [report for _, report in sorted(self._reports.get(version, {}).items())]

    def gate_verdicts(self, names: Collection[VersionName]) -> Mapping[VersionName, GateVerdict]:
        reports = {name: self.gate_reports(name) for name in names}
        return {name: given[-1].verdict for name, given in reports.items() if given}

    def _require(self, name: VersionName) -> None:
        if name not in self._versions:
            known = ", ".join(f"v{version.name.number}" for version in self.versions(name.line))
            raise VersionNotFound(f"there is no {name}; there are: {known or 'none'}")
