from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

from monitors.types import Sample, Turn
from monitors.users import Users, apart_by, thinned

TALK = Sample(
    id="0", group="a", at=datetime(2026, 11, 27, tzinfo=UTC), turns=(Turn(role="user", content="hello"),)
)


def talks(*users: str) -> list[Sample]:
    return [replace(TALK, id=str(number), group=user) for number, user in enumerate(users)]


def test_a_user_counts_once_in_so_many() -> None:
    users = Users(apart=3)
    counts = []
    for place, user in enumerate("aabacaaa", 1):
        counts.append(not users.counted(user, place))
        if counts[-1]:
            users.add(user, key=100 + place, place=place)

    assert counts == [True, False, True, True, True, False, True, False]
    assert users.keys == (107,)
    assert users.places == (7,)


def test_fewer_users_come_again_sooner() -> None:
    assert apart_by(talks("a", "b", "a", "a"), most=400) == 2
    assert apart_by(talks(*(f"u{n}" for n in range(900))), most=400) == 400
    assert apart_by([], most=400) == 400


def test_of_one_who_talks_all_day_as_many_are_left_as_count_in_a_stream() -> None:
    heavy = talks(*("heavy" if n % 2 else f"u{n}" for n in range(1_000)))
    team = talks(*(f"member {n % 20}" for n in range(200)))

    left = Counter(sample.group for sample in thinned(heavy, apart_by(heavy, 400)))

    assert left["heavy"] == 2
    assert left.total() == 502
    assert thinned(team, apart_by(team, 400)) == team
    assert thinned(heavy, 400) == thinned(heavy, 400)
    assert [sample for sample in heavy if sample in set(thinned(heavy, 400))] == thinned(heavy, 400)
