"""Settings that a message asks to change, and formats of records: once changed, what was refused is taken."""

import json
import socket
from pathlib import Path

import pytest

from daemon.cli.doctor.machine import check_http
from daemon.config.loader import dump
from daemon.config.settings import HttpSection, Settings
from daemon.domain.errors import DaemonError
from daemon.domain.holdout import Holdout
from daemon.domain.streams import RawRecord
from daemon.http.health import Health
from daemon.http.report_access import refusal
from daemon.http.server import HttpServer
from daemon.intake.router import Router
from daemon.runtime.schemas import load_schemas
from daemon.telemetry.metrics import Metrics
from tests.factories.daemon import Line
from tests.factories.formats import PLAIN, completion, pair, request_of
from tests.factories.ledger import NOW, TOPIC, a_batch
from tests.factories.lessons import answered
from tests.fakes.kafka import FakeBroker
from tests.remedies.cases import mends
from tests.remedies.operator import Operator, printed_command
from tests.remedies.test_intake import Intake
from tests.servers.schema_registry import Registered, SchemaRegistryServer
from tests.unit.intake.test_avro import CHAT, RECORD, framed, register
from tests.unit.intake.test_router import kserve_event

HOLDOUT = Holdout(b"k" * 32, share=0.5)


def change(line: Line, section: str, **values: object) -> Settings:
    """Change settings in the file, as an operator does."""
    changed = getattr(line.settings, section).model_copy(update=values)
    line.settings = line.settings.model_copy(update={section: changed})
    line.config.write_text(dump(line.settings), encoding="utf-8")
    return line.settings


@mends("set kafka.schema_registry.url", "daemon/intake/unwrapping.py")
def test_records_in_avro_are_read_once_their_registry_is_named(line: Line) -> None:
    value = framed(RECORD, CHAT)
    raw = RawRecord(
        topic=TOPIC, partition=0, offset=0, timestamp_ms=1_795_521_540_000, key=None, value=value, headers=()
    )
    [refused] = (
        Router(line.settings, HOLDOUT, load_schemas(line.settings)).route([raw], NOW).batch.dead_letters
    )
    assert "set kafka.schema_registry.url" in refused.message

    registered = Registered()
    register(registered, CHAT)
    with SchemaRegistryServer(registered) as server:
        registry = line.settings.kafka.schema_registry.model_copy(update={"url": server.url})
        settings = change(line, "kafka", schema_registry=registry)
        read = Router(settings, HOLDOUT, load_schemas(settings)).route([raw], NOW).batch

    assert [one.message for one in read.dead_letters] == []
    assert [one.conversation.conversation_id for one in read.conversations] == ["c9"]


@mends("retuned deadletters requeue FIRST SECOND", "daemon/intake/formats/envelopes/kserve.py")
def test_the_halves_of_an_event_that_came_apart_are_joined(
    operator: Operator, broker: FakeBroker, line: Line
) -> None:
    intake, letters = Intake(line, broker), line.stores.dead_letters
    intake.send(0, 51)
    for kind, data in (("request", request_of(PLAIN[:2])), ("response", completion(PLAIN[2]))):
        broker.append(TOPIC, b"\1", kserve_event(kind, "e-1", data))
        intake.turn()
    before, alone = intake.count(), letters.newest(2)
    assert [letter.letter.reason for letter in alone] == ["unsupported"] * 2

    first, second = (str(letter.id) for letter in reversed(alone))
    shown = operator.reads("deadletters", "show", second)
    operator.follows(shown, "retuned deadletters requeue FIRST SECOND", FIRST=first, SECOND=second)

    intake.turn()
    assert intake.count() == before + 1


@mends("retuned ingest check {}", "daemon/cli/run.py")
def test_a_log_without_conversations_is_looked_into(
    operator: Operator, broker: FakeBroker, tmp_path: Path
) -> None:
    log = tmp_path / "friday's log.jsonl"
    log.write_text('{"a": 1}\n', encoding="utf-8")
    printed = operator.reads("replay", str(log))
    assert "holds no conversation" in printed

    assert "line 1" in operator.reads(*printed_command(printed, "retuned ingest check {}"))
    log.write_text(json.dumps(pair(PLAIN)) + "\n", encoding="utf-8")

    assert "Sent 1 conversations" in operator.reads("replay", str(log), "--rate", "1000")


@mends("name it in hygiene.shared_user_ids", "daemon/ledger/user_shares.py")
def test_a_user_id_that_many_share_is_named_and_its_sessions_are_split(
    operator: Operator, broker: FakeBroker, line: Line
) -> None:
    def send(first: int, count: int) -> None:
        for number in range(first, first + count):
            turns = [
                {"role": "user", "content": f"hi {number}"},
                {"role": "assistant", "content": f"{number}"},
            ]
            record = {
                "conversation_id": f"k{number}",
                "ts": NOW.isoformat(),
                "messages": turns,
                "user_id": "kiosk 7",
            }
            broker.append(TOPIC, b"\1", json.dumps(record).encode())

    intake = Intake(line, broker)
    intake.send(0, 51)
    send(0, 80)
    intake.turn()
    assert "name it in hygiene.shared_user_ids" in operator.status()
    assert "name it in hygiene.shared_user_ids" in operator.reads("doctor")

    change(line, "hygiene", shared_user_ids=("Kiosk 7",))
    again = Intake(line, broker)
    send(80, 80)
    again.turn()

    assert "hygiene.shared_user_ids" not in operator.status()
    newest = {side: line.stores.conversations.newest(20, held_out=side) for side in (True, False)}
    assert all(min(one.seq for one in found) > 131 for found in newest.values())


@mends("set windows.reference_size", "daemon/ledger/references.py")
def test_a_reference_needs_fewer_conversations_where_the_settings_say_so(operator: Operator) -> None:
    choose = ("reference", "set", "--last", "50", "-m", "the last hour")
    change(operator.line, "windows", reference_size=70)
    assert "set windows.reference_size lower" in operator.reads(*choose)

    change(operator.line, "windows", reference_size=50)

    assert operator.types(*choose).exit_code == 0


def test_a_size_that_no_settings_may_have_is_not_asked_for(operator: Operator) -> None:
    refused = operator.reads("reference", "set", "--last", "20", "-m", "the last hour")

    assert "choose more" in refused
    assert "windows.reference_size lower" not in refused


@mends("set holdout.key_file", "daemon/ledger/stores.py")
@mends("correct holdout.key_file", "daemon/config/holdout_key.py")
@pytest.mark.parametrize("wrong", ["gone", "a folder"])
def test_a_holdout_key_in_another_place_is_named(operator: Operator, tmp_path: Path, wrong: str) -> None:
    line = operator.line
    key = line.settings.state_dir / "holdout.key"
    key.rename(tmp_path / "moved.key")
    if wrong == "a folder":
        key.mkdir()
    assert "holdout.key_file" in operator.status()

    change(line, "holdout", key_file=tmp_path / "moved.key")

    assert operator.types("status").exit_code == 0


@mends("set http.port", "daemon/cli/doctor/machine.py")
@mends("set http.host", "daemon/http/server.py")
def test_an_address_that_is_taken_is_replaced(line: Line) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        busy = change(line, "http", port=port)
        assert "set http.port to a free port" in check_http(busy).remedy
        with pytest.raises(DaemonError, match=r"set http\.host and http\.port to a free address"):
            served(busy.http)

        free = change(line, "http", port=0)

        assert check_http(free).ok
        served(free.http)


def served(http: HttpSection) -> None:
    with HttpServer(http, Metrics(), Health(clock=lambda: 0.0)):
        pass


@mends("set http.reports", "daemon/http/report_access.py")
def test_reports_are_served_to_all_where_the_settings_say_so() -> None:
    def asks(access: str) -> object:
        return refusal(access, peer="10.0.0.1", host="elsewhere", headers=())  # type: ignore[arg-type]

    assert "set http.reports to all" in str(asks("local"))

    assert asks("all") is None


@mends(
    "name it in lessons.own_names if it is the model, else in lessons.people",
    "daemon/cli/doctor/answerers.py",
)
def test_a_name_by_which_the_stream_calls_the_model_is_asked_about(operator: Operator, line: Line) -> None:
    offset = line.stores.intake.next_offsets()[TOPIC, 0]
    line.stores.intake.record(a_batch([answered(offset, "assistant")]))
    assert "name it in lessons.own_names" in operator.reads("doctor")

    change(line, "lessons", own_names=("assistant",))

    assert "lessons.own_names" not in operator.reads("doctor")
