"""Draws the dashboards from a run in which much happens: `make pictures` renews those of deploy/docs.

English small talk turns into Chinese shop questions, some with personal data, some unusable, some judged by users. The
daemon raises an alarm, asks a teacher, trains, and puts a version live; an operator rolls it back and trains again.
"""

import json
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Self

import pytest

from daemon.domain.conversation import Conversation, Feedback
from daemon.intake.replay import encode_record
from daemon.kafka import KafkaSink
from deploy.grafana.pictures.picture import draw
from deploy.grafana.pictures.prometheus import Prometheus, Span
from tests.e2e.daemon_process import DaemonProcess
from tests.e2e.regimes import shop_questions, small_talk
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
_PER_SECOND = 4
_PATIENCE_S = 900


class Traffic:
    """Users who talk to the model, a few a second, on a thread of its own."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._chance = random.Random(5)
        self._talk: Iterator[Conversation] = small_talk(100_000, seed=1)
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
        self._talk = shop_questions(100_000, seed=2)

    def _send(self) -> None:
        sink = KafkaSink(self._stream.settings)
        number = 0
        while not self._stop.wait(1 / _PER_SECOND):
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
        elif luck < 0.25:
            talk = replace(talk, model_version="tiny-v0", feedback=Feedback(thumb="down"))
        elif luck < 0.40:
            talk = replace(talk, model_version="tiny-v0", feedback=Feedback(thumb="up"))
        elif luck < 0.45:
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
            pictures = _drawn(prometheus, Span(start=started, end=time.time(), step_s=1))
    assert {name: len(png) for name, png in pictures.items() if len(png) > MOST_BYTES} == {}
    for name, png in pictures.items():
        (Path(PICTURES or tmp_path) / f"{name}.png").write_bytes(png)


def _live_through(daemon: DaemonProcess, traffic: Traffic) -> None:
    """Return in the middle of the second run."""
    stable = 'retuned_verdicts_total{finding="stable",monitor="mmd"}'
    eventually(lambda: (daemon.metric(stable) or 0) >= 3, deadline_s=_PATIENCE_S)
    traffic.change()
    eventually(lambda: daemon.metric("retuned_live_version_number") == 1, deadline_s=_PATIENCE_S)
    daemon.retuned("rollback", "-m", "the answers are too short")
    eventually(lambda: daemon.metric("retuned_live_version_number") == 0, deadline_s=60)
    daemon.retuned("train", "-m", "the shop has new goods")
    eventually(lambda: (daemon.metric("retuned_run_progress_ratio") or 0) > 0.5, deadline_s=_PATIENCE_S)


def _drawn(prometheus: Prometheus, span: Span) -> dict[str, bytes]:
    return {
        path.stem: draw(json.loads(path.read_text("utf-8")), prometheus, span)
        for path in sorted(FOLDER.glob("*.json"))
    }
