"""Sets up logging: text on a terminal, JSON lines elsewhere.

A record carries its identity, ``action``, ``model_line``, ``run`` and ``version``, in ``extra``, or has it from its thread
(``log_context``). The formatters write no other extra, so a conversation can't reach the log that way.
"""

import logging
import sys
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal, TextIO, TypeAlias

from pythonjsonlogger.json import JsonFormatter

from daemon.telemetry.log_context import IDENTITY, IdentityFilter

Level: TypeAlias = Literal["DEBUG", "INFO", "WARNING", "ERROR"]
Format: TypeAlias = Literal["auto", "text", "json"]

_ExcInfo: TypeAlias = (
    tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]
)
_log = logging.getLogger(__name__)

_OURS = ("daemon", "monitors", "learners", "registry")
_MAX_MESSAGE_CHARS = 4_000


def configure_logging(
    level: Level,
    format: Format,  # noqa: A002
    *,
    stream: TextIO | None = None,
    model_line: str | None = None,
) -> None:
    """Log to ``stream`` (stderr) from ``level`` on, Python's warnings included. A second call replaces the first.

    ``model_line`` is what records are about whose thread does not say.

    Tracebacks are logged at level DEBUG alone; else the exception and its message are.

    Libraries log from WARNING on, whatever the level: at DEBUG, the Kafka client would log whole conversations. The Kafka
    client logs from CRITICAL on, because it reports each attempt to reach a lost broker; ``daemon.kafka`` reports it once.
    """
    stream = stream or sys.stderr
    text = format == "text" or (format == "auto" and stream.isatty())
    handler = logging.StreamHandler(stream)
    tracebacks = level == "DEBUG"
    handler.setFormatter(TextFormatter(tracebacks=tracebacks) if text else JsonLines(tracebacks=tracebacks))
    handler.addFilter(IdentityFilter({} if model_line is None else {"model_line": model_line}))
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level]))
    for package in _OURS:
        logging.getLogger(package).setLevel(level)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)
    logging.captureWarnings(True)


class JsonLines(JsonFormatter):
    """One JSON object a line: ``ts``, ``level``, ``logger``, ``message``, the identity and ``exception``."""

    def __init__(self, *, tracebacks: bool) -> None:
        super().__init__(json_ensure_ascii=False)
        self._tracebacks = tracebacks

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802 - the base class's name
        """Return the traceback where those are wanted, else the exception alone."""
        return str(super().formatException(ei)) if self._tracebacks else _exception_line(ei)

    def add_fields(
        self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
    ) -> None:
        """Write the allowed fields alone; the base class would write every extra."""
        log_data |= {
            "ts": _timestamp(record),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            **_identity(record),
        }
        if record.exc_info:
            log_data["exception"] = message_dict["exc_info"]


class TextFormatter(logging.Formatter):
    """One line for people; where tracebacks are wanted, one follows on lines of its own."""

    def __init__(self, *, tracebacks: bool) -> None:
        super().__init__()
        self._tracebacks = tracebacks

    def format(self, record: logging.LogRecord) -> str:
        identity = " ".join(f"{name}={_printable(value)}" for name, value in _identity(record).items())
        line = f"{_timestamp(record)} {record.levelname:<7} {record.name}: {_printable(_message(record))}"
        if identity:
            line += f"  [{identity}]"
        if record.exc_info and self._tracebacks:
            line += "\n" + self.formatException(record.exc_info)
        elif record.exc_info:
            line += f"  ({_printable(_exception_line(record.exc_info))})"
        return line


def log_failures_of_threads() -> None:
    """Log an exception that ends a thread or escapes a destructor; Python would print its traceback."""

    def of_thread(failed: "threading.ExceptHookArgs") -> None:
        name = failed.thread.name if failed.thread else "?"
        if failed.exc_value is not None and not issubclass(failed.exc_type, SystemExit):
            _log.error("thread %s ended with an error", name, exc_info=failed.exc_value)

    def of_destructor(failed: "sys.UnraisableHookArgs") -> None:
        _log.warning("an error was ignored in %r", failed.object, exc_info=failed.exc_value)

    threading.excepthook = of_thread
    sys.unraisablehook = of_destructor


def _exception_line(found: _ExcInfo) -> str:
    """Return the kind of an exception and its message, in one line."""
    kind, value, _ = found
    if kind is None:
        return ""
    return f"{kind.__name__}: {value}" if str(value) else kind.__name__


def _timestamp(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(record: logging.LogRecord) -> str:
    message = record.getMessage()
    return message if len(message) <= _MAX_MESSAGE_CHARS else message[: _MAX_MESSAGE_CHARS - 1] + "…"


def _identity(record: logging.LogRecord) -> dict[str, str]:
    return {name: str(value) for name in IDENTITY if (value := getattr(record, name, None)) is not None}


def _printable(text: str) -> str:
    """Escape line ends and terminal codes, so that a message can't imitate another record."""
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )
