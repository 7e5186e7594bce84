"""What operators have ordered about trainings."""

from registry.line_logs import read_bar, read_logs
from registry.names import VersionName
from registry.orders import OrderKind
from registry.store import Store


class TrainingOrders:
    """Reads whether training is paused, and whether a run has to end."""

    def __init__(self, versions: Store, model_line: str) -> None:
        self._versions = versions
        self._model_line = model_line

    def read_pause(self) -> str | None:
        """Return in words who paused training and why; None if training is not paused."""
        order = self._versions.orders(self._model_line).paused
        return None if order is None else f"training is paused by {order.by.name}: {order.reason}"

    def read_cancellation(self, run: str, parent: VersionName | None) -> str | None:
        """Return in words why a run has to end; None if it may go on.

        A run has to end if an operator cancelled it, or rolled back or rejected a version that it continues from.
        """
        logs = read_logs(self._versions, self._model_line)
        order = logs.orders.of(OrderKind.CANCEL).get(run)
        if order is not None:
            return f"cancelled by {order.by.name}: {order.reason}"
        bar = read_bar(self._versions, parent, logs)
        return None if bar is None else f"cancelled, because it continues from {parent}: {bar}"
