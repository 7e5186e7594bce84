import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.names import BadName, VersionName

LINES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
NAMES = st.builds(VersionName, LINES, st.integers(0, 999_999_999))


@given(NAMES)
def test_a_name_is_read_as_it_is_written(name: VersionName) -> None:
    assert VersionName.parse(str(name)) == name


@given(NAMES)
def test_within_a_line_the_number_is_enough(name: VersionName) -> None:
    assert VersionName.parse(f"v{name.number}", line=name.line) == name
    assert VersionName.parse(f"{name.number}", line=name.line) == name


def test_names_sort_by_number() -> None:
    assert VersionName("a", 9) < VersionName("a", 10)


@pytest.mark.parametrize(
    "text",
    ["", "v7", "support-bot", "support-bot-7", "support-bot-v", "support-bot-v07", "support-bot-v-1", "Support-v1",
     "support_bot-v1", "-bot-v1", "bot--v1", "a/b-v1", "../x-v1", "bot-v1\n", "客服-v1", "bot-v１", "x" * 64 + "-v1",
     "bot-v1234567890"],
)  # fmt: skip
def test_what_is_no_name_is_refused(text: str) -> None:
    with pytest.raises(BadName):
        VersionName.parse(text)


@pytest.mark.parametrize(("line", "number"), [("", 0), ("Bot", 0), ("bot-", 0), ("b/t", 0), ("bot", -1)])
def test_a_name_can_not_be_made_wrong(line: str, number: int) -> None:
    with pytest.raises(BadName):
        VersionName(line, number)
