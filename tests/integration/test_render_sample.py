from dataclasses import replace
from pathlib import Path

import pytest

from learners.encoding.lessons import NOT_TAUGHT
from learners.encoding.sample import RenderedSample, SampleRequest, render_sample
from learners.method_names import MethodName
from learners.types import Failure
from tests.factories.learners import a_conversation, some_conversations
from tests.support.tiny_model import make_tiny_model


def test_a_child_renders_a_sample_as_a_training_would(tmp_path: Path) -> None:
    base = make_tiny_model(tmp_path / "tiny")
    conversations = (*some_conversations(5), a_conversation("lonely", "Is anybody there?"))

    found = render_sample(
        SampleRequest(base=base, conversations=conversations, max_tokens="auto"), timeout_s=120
    )

    assert isinstance(found, RenderedSample)
    assert found.skipped == {"no assistant turn": 1}
    assert found.example is not None
    assert [(part.text, part.learned) for part in found.example.rows[0]][-1] == (
        "今天天气很好。<|im_end|>",
        True,
    )


@pytest.mark.parametrize(("method", "skipped"), [("lora", {NOT_TAUGHT: 1}), ("kto", {})])
def test_an_answer_to_avoid_is_never_shown_as_learned(
    tmp_path: Path, method: MethodName, skipped: dict[str, int]
) -> None:
    liked, disliked = some_conversations(2)
    request = SampleRequest(
        base=make_tiny_model(tmp_path / "tiny"),
        conversations=(liked, replace(disliked, lesson="avoid")),
        max_tokens=64,
        method=method,
    )

    found = render_sample(request, timeout_s=120)

    assert isinstance(found, RenderedSample)
    assert found.skipped == skipped
    assert found.example is not None
    assert found.example.id == liked.id


def test_a_model_without_a_template_is_named(tmp_path: Path) -> None:
    base = make_tiny_model(tmp_path / "tiny")
    (base / "tokenizer_config.json").unlink()
    (base / "chat_template.jinja").unlink(missing_ok=True)

    found = render_sample(
        SampleRequest(base=base, conversations=tuple(some_conversations(1)), max_tokens=64), timeout_s=120
    )

    assert isinstance(found, Failure)
    assert found.error == "UnusableModel"
