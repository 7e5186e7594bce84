"""How often a return is named, and something else by mistake, is in monitors/README.md, measured with the same code."""

from monitors.sample_requirements import SampleRequirements
from monitors.types import Reference
from monitors.window.recurrence import recognise
from monitors.window.recurrence_result import Recurrence, RecurrenceResult
from tests.factories.monitors import a_window, made_of

SHOP = [
    "order",
    "parcel",
    "refund",
    "invoice",
    "address",
    "voucher",
    "size",
    "colour",
    "return",
    "delivery",
    "stock",
    "price",
]
SPORT = [
    "match",
    "goal",
    "team",
    "coach",
    "season",
    "league",
    "ticket",
    "stadium",
    "score",
    "player",
    "referee",
    "derby",
]
TRAVEL = [
    "flight",
    "hotel",
    "visa",
    "luggage",
    "gate",
    "seat",
    "train",
    "museum",
    "island",
    "ferry",
    "passport",
    "map",
]


def known(id_: str, words: list[str], *, seed: int, count: int = 200, title: str = "") -> Reference:
    return Reference(id=id_, samples=tuple(made_of(words, count, seed=seed, prefix=f"{id_}-")), title=title)


def recognised(words: list[str], *earlier: Reference, seed: int = 9) -> RecurrenceResult:
    """About a window of such words, where the current reference is about sport."""
    window = a_window(made_of(words, 60, seed=seed, prefix="w"))
    return recognise(window, known("9", SPORT, seed=3), earlier, minimum=SampleRequirements())


def test_an_earlier_reference_that_fits_again_is_named() -> None:
    result = recognised(
        SHOP, known("1", TRAVEL, seed=1), known("2", SHOP, seed=2, title="reference 2, of chat-v1")
    )

    assert result.outcome is Recurrence.RETURNED
    assert result.reason.startswith("looks like reference 2, of chat-v1 again (p = ")
    assert result.numbers["nearer"] > 3


def test_something_new_is_like_none() -> None:
    result = recognised(TRAVEL, known("2", SHOP, seed=2))

    assert result.outcome is Recurrence.NEW
    assert result.reason.startswith(
        "like none of 1 earlier references; the nearest is reference 2 (p = 0.001"
    )


def test_what_the_current_reference_knows_as_well_is_no_return() -> None:
    """An earlier reference of the same population fits too: it is no nearer."""
    result = recognised(SPORT, known("2", SPORT, seed=2))

    assert result.outcome is Recurrence.INCONCLUSIVE
    assert abs(result.numbers["nearer"]) < 3


def test_half_a_return_is_none() -> None:
    both = [*made_of(SHOP, 30, seed=5), *made_of(TRAVEL, 30, seed=6)]
    result = recognise(
        a_window(both), known("9", SPORT, seed=3), [known("2", SHOP, seed=2)], minimum=SampleRequirements()
    )

    assert result.outcome is Recurrence.NEW


def test_too_small_a_reference_is_not_compared_with() -> None:
    result = recognised(SHOP, known("2", SHOP, seed=2, count=50))

    assert result.outcome is Recurrence.INCONCLUSIVE
    assert result.reason == "no earlier reference has conversations enough"
