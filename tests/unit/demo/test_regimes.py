"""The demo's stream: as large as the data allow, and refused where they don't."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from daemon.demo.errors import BadOptions, NotEnoughConversations
from daemon.demo.options import DemoOptions
from daemon.demo.regimes import Regime, choose, cut
from daemon.demo.sizes import HOLDOUT_SHARE, fit
from tests.factories.demo import a_conversation

pytestmark = pytest.mark.unit
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def a_file(tmp_path: Path, **domains: int) -> Path:
    path = tmp_path / "talks.jsonl"
    lines = [
        {
            "id": f"{domain}-{number}",
            "domain": domain,
            "messages": [{"role": "user", "content": f"{domain}?"}, {"role": "assistant", "content": "好"}],
        }
        for domain, count in domains.items()
        for number in range(count)
    ]
    path.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("first", "second", "window"),
    [(2000, 2000, 100), (733, 367, 100), (732, 2000, 50), (366, 184, 50), (220, 110, 30)],
)
def test_windows_are_as_large_as_the_data_allow(first: int, second: int, window: int) -> None:
    assert fit(first, second).window == window


@pytest.mark.parametrize(("first", "second"), [(2000, 652), (400, 300), (220, 110)])
def test_training_can_start_a_window_before_the_data_end(first: int, second: int) -> None:
    sizes = fit(first, second)
    last_but_one = (sizes.after + sizes.window // 3) // sizes.window - 1

    assert sizes.min_new <= (1 - HOLDOUT_SHARE) * last_but_one * sizes.window
    assert sizes.before <= first
    assert sizes.after <= second


def test_the_change_comes_inside_a_window() -> None:
    sizes = fit(2000, 2000)

    assert 0 < (sizes.before - sizes.reference) % sizes.window < sizes.window


@pytest.mark.parametrize(("first", "second"), [(219, 2000), (2000, 109)])
def test_too_few_conversations_are_refused_with_how_many_are_needed(first: int, second: int) -> None:
    with pytest.raises(NotEnoughConversations, match="needs 220 and 110"):
        fit(first, second)


def test_long_and_unanswered_conversations_are_left_out() -> None:
    long, short = a_conversation("long", "x" * 500), a_conversation("short")
    regime = Regime(
        name="a", source="test", conversations=(long, *(a_conversation(f"c{n}") for n in range(300)), short)
    )

    change = cut(regime, regime, max_chars=100)

    assert "long" not in {conversation.conversation_id for conversation in change.stream}


def test_a_files_domains_are_the_regimes(tmp_path: Path) -> None:
    path = a_file(tmp_path, movies=150, music=150, flights=300, hotels=50)

    change = choose(DemoOptions(data=path, regimes="movies+music, flights"), now=NOW)

    assert (change.first.name, change.second.name) == ("movies+music", "flights")
    assert {t.conversation_id.split("-")[0] for t in change.first.conversations} == {"movies", "music"}
    assert {t.conversation_id.split("-")[0] for t in change.second.conversations} == {"flights"}
    assert change.stream == change.first.conversations + change.second.conversations


def test_the_same_seed_gives_the_same_order_and_another_seed_another(tmp_path: Path) -> None:
    path = a_file(tmp_path, movies=300, flights=300)

    streams = [
        choose(DemoOptions(data=path, regimes="movies,flights", seed=s), now=NOW).stream for s in (1, 1, 2)
    ]

    assert streams[0] == streams[1] != streams[2]


def test_an_unknown_domain_is_refused_with_what_there_is(tmp_path: Path) -> None:
    path = a_file(tmp_path, movies=3, flights=2)

    with pytest.raises(BadOptions, match=r"no domain trains; there are: movies \(3\), flights \(2\)"):
        choose(DemoOptions(data=path, regimes="movies,trains"), now=NOW)


@pytest.mark.parametrize("regimes", ["movies", "movies,", "a,b,c", "movies,movies+music", "+,a"])
def test_regimes_that_are_not_two_are_refused(regimes: str, tmp_path: Path) -> None:
    with pytest.raises(BadOptions, match="--regimes"):
        _ = DemoOptions(data=tmp_path, regimes=regimes).domains


@pytest.mark.parametrize("options", [{"regimes": "a,b"}, {"data": "file"}])
def test_data_and_regimes_belong_together(options: dict[str, Any]) -> None:
    with pytest.raises(BadOptions, match="belong together"):
        DemoOptions(**options)
