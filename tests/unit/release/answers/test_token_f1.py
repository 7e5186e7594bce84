import pytest

from daemon.release.answers.token_f1 import token_f1


@pytest.mark.parametrize(
    ("answer", "good", "f1"),
    [
        ("The cat sat.", "a cat sat", 1.0),
        ("cat", "cat sat", 2 / 3),
        ("dog", "cat", 0.0),
        ("", "", 1.0),
        ("", "cat", 0.0),
        ("北京", "北京市", 0.8),
        ("cat cat", "cat", 2 / 3),
    ],
)
def test_token_f1_is_squads(answer: str, good: str, f1: float) -> None:
    assert token_f1(answer, good) == pytest.approx(f1)
