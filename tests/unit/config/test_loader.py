from pathlib import Path

import pytest
import yaml

from daemon.config.environment import OLDER_NAMES, setting_variables
from daemon.config.loader import SettingsError, dump, load, read_secret, settings_path
from daemon.config.settings import Settings


def written(folder: Path, text: str) -> Path:
    path = folder / "retuned.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_smallest_file_names_the_base_model(tmp_path: Path) -> None:
    settings = load(written(tmp_path, "model: {base: models/chat}"), {})

    assert settings.model.base == "models/chat"
    assert settings.windows.size == 100


def test_every_mistake_is_reported_at_once_with_its_line_and_remedy(tmp_path: Path) -> None:
    path = written(
        tmp_path, "model_line: Bad Line\npolicy:\n  cooldown: 3\n  schedule: every day\nwindows: {size: x}\n"
    )

    with pytest.raises(SettingsError) as caught:
        load(path, {"RETUNED_HTTP_PORT": "99999"})

    found = {mistake.path: str(mistake) for mistake in caught.value.mistakes}
    assert set(found) == {
        "model_line",
        "policy.cooldown",
        "policy.schedule",
        "windows.size",
        "model",
        "http.port",
    }
    assert (
        f"{path}:3: policy.cooldown: there is no such setting; did you mean cooldown_s?"
        == found["policy.cooldown"]
    )
    assert found["http.port"].startswith("RETUNED_HTTP_PORT: ")
    assert found["windows.size"].startswith(f"{path}:5: ")


def test_the_environment_overrides_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, "model: {base: a}\nkafka: {topic: talks}")

    settings = load(path, {"RETUNED_MODEL_BASE": "b", "RETUNED_KAFKA_BOOTSTRAP_SERVERS": "k1:9092,k2:9092"})

    assert settings.model.base == "b"
    assert settings.kafka.bootstrap_servers == ("k1:9092", "k2:9092")
    assert settings.kafka.topic == "talks"


@pytest.mark.parametrize(
    ("variable", "text", "expected"),
    [
        ("RETUNED_KAFKA__BOOTSTRAP_SERVERS", "k1:1,k2:2", ("k1:1", "k2:2")),
        ("RETUNED_KAFKA__BOOTSTRAP_SERVERS", '["k1:1"]', ("k1:1",)),
        ("RETUNED_KAFKA_BOOTSTRAP_SERVERS", "k1:1", ("k1:1",)),
    ],
)
def test_a_list_is_read_as_texts_between_commas_or_as_json(
    tmp_path: Path, variable: str, text: str, expected: tuple[str, ...]
) -> None:
    settings = load(written(tmp_path, "model: {base: a}"), {variable: text})

    assert settings.kafka.bootstrap_servers == expected


def test_any_setting_at_any_depth_can_be_overridden_by_one_rule(tmp_path: Path) -> None:
    environ = {
        "RETUNED_MODEL__BASE": "b", "RETUNED_MODEL_LINE": "line", "RETUNED_WINDOWS__SIZE": "50",
        "RETUNED_MONITORS__EMBEDDING__MODEL": "models/encoder",
    }  # fmt: skip

    settings = load(written(tmp_path, "windows: {size: 20}"), environ)

    assert (settings.model.base, settings.model_line, settings.windows.size) == ("b", "line", 50)
    assert str(settings.monitors.embedding.model) == "models/encoder"


def test_every_older_name_stands_for_a_setting() -> None:
    assert set(OLDER_NAMES.values()) <= set(setting_variables())


@pytest.mark.parametrize(
    ("variable", "problem"),
    [
        ("RETUNED_KAFKA__TOPICS", "did you mean RETUNED_KAFKA__TOPIC?|did you mean topic?"),
        ("RETUNED_WINDOWS_SIZE", r"did you mean RETUNED_WINDOWS__SIZE\?"),
        ("RETUNED_ZZZ", r"names no setting; RETUNED_SECTION__NAME sets section\.name"),
    ],
)
def test_a_variable_that_names_nothing_is_a_mistake(tmp_path: Path, variable: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem) as refused:
        load(written(tmp_path, "model: {base: a}"), {variable: "1"})

    assert [mistake.source for mistake in refused.value.mistakes] == [variable]


def test_what_kubernetes_and_the_tests_set_is_passed_over(tmp_path: Path) -> None:
    environ = {
        "RETUNED_SERVICE_HOST": "10.0.0.1", "RETUNED_SERVICE_PORT_METRICS": "9464",
        "RETUNED_PORT": "tcp://10.0.0.1:9464", "RETUNED_METRICS_PORT_9464_TCP_ADDR": "10.0.0.1",
        "RETUNED_TEST_KAFKA": "k:1", "RETUNED_CONFIG": "x.yaml",
    }  # fmt: skip

    assert load(written(tmp_path, "model: {base: a}"), environ).http.port == 9464


@pytest.mark.parametrize(
    ("text", "problem"),
    [("- 1\n", "must be a mapping"), ("a: [\n", "is not YAML"), ("", "is needed: The base model")],
)
def test_a_file_that_is_no_settings_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        load(written(tmp_path, text), {})


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="retuned config schema"):
        load(tmp_path / "none.yaml", {})


def test_what_is_dumped_reads_back_equal_and_every_field_is_explained(tmp_path: Path) -> None:
    settings = load(
        written(tmp_path, "model: {base: a}\nkafka: {security_protocol: SSL, ssl_cafile: /ca.pem}"), {}
    )

    text = dump(settings, comments=True)

    assert Settings.model_validate(yaml.safe_load(text)) == settings
    fields = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    lines = text.splitlines()
    assert all(lines[lines.index(field) - 1].lstrip().startswith("#") for field in fields)


def test_secrets_do_not_show(tmp_path: Path) -> None:
    sasl = "security_protocol: SASL_SSL, sasl_mechanism: PLAIN, sasl_username: u, sasl_password: hunter2"
    path = written(tmp_path, f"model: {{base: a}}\nkafka: {{{sasl}}}")

    assert "hunter2" not in dump(load(path, {}))


def test_a_secret_is_read_from_its_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hunter2\n", encoding="utf-8")

    assert read_secret(None, tmp_path / "password") == "hunter2"
    with pytest.raises(SettingsError, match="the secret can't be read"):
        read_secret(None, tmp_path / "none")


def test_the_file_is_the_one_given_else_the_environments_else_the_default() -> None:
    assert settings_path(Path("x.yaml"), {"RETUNED_CONFIG": "y.yaml"}) == Path("x.yaml")
    assert settings_path(None, {"RETUNED_CONFIG": "y.yaml"}) == Path("y.yaml")
    assert settings_path(None, {}) == Path("retuned.yaml")


def test_replicas_must_name_what_they_share(tmp_path: Path) -> None:
    file = tmp_path / "retuned.yaml"
    file.write_text("model: {base: x}\nledger_url: postgresql://db/retuned\n", encoding="utf-8")

    with pytest.raises(SettingsError, match=r"holdout\.key_file and artifacts_url must name"):
        load(file)


def test_the_ledger_keeps_at_least_what_other_settings_need(tmp_path: Path) -> None:
    path = written(
        tmp_path, "model: {base: a}\nretention: {conversations: 400}\ngate: {max_conversations: 450}"
    )

    with pytest.raises(
        SettingsError,
        match=r"retention\.conversations \(400\) must be at least .*windows\.reference_size \(500\)",
    ):
        load(path, {})
