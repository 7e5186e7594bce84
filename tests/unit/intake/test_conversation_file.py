import gzip
from pathlib import Path

import pytest

from daemon.config.settings import LimitsSection
from daemon.domain.conversation import JSON, Feedback
from daemon.intake.conversation_file import BadLine, FileConversation, read_conversations
from daemon.intake.log_file import ConversationFileError
from tests.factories.intake import NOW, a_message, a_record, as_bytes


def a_line(**changes: JSON) -> dict[str, JSON]:
    line: dict[str, JSON] = {
        "id": "sgd-1", "lang": "zh", "domain": "movies",
        "messages": [a_message("user", "有什么电影？"), a_message("assistant", "很多。")], "labels": {"intents": []},
    }  # fmt: skip
    return line | changes


def read(path: Path) -> list[FileConversation]:
    return list(read_conversations(path, limits=LimitsSection(), received_at=NOW))


def a_file(folder: Path, *lines: bytes, name: str = "talks.jsonl") -> Path:
    path = folder / name
    content = b"\n".join(lines) + b"\n"
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return path


@pytest.mark.parametrize("name", ["talks.jsonl", "talks.jsonl.gz"])
def test_a_line_becomes_a_conversation_of_its_domain(tmp_path: Path, name: str) -> None:
    (found,) = read(a_file(tmp_path, as_bytes(a_line()), name=name))

    assert found.regime == "movies"
    assert found.conversation.conversation_id == "sgd-1"
    assert found.conversation.at == NOW
    assert found.conversation.messages[0].content == "有什么电影？"
    assert found.conversation.metadata == {"lang": "zh", "domain": "movies", "labels": {"intents": []}}


def test_records_of_the_topic_are_lines_too(tmp_path: Path) -> None:
    (found,) = read(a_file(tmp_path, as_bytes(a_record(domain="parcels"))))

    assert (found.conversation.conversation_id, found.regime) == ("c-1", "parcels")
    assert found.conversation.at < NOW


def test_blank_lines_are_skipped_and_order_is_kept(tmp_path: Path) -> None:
    path = a_file(tmp_path, as_bytes(a_line(id="a")), b"", b"  ", as_bytes(a_line(id="b")))

    assert [found.conversation.conversation_id for found in read(path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("labels", "feedback"),
    [
        ({"satisfaction": 4}, Feedback(rating=4)),
        ({"satisfaction": None}, None),
        ({"thumbs_up": 2, "thumbs_down": 1}, Feedback(thumb="up")),
        ({"thumbs_up": 0, "thumbs_down": 1}, Feedback(thumb="down")),
        ({"thumbs_up": 1, "thumbs_down": 1}, None),
    ],
)
def test_labels_of_satisfaction_are_feedback(
    tmp_path: Path, labels: dict[str, JSON], feedback: Feedback | None
) -> None:
    (found,) = read(a_file(tmp_path, as_bytes(a_line(labels=labels))))

    assert found.conversation.feedback == feedback


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "not JSON"),
        (b"[]", "is an empty list"),
        (as_bytes(a_line(id=[7])), "conversation_id"),
        (as_bytes(a_line(messages=None)), "messages"),
        (
            as_bytes({"conversation_id": "c", "ts": 1, "feedback": {"thumb": "up"}}),
            "without its conversation",
        ),
    ],
)
def test_a_bad_line_is_named_by_its_number(tmp_path: Path, line: bytes, problem: str) -> None:
    path = a_file(tmp_path, as_bytes(a_line()), b"", line)

    with pytest.raises(BadLine, match=rf"talks.jsonl, line 3: .*{problem}"):
        read(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConversationFileError, match=r"nowhere\.jsonl"):
        read(tmp_path / "nowhere.jsonl")


def test_a_torn_gzip_file_is_named(tmp_path: Path) -> None:
    path = a_file(tmp_path, *[as_bytes(a_line())] * 50, name="talks.jsonl.gz")
    path.write_bytes(path.read_bytes()[:-20])

    with pytest.raises(ConversationFileError, match=r"talks\.jsonl\.gz"):
        read(path)
