import pytest

from daemon.release.answers.repetition import repeats_itself

_LIST = """1. Rest your eyes every 30 minutes: look out of the window for half a minute.
2. Use eye drops before you start working and before you sleep.
3. Adjust the brightness of your screen so that it is as bright as the room.
4. Place your screen at an arm's length, and a little below your eyes.
5. Take breaks: stand up, walk around, and drink some water."""
_TABLE = """| plan | seats | price |
|------|-------|-------|
| free | 1 | 0 |
| team | 10 | 40 |
| firm | 100 | 300 |"""
_CODE = """```python
for row in rows:
    for cell in row:
        print(cell, end=" ")
    print()
for column in columns:
    for cell in column:
        print(cell, end=" ")
    print()
```"""
_CHINESE = "您好，故宫的地址是北京市东城区景山前街4号，门票60元，评分4.7分，游玩时间大约3小时到4小时。周边有景山公园和北海公园，都可以步行到达。"


@pytest.mark.parametrize(
    "text",
    ["", "Yes.", "No, no, no!", "Ha ha ha ha!", "-" * 80, _LIST, _TABLE, _CODE, _CHINESE, "Sooooooo good"],
)
def test_ordinary_answers_do_not_repeat_themselves(text: str) -> None:
    assert not repeats_itself(text)


@pytest.mark.parametrize(
    "text",
    [
        "the the the the the the the the the the the the the the the the the the",
        "I can help you with that. " * 8,
        _LIST + " You are welcome to ask me anything at any time of the day." * 5,
        "好的，请问还有什么可以帮您？" * 6,
        "哈" * 60,
        "!" * 60,
        "abc" * 50,
    ],
)
def test_loops_repeat_themselves(text: str) -> None:
    assert repeats_itself(text)


def test_a_long_passage_that_comes_three_times_is_repeated() -> None:
    passage = " ".join(f"word{number}" for number in range(60))

    assert repeats_itself(f"{passage}. {passage}. {passage}, I think.")
    assert not repeats_itself(f"{passage}. {passage}")
