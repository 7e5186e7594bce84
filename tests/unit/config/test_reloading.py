from pathlib import Path

import pytest
from pydantic import ValidationError

from daemon.config.reloading import changes, with_reloadable
from daemon.config.settings import Settings
from tests.factories.stores import some_settings


def settings(**sections: object) -> Settings:
    return some_settings(Path("/state"), **sections)


def test_changes_name_each_setting_with_both_values() -> None:
    before = settings(policy={"cooldown_s": 60})
    after = settings(policy={"cooldown_s": 5}, kafka={"topic": "other"})

    found = changes(before, after)

    assert [(str(change), change.reloadable) for change in found] == [
        ("kafka.topic: conversations -> other", False),
        ("policy.cooldown_s: 60.0 -> 5.0", True),
    ]


def test_changes_hide_secrets() -> None:
    sasl = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "sasl_username": "u"}
    before = settings(kafka={**sasl, "sasl_password": "old-secret"})
    after = settings(
        kafka={**sasl, "sasl_password": "new-secret"},
        ledger_url="sqlite:////tmp/ledger?password=db-secret",
        teacher={
            "url": "http://localhost:1/v1",
            "model": "m",
            "system_prompt": "Answer as our people do. " * 10,
        },
    )

    said = " ".join(map(str, changes(before, after)))

    assert "kafka.sasl_password: *** -> ***" in said
    assert "teacher.system_prompt: unset -> (250 characters)" in said
    assert "secret" not in said


def test_only_reloadable_settings_are_taken() -> None:
    running = settings(gate={"margin": 0.1, "alpha": 0.01})
    read = settings(gate={"margin": 0.2, "alpha": 0.05}, logging={"level": "DEBUG"}, http={"port": 1})

    taken = with_reloadable(running, read)

    assert taken == settings(gate={"margin": 0.2, "alpha": 0.01}, logging={"level": "DEBUG"})


def test_settings_that_contradict_the_running_ones_are_refused() -> None:
    running = settings(windows={"reference_size": 5_000})
    small = {"conversations": 1_000, "dead_letters": 1_000}
    read = settings(
        windows={"reference_size": 500}, retention=small, policy={"max_new_conversations": 1_000},
    )  # fmt: skip

    with pytest.raises(ValidationError):
        with_reloadable(running, read)
