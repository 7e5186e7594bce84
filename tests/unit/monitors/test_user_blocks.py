import random

from monitors.user_blocks import LONGEST_BLOCK, Block, RecentUsers, block_length, first_in_block


def test_a_user_counts_once_in_so_many() -> None:
    users = RecentUsers(distance=3)
    counts = []
    for place, user in enumerate("aabacaaa", 1):
        counts.append(not users.counted(user, place))
        if counts[-1]:
            users.add(user, key=100 + place, place=place)

    assert counts == [True, False, True, True, True, False, True, False]
    assert users.keys == (107,)
    assert users.places == (7,)


def test_fewer_users_come_again_sooner() -> None:
    assert block_length(["a", "b", "a", "a"]) == 2
    assert block_length(f"u{n}" for n in range(900)) == LONGEST_BLOCK
    assert block_length([]) == LONGEST_BLOCK


def test_the_first_of_a_user_in_each_block_counts_wherever_it_is_looked_for() -> None:
    users = random.Random(1).choices("abcdef", k=200)
    block = Block(7)
    counting = set()
    for place, user in enumerate(users, 40):
        if not block.counted(user, place):
            block.add(user, place)
            counting.add(place)

    assert counting == first_in_block(enumerate(users, 40), 7)
    assert {place // 7 for place in range(40, 240)} == {place // 7 for place in counting}
    assert len({(place // 7, users[place - 40]) for place in counting}) == len(counting)


def test_who_comes_in_sessions_weighs_as_much_in_a_sample_as_in_the_stream() -> None:
    """Were all that were drawn counted, sessions of five would weigh five times as much in a reference."""
    chance = random.Random(1)
    stream: list[str] = []
    while len(stream) < 14_000:
        stream += (
            [f"regular {chance.randrange(100)}"] * 5 if chance.random() < 1 / 6 else [f"once {len(stream)}"]
        )
    drawn = chance.sample(range(len(stream)), 500)
    counting = first_in_block(enumerate(stream), block_length(stream[place] for place in drawn))

    def regulars(places: list[int]) -> float:
        return sum(stream[place].startswith("regular") for place in places) / len(places)

    assert regulars(drawn) > 0.4
    assert abs(regulars([place for place in drawn if place in counting]) - regulars(sorted(counting))) < 0.05
