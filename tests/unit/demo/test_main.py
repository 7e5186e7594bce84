"""How a demo ends: with a reason and a way on, whatever went wrong."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.demo.children import last_words, offline
from daemon.demo.config import Place, write_config
from daemon.demo.errors import BadOptions
from daemon.demo.main import run_demo
from daemon.demo.options import DemoOptions
from daemon.demo.sizes import HOLDOUT_SHARE, fit

pytestmark = pytest.mark.unit


def a_place(folder: Path) -> Place:
    return Place(folder=folder, bootstrap="127.0.0.1:9092", http_port=9464, base=folder / "model")


def test_a_mistake_in_the_options_starts_and_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "talks.jsonl"
    data.write_text(
        json.dumps(
            {
                "id": "1",
                "domain": "酒店",
                "messages": [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "您好"}],
            }
        ),
        encoding="utf-8",
    )
    workdir, report = tmp_path / "work", tmp_path / "report.json"

    with pytest.raises(BadOptions, match="酒店"):
        run_demo(DemoOptions(data=data, regimes="movies,酒店", workdir=workdir, report=report))

    assert not workdir.exists()
    assert not report.exists()


def test_the_daemon_reads_the_settings_that_the_demo_wrote(tmp_path: Path) -> None:
    settings = write_config(a_place(tmp_path), fit(2000, 700), seed=7)

    assert settings.windows.size == 100
    assert settings.policy.min_new_lessons == fit(2000, 700).min_new
    assert settings.holdout.share == HOLDOUT_SHARE
    assert settings.learning.seed == settings.monitors.seed == 7


def test_a_broker_of_ones_own_has_topics_and_a_group_of_the_demo(tmp_path: Path) -> None:
    place = replace(a_place(tmp_path), bootstrap="a:9092,b:9092", topic="retuned-demo-1")

    kafka = write_config(place, fit(2000, 700), seed=0).kafka

    assert kafka.bootstrap_servers == ("a:9092", "b:9092")
    assert (kafka.topic, kafka.dead_letter_topic, kafka.group_id) == (
        "retuned-demo-1",
        "retuned-demo-1.dead",
        "retuned-demo-1",
    )


def test_the_same_seed_holds_out_the_same_conversations(tmp_path: Path) -> None:
    keys = []
    for name, seed in (("first", 0), ("again", 0), ("other", 1)):
        (tmp_path / name).mkdir()
        write_config(a_place(tmp_path / name), fit(2000, 700), seed=seed)
        keys.append((tmp_path / name / "holdout.key").read_bytes())

    assert keys[0] == keys[1] != keys[2]


def test_children_download_nothing_and_take_no_settings_of_another_daemon() -> None:
    environ = offline({"PATH": "/bin", "RETUNED_STATE_DIR": "/var/lib/retuned", "HF_HUB_OFFLINE": "0"})

    assert environ["HF_HUB_OFFLINE"] == "1"
    assert environ["PATH"] == "/bin"
    assert "RETUNED_STATE_DIR" not in environ


def test_the_last_words_of_a_log_are_its_end(tmp_path: Path) -> None:
    log = tmp_path / "daemon.log"
    assert last_words(log) == ""

    log.write_text("x" * 5_000 + "\n再见\n", encoding="utf-8")

    assert last_words(log).endswith("再见")
    assert len(last_words(log)) < 2_000
