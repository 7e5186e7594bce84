"""Sizes the story to the speed of the machine. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from daemon.demo.config import Plain
from daemon.demo.launch.wordings import HELD_OUT
from daemon.demo.sizes import Sizes

MOST_FACTS, FEWEST_FACTS = 40, 12
#: With fewer wordings, epochs or steps, held-out wordings are answered wrongly: see learners/README.md.
TRAINABLE = 5
EPOCHS = 3
LEARNING_RATE = 1e-3
TOKENS_PER_STEP = 256
REPLAY_SHARE = 0.8
#: Wordings whose right answers a saboteur turns into wrong ones.
SABOTAGED = 20

#: Seconds that a demo should take on a machine that trains at so many tokens a second or more, and at most on any.
_FAST, _FAST_S, _LONGEST_S = 400.0, 440.0, 720.0
#: Tokens of a question with its answer, of one with the base's long answer, of a chat.
_QUESTION, _INVENTION, _CHAT = 60, 85, 90
#: Scoring and answering in batches are so many times faster than training, per token.
_SCORING, _ANSWERING = 3.0, 1.0
#: Conversations that triage and the gate score, besides held-out questions.
_TRIAGED, _OLD = 160, 115
#: Starting processes and waiting: seconds on any machine, and further work in tokens of training.
_FIXED_S, _FIXED_TOKENS = 60.0, 8_000

#: Prompts that both versions answer at the gate, and the most tokens of an answer.
_GATE_ANSWERS, _GATE_TOKENS = 24, 48

_WINDOW, _REFERENCE_WINDOWS, _STABLE_WINDOWS = 50, 8, 3
#: Share of the corrections that a training waits for: some may come before the change that the detector found.
_ENOUGH = 0.9
_FEWEST_WINDOWS = 5  # of the launch
#: Questions before the first correction: what is learned begins where the detector places the change.
LEAD = 20
#: Questions after the last correction: one window and a part of another.
TAIL = 70
#: Questions more than fill the last window, as a chat that repeats another is not counted again.
_SPARE = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchSizes:
    """How large the story is, and how long it is expected to take."""

    facts: int
    asks: int  # questions of users
    seconds: float
    windows: Sizes

    @property
    def lessons(self) -> int:
        """Corrections that may be trained on."""
        return self.facts * TRAINABLE


def size(tokens_per_s: float) -> LaunchSizes:
    """Return the largest story that takes no longer than it should, or the smallest one."""
    budget = _budget_s(tokens_per_s)
    for facts in range(MOST_FACTS, FEWEST_FACTS, -1):
        if (seconds := _seconds(facts, tokens_per_s)) <= budget:
            return _sizes(facts, seconds)
    return _sizes(FEWEST_FACTS, _seconds(FEWEST_FACTS, tokens_per_s))


def _budget_s(tokens_per_s: float) -> float:
    slower = max(1.0, _FAST / tokens_per_s)
    return min(_LONGEST_S, _FIXED_S + (_FAST_S - _FIXED_S) * slower)


def _sizes(facts: int, seconds: float) -> LaunchSizes:
    offset = _WINDOW // 3  # the change is inside a window
    before = (_REFERENCE_WINDOWS + _STABLE_WINDOWS) * _WINDOW + offset
    fewest = LEAD + facts * (TRAINABLE + HELD_OUT) + TAIL
    windows = max(_FEWEST_WINDOWS, math.ceil((fewest + offset - _SPARE) / _WINDOW))
    asks = windows * _WINDOW - offset + _SPARE
    return LaunchSizes(
        facts=facts,
        asks=asks,
        seconds=seconds,
        windows=Sizes(
            window=_WINDOW,
            reference=_REFERENCE_WINDOWS * _WINDOW,
            before=before,
            after=asks,
            min_new=round(_ENOUGH * facts * TRAINABLE),
        ),
    )


def _seconds(facts: int, tokens_per_s: float) -> float:
    """Predict the whole demo's seconds."""
    lessons, held_out = facts * TRAINABLE, facts * HELD_OUT
    replayed = REPLAY_SHARE * lessons
    trained = EPOCHS * (
        lessons * _QUESTION + replayed * _CHAT + SABOTAGED * (_INVENTION + REPLAY_SHARE * _CHAT)
    )
    answered = (lessons + 3 * held_out + SABOTAGED) * _INVENTION
    scored = _TRIAGED * _CHAT + 3 * (held_out * _QUESTION + _OLD * _CHAT)
    work = trained + answered / _ANSWERING + scored / _SCORING + _FIXED_TOKENS
    return _FIXED_S + work / tokens_per_s


def sections() -> Mapping[str, dict[str, Plain]]:
    """Return the settings that this story needs besides those of every demo."""
    return {
        "learning": {
            "epochs": float(EPOCHS),
            "learning_rate": LEARNING_RATE,
            "tokens_per_step": TOKENS_PER_STEP,
            "replay_share": REPLAY_SHARE,
        },
        "gate": {"answers": _GATE_ANSWERS, "answer_tokens": _GATE_TOKENS},
    }
