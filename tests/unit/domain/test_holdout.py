import stat
from pathlib import Path

import pytest

from daemon.config.holdout_key import create_key, read_key
from daemon.domain.conversation import Message
from daemon.domain.holdout import BadHoldoutKey, Holdout
from daemon.domain.text_digest import text_digest

KEY = b"k" * 32


def test_all_conversations_of_a_user_are_on_one_side() -> None:
    holdout = Holdout(KEY, share=0.5)

    assert holdout.group("ada", "c1") == holdout.group("ada", "c2")
    assert holdout.group(None, "c1") != holdout.group(None, "c2")


def test_the_share_is_kept() -> None:
    holdout = Holdout(KEY, share=0.2)

    held_out = sum(holdout.holds_out(holdout.group(f"user {n}", "")) for n in range(10_000))

    assert 1_880 < held_out < 2_120  # three standard deviations


def test_another_key_splits_otherwise_and_has_another_fingerprint() -> None:
    one, other = Holdout(KEY, share=0.5), Holdout(b"o" * 32, share=0.5)
    sides = [[h.holds_out(h.group(f"user {n}", "")) for n in range(100)] for h in (one, other)]

    assert sides[0] != sides[1]
    assert one.fingerprint != other.fingerprint


def test_user_ids_do_not_show() -> None:
    assert "ada" not in Holdout(KEY, share=0.5).user_hash("ada@example.org")


def test_a_short_key_is_refused() -> None:
    with pytest.raises(BadHoldoutKey, match="use 16 or more"):
        Holdout(b"short", share=0.5)


def test_the_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    create_key(tmp_path / "holdout.key")
    first = read_key(tmp_path / "holdout.key")

    create_key(tmp_path / "holdout.key")
    assert read_key(tmp_path / "holdout.key") == first
    assert stat.S_IMODE((tmp_path / "holdout.key").stat().st_mode) == 0o600


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadHoldoutKey, match=r"nokey.*holdout\.key_file"):
        read_key(tmp_path / "nokey")


@pytest.mark.parametrize(
    ("one", "other"), [("Hello  World", "hello world"), ("ＡＢＣ", "abc"), ("你好\n", "你好")]
)
def test_the_same_words_have_the_same_digest(one: str, other: str) -> None:
    def digest(text: str) -> str:
        return text_digest([Message(role="user", content=text)])

    assert digest(one) == digest(other)
    assert digest(one) != digest(one + "!")
