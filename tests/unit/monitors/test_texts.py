from datetime import UTC, datetime

import pytest

from monitors.texts import words
from monitors.types import Sample, Turn
from monitors.window.descriptors import describe
from tests.factories.monitors import a_sample


def _grams(run: str, length: int) -> list[str]:
    return [run[start : start + length] for start in range(len(run) - length + 1)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't panic, OK?", ["don't", "panic", "ok"]),
        ("退款政策", ["退款", "款政", "政策", "退款政", "款政策"]),
        ("什么是ai", ["什么", "么是", "什么是", "ai"]),
        ("好", ["好"]),
        ("返金をお願い", ["返金", "金を", "をお", "お願", "願い", "返金を", "金をお", "をお願", "お願い"]),
        ("メール・設定", ["メー", "ール", "メール", "設定"]),
        ("ขอคืนเงิน", [*_grams("ขอคืนเงิน", 2), *_grams("ขอคืนเงิน", 3)]),
        ("ຂອບໃຈ ສະບາຍ", [*_grams("ຂອບໃຈ", 2), *_grams("ຂອບໃຈ", 3), *_grams("ສະບາຍ", 2), *_grams("ສະບາຍ", 3)]),
        ("អរគុណ។", [*_grams("អរគុណ", 2), *_grams("អរគុណ", 3)]),
        ("ကျေးဇူး၊", [*_grams("ကျေးဇူး", 2), *_grams("ကျေးဇူး", 3)]),
        ("환불을 받고 싶어요", ["환불을", "받고", "싶어요"]),
        ("हिन्दी में जवाब दो।", ["हिन्दी", "में", "जवाब", "दो"]),
        ("请帮我cancel这个order", ["请帮", "帮我", "请帮我", "cancel", "这个", "order"]),
        ("thanks 👍🏽👍 谢谢❤️", ["thanks", "👍", "👍", "谢谢", "❤"]),
        ("𠮷野家", ["𠮷野", "野家", "𠮷野家"]),
        ("ＡＩ２０２６", ["ai"]),
        ("", []),
        ("123 !?", []),
    ],
)
def test_words_are_cut_in_any_script(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "script", "language"),
    [
        ("How do I get my money back?", "LATIN", "en"),
        ("什么是人工智能？", "HAN", "zh"),
        ("退款", "HAN", "zh"),
        ("人工知能とは何ですか、教えてください", "HIRAGANA", "ja"),
        ("東京都庁の展望室の営業時間を教えて下さい", "HAN", "ja"),
        ("Привет, как дела?", "CYRILLIC", "ru"),
        ("lol", "LATIN", "unknown"),
        ("What time is it now?", "LATIN", "unknown"),  # 15 letters
        ("Wie ist das Wetter heute?", "LATIN", "de"),  # 20 letters
        ("", "none", "unknown"),
    ],
)
def test_script_and_language_are_told_where_the_text_is_long_enough(
    text: str, script: str, language: str
) -> None:
    row = describe([a_sample("1", text)]).iloc[0]

    assert (row.script, row.language) == (script, language)


def test_a_conversation_is_described_in_numbers() -> None:
    turns = (
        ("user", "多少钱？"),
        ("assistant", "十元"),
        ("user", "多少钱？"),
        ("assistant", "十元"),
        ("user", ""),
    )
    sample = Sample(
        id="1",
        group="g",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        turns=tuple(Turn(role=role, content=content) for role, content in turns),
        feedback=-1.0,
    )

    row = describe([sample]).iloc[0]

    assert row.turns == 5
    assert row.reply_characters == 5
    assert row.question_share == pytest.approx(2 / 3)
    assert row.non_letter_share == pytest.approx(2 / 8)
    assert row.repeated_share == pytest.approx(2 / 3)
    assert row.feedback == -1


def test_feedback_that_nobody_gave_is_missing() -> None:
    assert describe([a_sample("1", "hi")]).feedback.isna().all()
