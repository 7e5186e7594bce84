import json
from pathlib import Path

from daemon.config.loader import load
from daemon.config.schema import settings_schema
from tests.factories.cli import typed


def a_file(folder: Path, text: str) -> str:
    path = folder / "retuned.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_check_names_every_mistake_with_its_place(tmp_path: Path) -> None:
    file = a_file(tmp_path, "model: {base: x}\npolicy:\n  cooldown_s: -1\nwindows:\n  sise: 50\n")

    answer = typed("config", "check", "--json", "--config", file)

    assert answer.exit_code == 2
    assert [(mistake["path"], mistake["source"]) for mistake in answer.error["mistakes"]] == [
        ("windows.sise", f"{file}:5"),
        ("policy.cooldown_s", f"{file}:3"),
    ]


def test_check_prints_all_mistakes_for_people(tmp_path: Path) -> None:
    file = a_file(tmp_path, "policy: {cooldown_s: -1}\n")

    answer = typed("config", "check", "--config", file)

    assert answer.exit_code == 2
    assert "policy.cooldown_s" in answer.stderr
    assert "model: is needed" in answer.stderr


def test_check_is_content_with_a_good_file(tmp_path: Path) -> None:
    answer = typed("config", "check", "--config", a_file(tmp_path, "model: {base: x}\n"))

    assert (answer.exit_code, answer.stderr) == (0, "")
    assert "no mistakes" in answer.stdout


def test_show_hides_secrets_in_every_form(tmp_path: Path) -> None:
    text = (
        "model: {base: x}\nledger_url: postgresql://retuned:hunter2@db/retuned\n"
        "artifacts_url: file:///models\nholdout: {key_file: /keys/holdout}\n"
        "kafka: {security_protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_username: u, sasl_password: hunter2}\n"
    )
    file = a_file(tmp_path, text)

    shown = [typed("config", "show", *more, "--config", file) for more in ((), ("--comments",), ("--json",))]

    assert [answer.exit_code for answer in shown] == [0, 0, 0]
    assert all("hunter2" not in answer.stdout for answer in shown)
    assert "postgresql://retuned:***@db/retuned" in shown[0].stdout


def test_show_explains_where_asked_to(tmp_path: Path) -> None:
    file = a_file(tmp_path, "model: {base: x}\n")

    assert "# Conversations in a window" in typed("config", "show", "--comments", "--config", file).stdout
    assert "#" not in typed("config", "show", "--config", file).stdout


def test_the_schema_is_that_of_the_settings() -> None:
    assert json.loads(typed("config", "schema").stdout) == settings_schema()


def test_the_example_is_a_settings_file_that_can_be_used(tmp_path: Path) -> None:
    file = a_file(tmp_path, typed("config", "schema", "--yaml").stdout)

    assert load(Path(file), {}).model.base == "/models/my-chat-model"
