"""Orders of operators: whatever shows one names the command that ends it, and that ends it."""

import pytest

from daemon.domain.decisions import Action
from daemon.domain.json_values import json_value
from daemon.views.status import status_view
from daemon.views.why import recent_activity
from tests.factories.daemon import LINE, Line
from tests.remedies.cases import mends
from tests.remedies.operator import Operator

SHOWN = (
    "daemon/cli/render/orders.py",
    "daemon/cli/orders.py",
    "daemon/cli/doctor/orders.py",
    "daemon/views/why.py",
)
FROZEN = ("daemon/cli/reference.py", "daemon/cli/render/status.py", "daemon/cli/doctor/orders.py")


def in_force(line: Line) -> object:
    orders = status_view(line.stores, line.settings, line.now).orders
    return json_value((orders.hold, orders.pause, line.stores.references.frozen()))


def obstacles(operator: Operator) -> str:
    line = operator.line
    seen = status_view(line.stores, line.settings, line.now)
    return "; ".join(recent_activity(line.stores, seen, automatic=True).obstacles)


@mends("retuned unhold -m REASON", *SHOWN)
@mends("retuned resume -m REASON", *SHOWN)
@mends("retuned reference unfreeze -m REASON", *FROZEN)
@pytest.mark.parametrize("where", ["the order", "status", "doctor", "why"])
@pytest.mark.parametrize(
    ("order", "remedy"),
    [
        (("hold",), "retuned unhold -m REASON"),
        (("pause",), "retuned resume -m REASON"),
        (("reference", "freeze"), "retuned reference unfreeze -m REASON"),
    ],
)
def test_an_order_says_how_it_ends(
    operator: Operator, order: tuple[str, ...], remedy: str, where: str
) -> None:
    said = operator.reads(*order, "-m", "the fair")
    if where == "why" and order[0] == "reference":
        pytest.skip("why tells of the freeze; status tells how it ends")
    elif where == "why":
        said = obstacles(operator)
    elif where != "the order":
        said = operator.reads(where)

    operator.follows(said, remedy)

    assert in_force(operator.line) == [None, None, None]
    assert "the fair" not in operator.status()


@mends("retuned pause -m REASON", "daemon/cli/orders.py", "daemon/release/orders.py")
@pytest.mark.parametrize("runs", [True, False])
def test_the_next_training_is_kept_from_starting(operator: Operator, runs: bool) -> None:
    if runs:
        operator.line.start_run(operator.line.drift())

    operator.follows(operator.reads("cancel", "-m", "not now"), "retuned pause -m REASON")

    assert operator.line.stores.versions.orders(LINE).paused is not None


@mends("retuned reject VERSION -m REASON", "daemon/release/orders.py")
def test_a_run_that_has_finished_is_rejected_by_its_version(operator: Operator) -> None:
    name = operator.line.candidate()

    refused = operator.reads("cancel", "r1", "-m", "not this")
    operator.follows(refused, "retuned reject VERSION -m REASON", VERSION=str(name))

    assert status_view(operator.line.stores, operator.line.settings, operator.line.now).candidate is None


@mends("retuned promote v{} --force -m REASON", "daemon/cli/orders.py")
def test_a_rejection_is_overruled(operator: Operator) -> None:
    name = operator.line.candidate()
    operator.line.gate(name)

    said = operator.reads("reject", str(name), "-m", "not this")
    operator.follows(said, "retuned promote v{} --force -m REASON")

    assert operator.line.stores.versions.history(LINE).live == name


@mends("retuned status", "daemon/cli/promote.py", "daemon/cli/sync.py", "daemon/release/orders.py")
@mends("retuned run", "daemon/cli/promote.py")
def test_a_request_says_where_it_is_seen(operator: Operator) -> None:
    assert (
        "training request" in operator.follows(operator.reads("train", "-m", "now"), "retuned status").stdout
    )
    refused = operator.reads("cancel", "-m", "not now")
    assert "no training is running" in refused
    operator.follows(refused, "retuned status")


def test_a_pause_keeps_a_run_waiting_until_it_ends(operator: Operator) -> None:
    operator.line.start_run(operator.line.decide(Action.TRAIN, "so"))
    operator.types("pause", "-m", "the fair")
    printed = operator.status()
    assert "suspended" in printed

    operator.follows(printed, "retuned resume -m REASON")

    assert "suspended" not in operator.status()
