import pytest

from daemon.runtime.close_all import close_all


class Closing:
    """A stage that writes down how long it may take to close."""

    def __init__(self, name: str, shares: dict[str, float], *, fails: bool = False) -> None:
        self.name = name
        self._shares = shares
        self._fails = fails

    def step(self) -> None: ...

    def close(self, timeout_s: float) -> None:
        self._shares[self.name] = timeout_s
        if self._fails:
            raise RuntimeError("close")


def test_the_last_stage_is_closed_first_and_leaves_the_others_what_it_did_not_use() -> None:
    shares: dict[str, float] = {}

    close_all([Closing("a", shares), Closing("b", shares)], 10, action="stop")

    assert list(shares) == ["b", "a"]
    assert shares["b"] == pytest.approx(5, abs=0.5)
    assert shares["a"] == pytest.approx(10, abs=0.5)


def test_every_stage_has_a_moment_however_little_time_there_is() -> None:
    shares: dict[str, float] = {}

    close_all([Closing("a", shares), Closing("b", shares)], 0, action="stop")

    assert shares == {"b": 0.5, "a": 0.5}


def test_a_stage_that_fails_to_close_is_logged_and_the_others_are_closed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shares: dict[str, float] = {}

    close_all([Closing("a", shares), Closing("b", shares, fails=True)], 1, action="step_down")

    assert list(shares) == ["b", "a"]
    [record] = [record for record in caplog.records if record.exc_info]
    assert (record.getMessage(), record.__dict__["action"]) == ("closing b failed", "step_down")
