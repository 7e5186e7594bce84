from daemon.kafka.rejoining import RejoinPolicy


def test_a_member_without_partitions_joins_again_ever_more_rarely() -> None:
    policy = RejoinPolicy()

    joined = [second for second in range(1, 100) if policy.due(1.0)]

    assert joined == [12, 36, 84]


def test_partitions_begin_the_first_wait_anew() -> None:
    policy = RejoinPolicy()
    assert policy.due(12.0)
    assert policy.attempted

    policy.reset()

    assert not policy.attempted
    assert not policy.due(11.0)
    assert policy.due(1.0)
