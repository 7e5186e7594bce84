"""Two days of a calm line with two replicas, which restart every few hours, as Prometheus saw it."""

from collections.abc import Callable, Mapping

from daemon.domain.problems import ProblemKind
from daemon.domain.situation import SituationState
from tests.alerts.cases import one

MINUTES = 2 * 24 * 60
#: Each replica restarts every six hours, the one three hours after the other, and is away for two minutes.
_EVERY, _AWAY = 360, 2
_FIRST = {"a": 300, "b": 120}
#: Minutes of trainings: one an evening, of two hours.
_TRAININGS = tuple(range(day + 1_080, day + 1_200) for day in (0, 1_440))


def _minutes_up(instance: str, minute: int) -> int | None:
    """Minutes since the last start; None while the replica is away."""
    since = (minute - _FIRST[instance]) % _EVERY if minute >= _FIRST[instance] else minute + _AWAY
    return None if since < _AWAY else since - _AWAY


def _leads(instance: str, minute: int) -> bool:
    """The one that has been up for longer leads."""
    up = {name: _minutes_up(name, minute) for name in _FIRST}
    longest = max(_FIRST, key=lambda name: (-1 if up[name] is None else up[name], name))
    return up[instance] is not None and instance == longest


def _training(minute: int) -> range | None:
    return next((training for training in _TRAININGS if minute in training), None)


def _always(value: float) -> Callable[[int, int], float]:
    return lambda *_: value


def _series(instance: str, value: Callable[[int, int], float | None]) -> str:
    """One sample a minute of ``value(minute, minutes up)``, without those of when the replica is away."""
    samples = []
    for minute in range(MINUTES):
        up = _minutes_up(instance, minute)
        found = None if up is None else value(minute, up)
        samples.append("stale" if up is None else "_" if found is None else f"{found:g}")
    return " ".join(samples)


def _of_replica(instance: str) -> Mapping[str, str]:
    """What each replica shows."""
    disk = {"retuned_disk_size_bytes": 100e9, "retuned_ledger_disk_free_bytes": 30e9}

    def free(minute: int, _: int) -> float:
        training = _training(minute)
        return 35e9 if training is None else 35e9 - 4e9 * (minute - training.start) / len(training)

    values: dict[str, Callable[[int, int], float | None]] = {
        one("retuned_build_info", instance, version="0.1.0"): _always(1),
        one("retuned_line_up", instance): _always(1),
        one("retuned_leader", instance): lambda minute, up: up > 0 and _leads(instance, minute),
        one("retuned_loop_iteration_seconds_count", instance): lambda _, up: 200 * up,
        one("retuned_intake_records_total", instance, kind="conversation"): lambda _, up: 30 * up,
        one("retuned_records_rejected_total", instance, reason="not_json"): lambda _, up: up // 60,
        one("retuned_consumer_lag_records", instance, partition="0"): lambda minute, up: (
            4_000 if up == 0 else 20 * (minute % 7)
        ),
        one("retuned_intake_halted", instance, reason="offset_lost"): _always(0),
        one("retuned_intake_halted", instance, reason="operator"): _always(0),
        # For a moment after a start the broker is not connected and no scorer runs.
        **{one("retuned_problem", instance, kind=kind): lambda _, up: float(up == 0) for kind in ProblemKind},
        one("retuned_child_restarts_total", instance, child="scorer"): lambda _, up: float(up > 90),
        one("retuned_disk_free_bytes", instance): free,
        **{one(name, instance): _always(size) for name, size in disk.items()},
        one("retuned_ledger_size_bytes", instance): lambda minute, _: 5e9 + 1e6 * (minute % 1_440),
        one("retuned_certificate_expiry_timestamp_seconds", instance, setting="kafka.ssl_certfile"): (
            _always(90 * 86_400)
        ),
        # An hour's tokens, renewed at 80% of their life.
        one("retuned_token_expiry_timestamp_seconds", instance): lambda minute, up: (
            60 * (minute - up % 48 + 60)
        ),
        one("retuned_training_left_out_ratio", instance): _always(0.1),
        one("retuned_training_skipped_ratio", instance): _always(0.02),
    }
    return {name: _series(instance, value) for name, value in values.items()}


def _state(minute: int) -> SituationState:
    """Calm, but for the change that each training answers within an hour."""
    training = _training(minute)
    if training is not None:
        return SituationState.TRAINING
    if any(training.start - 45 <= minute < training.start for training in _TRAININGS):
        return SituationState.CONFIRMED
    return SituationState.STABLE


def _whether(state: SituationState) -> Callable[[int, int], float]:
    return lambda minute, _: float(_state(minute) is state)


def _of_leader(instance: str) -> Mapping[str, str]:
    """What the leader alone shows."""

    def deadline(minute: int, _: int) -> float | None:
        training = _training(minute)
        return None if training is None else 60 * training.start + 21_600

    def progress(minute: int, _: int) -> float | None:
        training = _training(minute)
        return None if training is None else (minute - training.start) / len(training)

    def left(minute: int, _: int) -> float | None:
        training = _training(minute)
        return None if training is None else 60 * (training.stop - minute)

    def gate(minute: int, _: int) -> float | None:
        """A version waits for an hour after its training."""
        done = next((each.stop for each in _TRAININGS if each.stop <= minute < each.stop + 60), None)
        return None if done is None else 60 * done

    values: dict[str, Callable[[int, int], float | None]] = {
        **{
            one("retuned_situation", instance, state=state): _whether(state)
            for state in SituationState
        },
        one("retuned_child_up", instance, child="scorer"): lambda _, up: float(up != 90),
        one("retuned_child_up", instance, child="judge"): _always(1),
        one("retuned_dead_letter_ceiling_ratio", instance): _always(0.04),
        one("retuned_last_conversation_timestamp_seconds", instance): lambda minute, _: 60 * minute,
        one("retuned_last_feedback_timestamp_seconds", instance): lambda minute, _: 60 * (minute - minute % 600),
        one("retuned_last_run", instance, outcome="failed"): _always(0),
        one("retuned_last_run", instance, outcome="finished"): _always(1),
        one("retuned_run_deadline_timestamp_seconds", instance): deadline,
        one("retuned_run_progress_ratio", instance): progress,
        one("retuned_run_left_seconds", instance): left,
        one("retuned_gate_open_since_timestamp_seconds", instance): gate,
        one("retuned_live_since_timestamp_seconds", instance, kind="promotion"): _always(0),
        one("retuned_held", instance, what="promotion"): _always(0),
    }  # fmt: skip

    def of_leader(value: Callable[[int, int], float | None]) -> Callable[[int, int], float | None]:
        return lambda minute, up: value(minute, up) if up > 0 and _leads(instance, minute) else None

    return {name: _series(instance, of_leader(value)) for name, value in values.items()}


def calm_series() -> list[dict[str, str]]:
    """Every series that an alert reads, as promtool takes them."""
    made: dict[str, str] = {}
    for instance in _FIRST:
        made |= {**_of_replica(instance), **_of_leader(instance)}
    return [{"series": name, "values": values} for name, values in made.items()]
