"""What a daemon shows of itself while it goes through the loop, with faults on the way.

One run, at level DEBUG with traces on: drift, a training whose daemon is killed and whose trainer is killed, the gate, a
promotion, a rollback; bad records, a teacher that refuses the key. All texts and secrets that it is given are marked.
"""

import json
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
import yaml

from daemon.domain.conversation import Conversation
from daemon.domain.streams import RawRecord
from daemon.intake.replay import encode_record
from tests.e2e.daemon_process import DaemonProcess, free_port
from tests.e2e.regimes import shop_questions, shuffled, small_talk
from tests.e2e.stream import Stream
from tests.e2e.test_closed_loop import CHANGED, SETTINGS, STABLE, STABLE_VERDICTS
from tests.servers.brokers import Broker
from tests.servers.openai_api import Model, OpenAiServer
from tests.servers.otlp_receiver import OtlpReceiver, ReceivedSpan
from tests.support.helpers import eventually
from tests.support.reading import polled, source_of

pytestmark = pytest.mark.timeout(1_200)

#: In every text and secret that nobody may find again.
MARK = "xqzplanted"
#: In names that operators gave and that logs are to show: none of them holds the mark.
COMMANDS = (
    ("status",),
    ("doctor",),
    ("config", "show"),
    ("versions",),
    ("intake", "show"),
    ("deadletters", "list"),
)


@dataclass(kw_only=True, slots=True)
class Seen:
    """All that the run showed, by where."""

    places: dict[str, str] = field(default_factory=dict)
    spans: list[ReceivedSpan] = field(default_factory=list)
    killed_at: float = 0.0


def marked(conversation: Conversation, number: int, topic: str) -> bytes:
    """A record with the mark in each of its texts and in each name that a person has."""
    record = orjson.loads(encode_record(conversation))
    question, answer = record["messages"]
    question["content"] += f" {MARK}prompt"
    answer["content"] += f" {MARK}answer"
    record["messages"] = [
        {"role": "system", "content": f"Answer kindly. {MARK}system"},
        question,
        answer,
    ]
    record["user_id"] = f"{MARK}user{number}"
    record["session_id"] = f"{MARK}session{number}"
    record["metadata"] = {"intent": f"{MARK}{topic}", "file": f"/models/{MARK}.gguf"}
    if number % 9 == 0:
        record["feedback"] = {"thumb": 1, "comment": f"{MARK}comment", "correction": f"{MARK}correction"}
    if number % 7 == 0:
        call = {"id": f"{MARK}call", "name": f"{MARK}tool", "arguments": {"for": f"{MARK}argument"}}
        record["messages"][2:2] = [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": f"{MARK}result", "tool_call_id": f"{MARK}call"},
        ]
    return orjson.dumps(record)


def bad_records() -> list[bytes]:
    return [
        f"{MARK} is not json".encode(),
        orjson.dumps({"conversation_id": f"{MARK}id", "messages": f"{MARK}messages"}),
        orjson.dumps({f"{MARK}field": 1}),
        orjson.dumps({"conversation_id": "x", "messages": [{"role": f"{MARK}role", "content": "hi"}]}),
        orjson.dumps({"conversation_id": f"{MARK}late", "feedback": {"thumb": f"{MARK}thumb"}}),
        orjson.dumps({"conversation_id": "y", "messages": [], "ts": f"{MARK}time"}),
        orjson.dumps({"conversation_id": "z", "messages": [{"role": "user", "content": f"{MARK} " * 9_000}]}),
        b"\xff\xfe" + MARK.encode(),
    ]


class Observed:
    """The daemon, and what it is told."""

    def __init__(
        self, folder: Path, stream: Stream, broker: Broker, model: Path, teacher: str, otlp: str
    ) -> None:
        self.folder, self.stream, self.broker = folder, stream, broker
        self.port = free_port()
        key, headers = folder / "key", folder / "headers"
        key.write_text(f"{MARK}key", encoding="utf-8")
        headers.write_text(f"Authorization: Bearer {MARK}header\n", encoding="utf-8")
        settings = {
            **SETTINGS,
            "state_dir": str(folder / "state"),
            "model": {**SETTINGS["model"], "base": str(model)},
            "kafka": {
                **SETTINGS["kafka"],
                "bootstrap_servers": broker.bootstrap.split(","),
                "topic": stream.settings.topic,
                "dead_letter_topic": stream.settings.dead_letter_topic,
                "group_id": stream.settings.group_id,
            },
            "monitors": {"label_fields": ["intent"]},
            "http": {"port": self.port},
            "leader": {"lease_s": 60},
            "logging": {"level": "DEBUG", "format": "json"},
            "teacher": {"url": teacher, "model": "teacher-1", "api_key_file": str(key), "judges": True},
            "tracing": {"endpoint": otlp, "headers_file": str(headers)},
        }
        self.config = folder / "retuned.yaml"
        self.config.write_text(yaml.safe_dump(settings), encoding="utf-8")
        self.daemon = DaemonProcess(self.config, http_port=self.port)

    def loop(self, seen: Seen) -> None:
        """Go from drift to a rollback."""
        daemon = self.daemon
        stable = shuffled(small_talk(STABLE, seed=1), seed=1)
        of_stable = (marked(each, number, "talk") for number, each in enumerate(stable))
        self.stream.send(*of_stable, *bad_records())
        eventually(lambda: (daemon.metric(STABLE_VERDICTS) or 0) >= 3, deadline_s=300)
        changed = enumerate(shop_questions(CHANGED, seed=2), start=1_000)
        self.stream.send(*(marked(each, number, "shop") for number, each in changed))
        eventually(lambda: trainer_of(daemon), deadline_s=400)
        daemon.kill()
        seen.killed_at = time.time()
        daemon.start()
        eventually(self._has_failed_a_run, deadline_s=300)
        daemon.retuned("train", "-m", "the trainer was killed")
        live = 'retuned_live_version_number{model_line="tiny"}'
        eventually(lambda: daemon.metric(live) == 1, deadline_s=500)
        daemon.retuned("rollback", "-m", "the answers are too short")
        eventually(lambda: daemon.metric(live) == 0, deadline_s=120)

    def _has_failed_a_run(self) -> bool:
        """Kill the trainer, if one runs. A leader that steps down, as a busy machine makes it, ends its own."""
        if trainer := trainer_of(self.daemon):
            with suppress(psutil.NoSuchProcess):
                trainer.kill()
        return (self.daemon.metric('retuned_runs_total{outcome="failed"}') or 0) >= 1

    def look(self, seen: Seen) -> None:
        """Look at all that may be read without asking for conversations."""
        seen.places["/metrics"] = self.daemon.get("/metrics")
        seen.places["/readyz"] = self.daemon.get("/readyz")
        for command in COMMANDS:
            with suppress(AssertionError):  # a check of doctor fails: the key is wrong
                answer = without_explanations(self.daemon.retuned(*command))
                seen.places[" ".join(command)] = json.dumps(answer, ensure_ascii=False)
        for record in self._dead_letters():
            headers = {name: value for name, value in record.headers if name != "retuned.key"}
            seen.places[f"headers of {record.key!r}"] = repr(headers)

    def _dead_letters(self) -> list[RawRecord]:
        dead = self.stream.settings.dead_letter_topic
        source = source_of(replace(self.stream.settings, topic=dead, group_id="looks"), p0=0)
        try:
            return polled(source, 5)
        finally:
            source.close(2)

    def look_at_files(self, seen: Seen) -> None:
        seen.places["the log"] = self.daemon.log()
        state = self.folder / "state"
        for log in [*state.glob("logs/*"), *state.glob("runs/*/worker.log"), *state.glob("target/*.json")]:
            seen.places[str(log.relative_to(self.folder))] = log.read_text(encoding="utf-8", errors="replace")


def without_explanations(value: Any) -> Any:
    """What a command says, without the words and labels that changed: `status`, `why` and `drift show` are to name them."""
    if isinstance(value, dict):
        return {name: without_explanations(each) for name, each in value.items() if name != "explanation"}
    return [without_explanations(each) for each in value] if isinstance(value, list) else value


def trainer_of(daemon: DaemonProcess) -> psutil.Process | None:
    for child in psutil.Process(daemon.process.pid).children():
        with suppress(psutil.NoSuchProcess):  # it has ended
            if any("train_worker" in word for word in child.cmdline()):
                return child
    return None


@pytest.fixture(scope="module")
def seen(broker: Broker, tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    stream, found = Stream(broker, f"observed-{time.monotonic_ns()}"), Seen()
    folder = tmp_path_factory.mktemp("observed")
    model = Model(key="another key")
    with OtlpReceiver() as receiver, OpenAiServer(model) as teacher:
        observed = Observed(folder, stream, broker, tiny_model, teacher.url, receiver.endpoint)
        with observed.daemon as daemon:
            observed.loop(found)
            eventually(lambda: any(span.name == "rollback" for span in receiver.spans()), deadline_s=30)
            observed.look(found)
            assert daemon.stop() == 0
        observed.look_at_files(found)
        found.spans = receiver.spans()
        found.places["traces"] = "\n".join(map(repr, receiver.bodies))
    return found


def test_no_text_and_no_secret_is_anywhere(seen: Seen) -> None:
    leaks = {
        place: [
            line[max(0, line.find(MARK) - 200) : line.find(MARK) + 60]
            for line in text.splitlines()
            if MARK in line
        ][:3]
        for place, text in seen.places.items()
        if MARK in text
    }

    assert leaks == {}
    assert {"the log", "state/logs/scorer.log", "traces", "/metrics"} <= seen.places.keys()


def test_every_record_of_the_log_names_its_line(seen: Seen) -> None:
    records = [json.loads(line) for line in seen.places["the log"].splitlines()]

    assert {record.get("model_line") for record in records} == {"tiny"}
    trainings = [
        record for record in records if record.get("action") == "train" and "run r1" in record["message"]
    ]
    assert trainings
    assert all(record["run"] == "r1" for record in trainings)
    live = [
        record
        for record in records
        if record["logger"].endswith("log_follower") and "tiny-v1 is live" in record["message"]
    ]
    assert [record["version"] for record in live] == ["tiny-v1"]


def test_one_trace_leads_from_the_alarm_over_the_restart_to_the_rollback(seen: Seen) -> None:
    [alarm] = [span for span in seen.spans if span.name == "alarm"][:1]
    of_trace = [span for span in seen.spans if span.trace == alarm.trace]
    by_id = {span.id: span for span in of_trace}
    names = {span.name for span in of_trace}

    assert {"alarm", "decision", "plan", "run"} <= names
    assert alarm.parent == ""
    assert all(span.parent in by_id for span in of_trace if span is not alarm)
    run = next(span for span in of_trace if span.name == "run")
    assert run.failed
    assert by_id[run.parent].name == "decision"
    assert run.start / 1e9 < seen.killed_at < run.end / 1e9
    assert any(span.name.startswith("trainer ") and by_id[span.parent].name == "run" for span in of_trace)


def test_the_second_run_leads_to_promotion_and_rollback(seen: Seen) -> None:
    [promotion] = [span for span in seen.spans if span.name == "promotion"]
    of_trace = {span.id: span for span in seen.spans if span.trace == promotion.trace}
    names = {span.name for span in of_trace.values()}

    assert {"decision", "plan", "run", "gate", "scorer score", "promotion", "rollback"} <= names
    assert of_trace[promotion.parent].name == "run"
    assert promotion.attributes["retuned.version"] == "tiny-v1"
    assert sum(span.parent == "" for span in of_trace.values()) == 1
    assert all(span.parent in of_trace for span in of_trace.values() if span.parent)
