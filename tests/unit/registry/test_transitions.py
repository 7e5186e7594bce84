from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.history import BrokenChain, History, check_next, entry_digest, verify
from registry.names import VersionName
from registry.restrictions import Bar, BarCause, Hold, Restrictions
from registry.transitions import (
    AlreadyBootstrapped,
    AlreadyLive,
    Barred,
    GateNotPassed,
    GateOutdated,
    Held,
    NameTheVersion,
    NeverLive,
    NotExpected,
    NothingLive,
    NothingToRollBack,
    NotJudged,
    OtherLine,
    ReasonMissing,
    Refused,
    bootstrap,
    promote,
    roll_back,
)
from registry.types import Actor, GateReport, GateVerdict, Promotion, PromotionKind
from tests.factories.registry import DAEMON, LINE, NOW, OPERATOR, a_history, a_report, a_step, grown, v

EMPTY = History(model_line=LINE)


def promoted(
    history: History,
    number: int,
    *,
    gate: GateReport | None = None,
    force: bool = False,
    reason: str = "better",
) -> Promotion:
    return promote(history, v(number), gate=gate, force=force, reason=reason, by=OPERATOR, now=NOW)


def rolled_back(history: History, to: int | None = None, *, reason: str = "wrong refunds") -> Promotion:
    return roll_back(history, to=None if to is None else v(to), reason=reason, by=OPERATOR, now=NOW)


def numbers(history: History) -> list[int]:
    return [name.number for name in history.line]


# A: bootstrap


def test_bootstrap_puts_the_first_version_live() -> None:
    entry = bootstrap(EMPTY, v(0), reason="the base", by=DAEMON, now=NOW)

    assert (entry.kind, entry.position, entry.previous, entry.previous_digest) == (
        PromotionKind.BOOTSTRAP, 1, None, "",
    )  # fmt: skip
    assert grown(EMPTY, entry).live == v(0)


def test_bootstrap_happens_once() -> None:
    with pytest.raises(AlreadyBootstrapped):
        bootstrap(a_history("0"), v(1), reason="again", by=DAEMON, now=NOW)


# B: promote


def test_a_version_that_passed_takes_over() -> None:
    history = a_history("0")
    entry = promoted(history, 3, gate=a_report())

    assert (entry.kind, entry.position, entry.previous, entry.forced) == (
        PromotionKind.PROMOTION,
        2,
        v(0),
        False,
    )
    assert entry.gate == a_report()
    assert entry.previous_digest == entry_digest(history.entries[-1])
    assert grown(history, entry).live == v(3)


def test_a_version_nobody_judged_is_refused() -> None:
    with pytest.raises(NotJudged, match="support-bot-v3"):
        promoted(a_history("0"), 3)


@pytest.mark.parametrize("verdict", [GateVerdict.REJECT, GateVerdict.INCONCLUSIVE])
def test_only_a_pass_is_a_pass(verdict: GateVerdict) -> None:
    with pytest.raises(GateNotPassed, match=verdict):
        promoted(a_history("0"), 3, gate=a_report(verdict))


def test_a_pass_against_another_live_version_is_refused() -> None:
    with pytest.raises(GateOutdated, match="with support-bot-v1, but support-bot-v0 is live"):
        promoted(a_history("0", "1", "back"), 3, gate=replace(a_report(), against=v(1)))


def test_a_pass_against_what_is_live_is_a_pass() -> None:
    assert not promoted(a_history("0", "1"), 3, gate=replace(a_report(), against=v(1))).forced


def test_nothing_is_promoted_before_the_line_has_begun() -> None:
    with pytest.raises(NothingLive):
        promoted(EMPTY, 3, gate=a_report())


def test_what_is_live_is_not_promoted_again() -> None:
    with pytest.raises(AlreadyLive):
        promoted(a_history("0", "3"), 3, gate=a_report(), force=True)


def test_what_was_taken_back_can_be_promoted_again() -> None:
    history = a_history("0", "3", "back")

    assert numbers(grown(history, promoted(history, 3, gate=a_report()))) == [0, 3]


# C: promote by force


@pytest.mark.parametrize(
    "gate",
    [
        None,
        a_report(GateVerdict.REJECT),
        a_report(GateVerdict.INCONCLUSIVE),
        replace(a_report(), against=v(9)),
    ],
)
def test_force_overrules_the_gate_and_is_recorded_with_its_numbers(gate: GateReport | None) -> None:
    entry = promoted(a_history("0"), 3, gate=gate, force=True, reason="紧急修复")

    assert (entry.forced, entry.gate, entry.by, entry.reason) == (True, gate, OPERATOR, "紧急修复")


def test_force_that_was_not_needed_is_not_recorded_as_force() -> None:
    assert not promoted(a_history("0"), 3, gate=a_report(), force=True).forced


# D, E: roll back


def test_a_rollback_returns_to_the_version_before() -> None:
    history = a_history("0", "3", "5")
    entry = rolled_back(history)

    assert (entry.kind, entry.version, entry.previous, entry.gate) == (
        PromotionKind.ROLLBACK,
        v(3),
        v(5),
        None,
    )
    assert numbers(grown(history, entry)) == [0, 3]


def test_two_rollbacks_walk_two_versions_back() -> None:
    assert a_history("0", "3", "5", "back", "back").live == v(0)


def test_a_rollback_after_a_promotion_that_followed_one_skips_what_was_taken_back() -> None:
    assert a_history("0", "3", "5", "back", "7", "back").live == v(3)


def test_a_rollback_may_name_an_earlier_version() -> None:
    assert numbers(a_history("0", "3", "5", "7", "back 3")) == [0, 3]


def test_of_a_version_that_was_live_twice_the_later_time_counts() -> None:
    assert numbers(a_history("0", "3", "5", "3", "7", "back 3")) == [0, 3, 5, 3]


@pytest.mark.parametrize("steps", [(), ("0",), ("0", "3", "back")])
def test_with_nothing_before_there_is_nothing_to_roll_back(steps: tuple[str, ...]) -> None:
    with pytest.raises(NothingToRollBack):
        rolled_back(a_history(*steps))


def test_a_version_that_was_never_live_is_no_way_back() -> None:
    with pytest.raises(NeverLive, match="support-bot-v3, support-bot-v0"):
        rolled_back(a_history("0", "3", "5"), to=4)


def test_a_version_that_was_taken_back_is_no_way_back() -> None:
    with pytest.raises(NeverLive):
        rolled_back(a_history("0", "3", "5", "back"), to=5)


def test_rolling_back_to_what_is_live_is_refused() -> None:
    with pytest.raises(AlreadyLive):
        rolled_back(a_history("0", "3"), to=3)


@pytest.mark.parametrize("seconds", [-59, 0, 59])
def test_a_second_rollback_within_a_minute_has_to_name_its_version(seconds: int) -> None:
    history = a_history("0", "3", "5", "back")
    now = history.entries[-1].at + timedelta(seconds=seconds)

    with pytest.raises(
        NameTheVersion, match=r"张伟 rolled back from support-bot-v5 .*`retuned rollback v0 -m"
    ):
        roll_back(history, to=None, reason="r", by=OPERATOR, now=now)
    for named in ({"to": v(0)}, {"to": None, "expect": v(3)}):
        entry = roll_back(history, reason="r", by=OPERATOR, now=now, **named)
        assert entry.version == v(0)


def test_a_second_rollback_after_a_minute_need_not() -> None:
    history = a_history("0", "3", "5", "back")
    now = history.entries[-1].at + timedelta(seconds=60)

    assert roll_back(history, to=None, reason="r", by=OPERATOR, now=now).version == v(0)


# What was expected


def test_a_change_from_another_version_than_expected_is_refused() -> None:
    history = a_history("0", "3", "5")

    with pytest.raises(
        NotExpected, match=r"support-bot-v3 is not live; support-bot-v5 is \(promotion by retuned"
    ):
        roll_back(history, to=None, reason="r", by=OPERATOR, now=NOW, expect=v(3))
    with pytest.raises(NotExpected):
        promote(history, v(7), gate=a_report(), reason="r", by=OPERATOR, now=NOW, expect=v(3))


def test_a_change_from_the_expected_version_is_made() -> None:
    history = a_history("0", "3")

    assert roll_back(history, to=None, reason="r", by=OPERATOR, now=NOW, expect=v(3)).version == v(0)
    assert promote(
        history, v(7), gate=a_report(), reason="r", by=OPERATOR, now=NOW, expect=v(3)
    ).version == v(7)


# What operators said

HELD = Restrictions(hold=Hold(by=OPERATOR, since=NOW, reason="审计"))


def barred(cause: BarCause, number: int = 3) -> Restrictions:
    return Restrictions(bar=Bar(version=v(number), cause=cause, by=OPERATOR, at=NOW, reason="退款错了"))


def under(
    restrictions: Restrictions, *, by: Actor, gate: GateReport | None = None, force: bool = False
) -> Promotion:
    report = gate or a_report()
    return promote(
        a_history("0"), v(3), gate=report, reason="r", by=by, now=NOW, restrictions=restrictions, force=force
    )


def test_the_daemon_promotes_nothing_while_promotion_is_held() -> None:
    with pytest.raises(Held, match="held by 张伟: 审计; `retuned unhold -m REASON` ends it"):
        under(HELD, by=DAEMON)


@pytest.mark.parametrize("cause", BarCause)
@pytest.mark.parametrize("force", [False, True])
def test_the_daemon_never_promotes_what_is_barred(cause: BarCause, force: bool) -> None:
    with pytest.raises(Barred, match="退款错了"):
        under(barred(cause), by=DAEMON, force=force)


def test_the_daemon_never_promotes_a_child_of_what_is_barred_and_says_of_which() -> None:
    with pytest.raises(
        Barred, match="support-bot-v3 continues from support-bot-v1: support-bot-v1 was rolled back"
    ):
        under(barred(BarCause.ROLLED_BACK, 1), by=DAEMON)


def test_a_person_promotes_whatever_is_held_or_was_rolled_back() -> None:
    assert not under(HELD, by=OPERATOR).forced
    assert not under(barred(BarCause.ROLLED_BACK), by=OPERATOR).forced


@pytest.mark.parametrize("cause", [BarCause.REJECTED, BarCause.CANCELLED])
def test_a_person_overrules_a_rejection_by_force_only_and_that_is_recorded(cause: BarCause) -> None:
    with pytest.raises(Barred, match="to overrule this: `retuned promote v3 --force -m REASON`"):
        under(barred(cause), by=OPERATOR)

    assert under(barred(cause), by=OPERATOR, force=True).forced


# All of them

TRANSITIONS: list[Callable[[str], Promotion]] = [
    lambda reason: bootstrap(EMPTY, v(0), reason=reason, by=DAEMON, now=NOW),
    lambda reason: promoted(a_history("0"), 3, gate=a_report(), reason=reason),
    lambda reason: promoted(a_history("0"), 3, force=True, reason=reason),
    lambda reason: rolled_back(a_history("0", "3"), reason=reason),
]


@pytest.mark.parametrize("decide", TRANSITIONS)
@pytest.mark.parametrize("reason", ["", "  \n", "\u3000"])
def test_nothing_happens_without_a_reason(decide: Callable[[str], Promotion], reason: str) -> None:
    with pytest.raises(ReasonMissing):
        decide(reason)


STRANGER = VersionName("other", 3)


@pytest.mark.parametrize(
    "decide",
    [
        lambda: bootstrap(EMPTY, STRANGER, reason="r", by=DAEMON, now=NOW),
        lambda: promote(
            a_history("0"), STRANGER, gate=a_report(), force=True, reason="r", by=DAEMON, now=NOW
        ),
        lambda: roll_back(a_history("0", "3"), to=STRANGER, reason="r", by=DAEMON, now=NOW),
    ],
)
def test_a_version_of_another_line_is_refused(decide: Callable[[], Promotion]) -> None:
    with pytest.raises(OtherLine):
        decide()


STEPS = st.lists(
    st.one_of(st.integers(0, 5).map(str), st.just("back"), st.integers(0, 5).map("back {}".format)),
    max_size=20,
)


def accepted(steps: list[str]) -> list[History]:
    """The histories after each step that is not refused."""
    histories = [EMPTY]
    for step in steps:
        try:
            histories.append(grown(histories[-1], a_step(histories[-1], step)))
        except Refused:
            continue
    return histories


@given(STEPS)
def test_whatever_is_accepted_leaves_a_whole_chain(steps: list[str]) -> None:
    history = accepted(steps)[-1]

    verify(history)
    assert [entry.position for entry in history.entries] == list(range(1, history.position + 1))


@given(STEPS)
def test_live_is_what_the_last_entry_put_live(steps: list[str]) -> None:
    for history in accepted(steps)[1:]:
        assert history.live == history.entries[-1].version == history.line[-1]
        assert history.entries[-1].previous != history.live


@given(STEPS)
def test_rollbacks_walk_down_the_line_and_end(steps: list[str]) -> None:
    history = accepted(steps)[-1]
    expected = list(reversed(history.line))[1:]
    walked = []
    while len(history.line) > 1:
        history = grown(history, a_step(history, "back"))
        walked.append(history.live)

    assert walked == expected


@given(STEPS, st.data())
def test_an_altered_entry_breaks_the_chain_after_it(steps: list[str], data: st.DataObject) -> None:
    entries = list(accepted(["0", "1", *steps])[-1].entries)
    index = data.draw(st.integers(0, len(entries) - 2))
    entries[index] = replace(entries[index], reason=entries[index].reason + "!")

    with pytest.raises(BrokenChain, match=f"entry {index + 2} "):
        verify(History(model_line=LINE, entries=tuple(entries)))


@given(STEPS, st.data())
def test_a_missing_entry_breaks_the_chain_in_its_place(steps: list[str], data: st.DataObject) -> None:
    entries = list(accepted(["0", "1", *steps])[-1].entries)
    index = data.draw(st.integers(0, len(entries) - 2))
    del entries[index]

    with pytest.raises(BrokenChain, match=f"entry {index + 1} "):
        verify(History(model_line=LINE, entries=tuple(entries)))


@pytest.mark.parametrize(
    ("steps", "follower"),
    [
        (("0",), replace(a_step(a_history("0"), "3"), kind=PromotionKind.BOOTSTRAP)),
        ((), replace(a_step(EMPTY, "0"), kind=PromotionKind.PROMOTION)),
        (("0",), replace(a_step(a_history("0"), "3"), kind=PromotionKind.ROLLBACK)),
        (("0", "3"), replace(a_step(a_history("0", "3"), "5"), version=v(3))),
        (("0", "3"), replace(a_step(a_history("0", "3"), "5"), previous=v(0))),
        (("0",), replace(a_step(a_history("0"), "3"), version=STRANGER)),
    ],
)
def test_no_other_entry_can_follow(steps: tuple[str, ...], follower: Promotion) -> None:
    with pytest.raises(BrokenChain):
        check_next(a_history(*steps), follower)


def test_a_log_is_verified_in_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    history = a_history("0", "1", "2", "back", "3", "back 0", "4", "5")
    digested: list[int] = []

    def counted(entry: Promotion) -> str:
        digested.append(entry.position)
        return entry_digest(entry)

    monkeypatch.setattr("registry.history.entry_digest", counted)
    verify(history)

    assert digested == [1, 2, 3, 4, 5, 6, 7]


def test_a_rollback_to_nowhere_has_no_line() -> None:
    entry = replace(a_step(a_history("0", "3"), "back"), version=v(9))
    history = grown(a_history("0", "3"), entry)

    with pytest.raises(BrokenChain, match="entry 3"):
        _ = history.line
