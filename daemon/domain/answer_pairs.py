"""Answers of two versions to one prompt, as a person compares them."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class AnswerPair:
    """What the live version and a candidate answered to one prompt. Texts are redacted, as all that the ledger holds."""

    question: str  # the prompt's last question
    good: str | None  # a good answer that is known; None: there is none, as for prompts of our own
    live: str
    candidate: str
    live_failed: tuple[str, ...] = ()  # names of the checks that the answer failed
    candidate_failed: tuple[str, ...] = ()
    live_f1: float | None = None  # token F1 against the good answer, 0 to 1; None without one
    candidate_f1: float | None = None
