"""Which alarms are about one change."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.changes import changes_of, is_same_change
from daemon.domain.windows import SeqRange

WINDOWS = [SeqRange(first=first, last=first + 19) for first in range(1, 1_000, 20)]


@dataclass(frozen=True, kw_only=True)
class Raised:
    seq: int
    since_seq: int
    reference_id: int = 1


def test_three_whole_quiet_windows_separate_two_changes() -> None:
    last = Raised(seq=30, since_seq=25)

    assert is_same_change(
        last, Raised(seq=110, since_seq=100), WINDOWS
    )  # 41-60, 61-80; 81-100 has its beginning
    assert not is_same_change(last, Raised(seq=110, since_seq=101), WINDOWS)


def test_a_weak_change_that_takes_long_to_be_found_again_is_one() -> None:
    alarms = [Raised(seq=at + 199, since_seq=at + 5) for at in range(1, 800, 200)]

    assert len(changes_of(alarms, WINDOWS)) == 1


def test_another_reference_is_another_change() -> None:
    alarms = [Raised(seq=30, since_seq=25), Raised(seq=32, since_seq=26, reference_id=2)]

    assert [len(change) for change in changes_of(alarms, WINDOWS)] == [1, 1]


@given(
    st.lists(st.tuples(st.integers(1, 2), st.integers(1, 1_000), st.integers(0, 300)), max_size=20),
)
def test_every_alarm_is_in_one_change_in_order_and_of_one_reference(
    found: list[tuple[int, int, int]],
) -> None:
    alarms = [
        Raised(seq=seq, since_seq=max(1, seq - delay), reference_id=reference)
        for reference, seq, delay in sorted(found)
    ]

    changes = changes_of(alarms, WINDOWS)

    assert [alarm for change in changes for alarm in change] == alarms
    assert all(len({alarm.reference_id for alarm in change}) == 1 for change in changes)
