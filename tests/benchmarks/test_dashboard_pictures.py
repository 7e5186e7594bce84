"""Draws the dashboards from a run in which much happens: `make pictures` renews those of deploy/docs.

English small talk turns into Chinese shop questions, some with personal data, some unusable, some judged by users. The
daemon raises an alarm, asks a teacher, trains, and puts a version live; an operator rolls it back and trains again.
"""

import json
import os
import random
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import pytest

from daemon.domain.conversation import Conversation, Feedback, Thumb
from daemon.intake.replay import encode_record
from daemon.kafka import KafkaSink
from deploy.grafana.pictures.picture import draw
from deploy.grafana.pictures.prometheus import Prometheus, Span
from tests.e2e.daemon_process import DaemonProcess
from tests.e2e.regimes import shop_questions, shuffled, small_talk
from tests.e2e.stream import Stream
from tests.e2e.test_closed_loop import SETTINGS, a_daemon
from tests.servers.brokers import own_broker
from tests.servers.openai_api import Model, OpenAiServer
from tests.servers.prometheus_server import running_prometheus
from tests.support.dashboards import FOLDER
from tests.support.helpers import eventually

pytestmark = pytest.mark.timeout(1_800)

#: Where the pictures go; unset: they are only drawn.
PICTURES = os.environ.get("RETUNED_TEST_RENEW_PICTURES")
MOST_BYTES = 150_000
#: Until the reference is full, and then.
_FAST, _SLOW = 5, 2
_REFERENCE = 200
_PATIENCE_S = 900


class Traffic:
    """Users who talk to the model, a few a second, on a thread of its own."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._chance = random.Random(5)
        self._talk = iter(shuffled(small_talk(3_000, seed=1), seed=1))
        self._liked = 0.6
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._send)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def change(self) -> None:
        """From now on users ask about their orders."""
        self._talk = iter(shuffled(shop_questions(3_000, seed=2), seed=2))
        self._liked = 0.25

    def _send(self) -> None:
        sink = KafkaSink(self._stream.settings)
        number = 0
        while not self._stop.wait(1 / (_FAST if number < _REFERENCE else _SLOW)):
            number += 1
            sink.send(self._stream.settings.topic, b"%d" % number, self._record(next(self._talk)))
            sink.flush(5)
        sink.close(5)

    def _record(self, talk: Conversation) -> bytes:
        luck = self._chance.random()
        if luck < 0.02:
            return b"not json"
        question, answer = talk.messages
        if luck < 0.07:
            mail = f" Write to {talk.conversation_id}@example.com."
            talk = replace(talk, messages=(replace(question, content=question.content + mail), answer))
        elif luck < 0.40:
            thumb: Thumb = "up" if self._chance.random() < self._liked else "down"
            talk = replace(talk, model_version="tiny-v0", feedback=Feedback(thumb=thumb))
        elif luck < 0.43:
            return encode_record(talk)[:-1] + b',"feedback":{"thumb":"sideways"}}'
        return encode_record(talk)


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.support.tiny_model import make_tiny_model

    folder = tmp_path_factory.mktemp("models") / "tiny"
    make_tiny_model(folder)
    return folder


def test_the_dashboards_show_a_run_in_which_much_happens(tiny_model: Path, tmp_path: Path) -> None:
    model = Model(key=None, answer=lambda messages: f"您好，{messages[-1]['content'][:12]}，可以的。")
    with own_broker() as broker, OpenAiServer(model) as teacher:
        stream = Stream(broker, "pictures")
        sections = {
            "learning": {**SETTINGS["learning"], "epochs": 4},
            "teacher": {
                "url": teacher.url, "model": model.name, "calls_a_day": 60, "money_a_day": 0.5,
                "price_per_million_input_tokens": 2.0, "price_per_million_output_tokens": 8.0,
            },
        }  # fmt: skip
        with (
            a_daemon(stream, broker, tiny_model, tmp_path, **sections) as daemon,
            running_prometheus(tmp_path, [daemon.port]) as prometheus,
            Traffic(stream) as traffic,
        ):
            started = time.time()
            _live_through(daemon, traffic)
            # Rates over sixteen seconds are smooth enough for the eye.
            pictures = _drawn(prometheus, Span(start=started, end=time.time(), scrape_s=4))
    assert {name: len(png) for name, png in pictures.items() if len(png) > MOST_BYTES} == {}
    for name, png in pictures.items():
        (Path(PICTURES or tmp_path) / f"{name}.png").write_bytes(png)


def _live_through(daemon: DaemonProcess, traffic: Traffic) -> None:
    """Return in the middle of the second run."""
    eventually(
        lambda: _value(daemon, 'retuned_verdicts_total{finding="stable",monitor="mmd"}') >= 3,
        deadline_s=_PATIENCE_S,
    )
    traffic.change()
    eventually(lambda: _value(daemon, "retuned_live_version_number") == 1, deadline_s=_PATIENCE_S)
    daemon.retuned("rollback", "-m", "the answers are too short")
    eventually(lambda: _value(daemon, "retuned_live_version_number") == 0, deadline_s=60)
    daemon.retuned("train", "-m", "the shop has new goods")
    eventually(lambda: _value(daemon, "retuned_run_progress_ratio") > 0.5, deadline_s=_PATIENCE_S)


def _value(daemon: DaemonProcess, series: str) -> float:
    """Return a metric; -1 where it is absent, or where a busy daemon hung up."""
    try:
        found = daemon.metric(series)
    except OSError:
        return -1
    return -1 if found is None else found


def _drawn(prometheus: Prometheus, span: Span) -> dict[str, bytes]:
    boards = {path.stem: json.loads(path.read_text("utf-8")) for path in FOLDER.glob("*.json")}
    boards["overview-top"] = _until(boards["overview"], "Work and limits")
    return {name: draw(board, prometheus, span) for name, board in boards.items()}


def _until(board: dict[str, Any], row: str) -> dict[str, Any]:
    """A dashboard without a row and what stands below it."""
    [end] = [panel["gridPos"]["y"] for panel in board["panels"] if panel["title"] == row]
    return {**board, "panels": [panel for panel in board["panels"] if panel["gridPos"]["y"] < end]}
