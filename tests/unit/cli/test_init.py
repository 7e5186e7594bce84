"""The first settings file: five answers, sizes that suit the traffic, and nothing replaced unasked."""

from pathlib import Path

import pytest

from daemon.config.first_settings import FirstAnswers, choose_sizes, first_settings
from daemon.config.loader import load
from tests.factories.cli import typed

DEFAULTS = (
    "--broker",
    "kafka:9092",
    "--topic",
    "talks",
    "--model",
    "m",
    "--state-dir",
    "s",
    "--traffic",
    "5k",
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "retuned.yaml"


@pytest.mark.parametrize("traffic", [1, 30, 999, 1_000, 2_400, 40_001, 10**6, 10**9])
def test_the_file_passes_the_check_at_any_traffic(file: Path, traffic: int) -> None:
    assert typed("--config", str(file), "init", "--defaults", "--traffic", str(traffic)).exit_code == 0

    assert typed("--config", str(file), "config", "check").exit_code == 0


@pytest.mark.parametrize("traffic", [1, 30, 999, 2_400, 10**6, 10**9])
def test_sizes_fit_each_other(traffic: int) -> None:
    sizes = choose_sizes(traffic)

    assert 50 <= sizes.window <= 200
    assert sizes.reference == 5 * sizes.window
    assert 150 <= sizes.min_new <= sizes.max_new
    assert 0 < sizes.loss_share * traffic <= max(2_500, traffic * 0.05)


def test_usual_traffic_gets_nearly_the_defaults() -> None:
    sizes = choose_sizes(2_400)

    assert (sizes.window, sizes.reference, sizes.min_new, sizes.gate) == (100, 500, 300, 400)


def test_little_traffic_holds_out_more_and_gates_on_less() -> None:
    little, usual = choose_sizes(100), choose_sizes(2_400)

    assert little.holdout_share > usual.holdout_share
    assert little.gate < usual.gate


def test_the_comments_say_what_the_sizes_mean_at_this_traffic() -> None:
    text = first_settings(FirstAnswers(traffic=2_400))

    assert "about 2,400 conversations a day" in text
    assert "At this traffic a window fills in 60 minutes." in text
    assert "about 240 conversations a day for triage and gate" in text
    assert max(map(len, text.splitlines())) <= 130


def test_options_become_settings(file: Path) -> None:
    document = typed("--config", str(file), "init", "--defaults", *DEFAULTS, "--json").document

    settings = load(file, {})
    assert settings.kafka.bootstrap_servers == ("kafka:9092",)
    assert (settings.kafka.topic, settings.kafka.dead_letter_topic) == ("talks", "talks.dead")
    assert (settings.model.base, settings.state_dir) == ("m", Path("s"))
    assert document["answers"]["traffic"] == 5_000
    assert [line.split()[1] for line in document["next"]] == ["doctor", "run", "status"]


def test_five_questions_are_asked_and_a_wrong_answer_again(file: Path) -> None:
    answers = "kafka:9092\nno topic!\ntalks\n/models/chat\n\nmany\n12,000\n"

    answer = typed("--config", str(file), "init", stdin=answers)

    assert answer.exit_code == 0, answer.stderr
    settings = load(file, {})
    assert (settings.kafka.topic, settings.model.base, settings.state_dir) == (
        "talks",
        "/models/chat",
        Path(".state"),
    )
    assert "12,000 conversations a day" in file.read_text("utf-8")
    assert "--topic 'no topic!'" in answer.stderr
    assert "--traffic 'many'" in answer.stderr


def test_values_of_any_characters_are_kept(file: Path) -> None:
    model = '/models/it\'s: a #model%, "yes"'

    typed("--config", str(file), "init", "--defaults", "--model", model, "--state-dir", "état {x}")

    assert (load(file, {}).model.base, load(file, {}).state_dir) == (model, Path("état {x}"))


@pytest.mark.parametrize(
    "words",
    [
        ("--traffic", "0"),
        ("--traffic", "-5"),
        ("--topic", "a b"),
        ("--broker", "kafka:x"),
        ("--broker", ","),
        ("--model", ""),
    ],
)
def test_an_option_that_no_file_may_have_is_misuse(file: Path, words: tuple[str, ...]) -> None:
    answer = typed("--config", str(file), "init", "--defaults", *words)

    assert answer.exit_code == 2
    assert words[0] in answer.stderr
    assert not file.exists()


def test_nobody_is_asked_with_json_or_at_the_end_of_the_input(file: Path) -> None:
    for words in (("init", "--json"), ("init",)):
        answer = typed("--config", str(file), *words)
        assert answer.exit_code == 2
        assert "--defaults" in answer.stderr
    assert not file.exists()


def test_a_file_is_replaced_only_if_somebody_says_so(file: Path) -> None:
    file.write_text("mine", encoding="utf-8")

    assert typed("--config", str(file), "init", "--defaults").exit_code == 3
    assert file.read_text("utf-8") == "mine"
    assert typed("--config", str(file), "init", "--defaults", "--yes").exit_code == 0
    assert "retuned init" in file.read_text("utf-8")
