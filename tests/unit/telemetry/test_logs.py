import io
import json
import logging
import warnings
from collections.abc import Iterator

import pytest

from daemon.telemetry.logs import Format, configure_logging

LOGGER = logging.getLogger("daemon.training.train_stage")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave logging as it was."""
    loggers = [
        logging.getLogger(name) for name in (None, "daemon", "monitors", "learners", "registry", "kafka")
    ]
    levels, handlers = [logger.level for logger in loggers], loggers[0].handlers[:]
    yield
    logging.captureWarnings(False)
    loggers[0].handlers[:] = handlers
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.fixture
def out() -> io.StringIO:
    out = io.StringIO()
    configure_logging("INFO", "json", stream=out)
    return out


def only_line(out: io.StringIO) -> dict[str, str]:
    (line,) = out.getvalue().splitlines()
    fields: dict[str, str] = json.loads(line)
    return fields


def test_a_record_carries_its_identity(out: io.StringIO) -> None:
    extra = {"action": "train", "model_line": "chat", "run": "r-1", "version": "chat-v7"}

    LOGGER.info("训练 %d steps", 12, extra=extra)

    fields = only_line(out)
    assert fields.pop("ts").endswith("Z")
    assert fields == {
        "level": "INFO",
        "logger": "daemon.training.train_stage",
        "message": "训练 12 steps",
        **extra,
    }


def test_a_line_is_the_same_to_the_byte(out: io.StringIO) -> None:
    extra = {"version": "chat-v7", "run": "r-1", "secret": "x"}
    record = LOGGER.makeRecord(
        LOGGER.name, logging.WARNING, "", 0, 'half of "%s"\n慢', ("it",), None, extra=extra
    )
    record.created = 1_795_481_234.5
    record.exc_info = (ValueError, ValueError("no\tgood"), None)

    LOGGER.handle(record)

    assert out.getvalue() == (
        '{"ts": "2026-11-24T00:47:14.500Z", "level": "WARNING", "logger": "daemon.training.train_stage", '
        '"message": "half of \\"it\\"\\n慢", "run": "r-1", "version": "chat-v7", "exception": "ValueError: no\\tgood"}\n'
    )


def test_a_mapping_for_a_message_adds_no_keys(out: io.StringIO) -> None:
    LOGGER.info({"text": "my words"})

    assert set(only_line(out)) == {"ts", "level", "logger", "message"}


def test_no_other_extra_is_written(out: io.StringIO) -> None:
    LOGGER.info("kept", extra={"messages": "my secret", "conversation": {"text": "my secret"}})

    assert "secret" not in out.getvalue()


def test_time_is_iso_8601_in_utc(out: io.StringIO) -> None:
    record = LOGGER.makeRecord(LOGGER.name, logging.INFO, "", 0, "m", (), None)
    record.created = 1_795_481_234.5

    LOGGER.handle(record)

    assert only_line(out)["ts"] == "2026-11-24T00:47:14.500Z"


def test_an_exception_stays_on_its_line(out: io.StringIO) -> None:
    try:
        int("no good")
    except ValueError:
        LOGGER.exception("failed")

    assert only_line(out)["exception"].endswith("'no good'")


def test_an_overlong_message_is_cut(out: io.StringIO) -> None:
    LOGGER.info("x" * 100_000)

    assert len(only_line(out)["message"]) == 4_000


def test_warnings_are_logged(out: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old way", DeprecationWarning, stacklevel=1)

    message = only_line(out)["message"]  # plotly, once imported, lays warnings out in its own way
    assert "DeprecationWarning" in message
    assert "old way" in message


def test_less_than_the_level_is_not_logged(out: io.StringIO) -> None:
    LOGGER.debug("detail")

    assert out.getvalue() == ""


def test_libraries_are_not_heard_below_warning_even_at_debug() -> None:
    out = io.StringIO()
    configure_logging("DEBUG", "json", stream=out)

    logging.getLogger("kafka.client").debug("record: my secret")
    logging.getLogger("kafka.client").info("record: my secret")
    LOGGER.debug("ours")

    assert only_line(out)["message"] == "ours"


def test_a_second_call_replaces_the_first(out: io.StringIO) -> None:
    second = io.StringIO()
    configure_logging("ERROR", "json", stream=second)

    LOGGER.error("once")

    assert out.getvalue() == ""
    assert only_line(second)["message"] == "once"


@pytest.mark.parametrize(
    ("setting", "stream", "json_expected"),
    [
        ("auto", io.StringIO(), True),
        ("auto", Terminal(), False),
        ("text", io.StringIO(), False),
        ("json", Terminal(), True),
    ],
)
def test_the_format_follows_the_setting_and_the_terminal(
    setting: Format, stream: io.StringIO, json_expected: bool
) -> None:
    configure_logging("INFO", setting, stream=stream)

    LOGGER.info("hello")

    assert stream.getvalue().startswith("{") is json_expected


def test_text_is_one_line_for_people() -> None:
    out = io.StringIO()
    configure_logging("INFO", "text", stream=out)

    LOGGER.warning("慢", extra={"action": "train", "run": "r-1"})

    _, rest = out.getvalue().split(" ", 1)
    assert rest == "WARNING daemon.training.train_stage: 慢  [action=train run=r-1]\n"


def test_text_can_not_pretend_to_be_another_record() -> None:
    out = io.StringIO()
    configure_logging("INFO", "text", stream=out)

    LOGGER.info("user a\n2026-11-24T00:00:00.000Z ERROR \x1b[31mfake", extra={"run": "r\n1"})

    (line,) = out.getvalue().splitlines()
    assert r"user a\n2026" in line
    assert r"\x1b[31mfake" in line
    assert r"run=r\n1" in line


def test_the_kafka_client_does_not_report_every_attempt(out: io.StringIO) -> None:
    logging.getLogger("kafka.net.selector").error("connection refused")

    assert out.getvalue() == ""
