"""Writes a first settings file from five answers. Sizes follow from the traffic, and its comments say why."""

import math
from dataclasses import dataclass
from pathlib import Path

import yaml

from daemon.config.settings import Settings

#: The smallest windows in which a change shows, and the largest that still close soon.
_LEAST_WINDOW, _MOST_WINDOW = 50, 200
#: Below this, an hour brings fewer conversations than a window needs, and a tenth of the users are too few for the gate.
_LITTLE_TRAFFIC = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstAnswers:
    """What somebody who starts with retuned knows."""

    brokers: tuple[str, ...] = ("localhost:9092",)
    topic: str = "conversations"
    model: str = "HuggingFaceTB/SmolLM2-135M-Instruct"
    state_dir: Path = Path(".state")
    traffic: int = 2_400  # conversations a day, roughly


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstSizes:
    """Sizes that suit the traffic."""

    window: int
    reference: int
    min_new: int
    max_new: int
    gate: int
    holdout_share: float
    between_false_alarms: int
    loss_share: float


def choose_sizes(traffic: int) -> FirstSizes:
    """Choose sizes for so many conversations a day. At 2,400 a day they are nearly the defaults."""
    window = _clamp(_round(traffic / 24), _LEAST_WINDOW, _MOST_WINDOW)
    min_new = _clamp(_round(traffic / 8), 150, 2_000)
    return FirstSizes(
        window=window,
        reference=5 * window,
        min_new=min_new,
        max_new=_clamp(_round(2 * traffic), 1_500, 10_000),
        gate=200 if traffic < _LITTLE_TRAFFIC else 400,
        holdout_share=0.2 if traffic < _LITTLE_TRAFFIC else 0.1,
        between_false_alarms=_clamp(_round(8 * traffic), 5_000, 2_000_000),
        loss_share=0.05 if traffic <= 40_000 else float(f"{2_000 / traffic:.1g}"),
    )


def first_settings(answers: FirstAnswers) -> str:
    """Return the text of a settings file."""
    return _TEMPLATE.format(**_words(answers, choose_sizes(answers.traffic)))


def values_of(answers: FirstAnswers) -> dict[str, object]:
    """Return the settings that the answers give by themselves, to be validated."""
    return {
        "state_dir": answers.state_dir,
        "model": {"base": answers.model},
        "kafka": {
            "bootstrap_servers": list(answers.brokers),
            "topic": answers.topic,
            "dead_letter_topic": f"{answers.topic}.dead",
        },
    }


def check_answers(answers: FirstAnswers) -> None:
    """Raise pydantic's ValidationError for an answer that no settings file may have."""
    Settings.model_validate(values_of(answers))


def _words(answers: FirstAnswers, sizes: FirstSizes) -> dict[str, str]:
    traffic = answers.traffic
    return {
        "traffic": f"{traffic:,}",
        "state_dir": _scalar(str(answers.state_dir)),
        "model": _scalar(answers.model),
        "brokers": _scalar(list(answers.brokers)),
        "topic": _scalar(answers.topic),
        "dead": _scalar(f"{answers.topic}.dead"),
        "window": f"{sizes.window}",
        "window_fills": _duration(sizes.window / traffic),
        "min_size": f"{min(_LEAST_WINDOW, sizes.window)}",
        "reference": f"{sizes.reference}",
        "reference_fills": _duration(sizes.reference / traffic),
        "min_new": f"{sizes.min_new}",
        "min_new_fills": _duration(sizes.min_new / traffic / (1 - sizes.holdout_share)),
        "max_new": f"{sizes.max_new}",
        "max_new_fills": _duration(sizes.max_new / traffic / (1 - sizes.holdout_share)),
        "gate": f"{sizes.gate}",
        "share": f"{sizes.holdout_share:g}",
        "held_out_a_day": f"{max(1, round(traffic * sizes.holdout_share)):,}",
        "false_alarms": f"{sizes.between_false_alarms}",
        "false_alarms_every": _duration(sizes.between_false_alarms / traffic),
        "loss_share": f"{sizes.loss_share:g}",
        "scored_a_day": f"{max(1, round(traffic * sizes.loss_share)):,}",
    }


def _clamp(value: int, least: int, most: int) -> int:
    return min(max(value, least), most)


def _round(value: float) -> int:
    """Round to two digits, which say how exact the answer was."""
    if value < 1:
        return 0
    unit = 10 ** max(0, math.floor(math.log10(value)) - 1)
    return int(round(value / unit) * unit)


def _duration(days: float) -> str:
    """Say a duration in the unit that suits it."""
    for unit, length in (("day", 1.0), ("hour", 1 / 24), ("minute", 1 / 1_440)):
        if days >= 1.5 * length or unit == "minute":
            count = max(1, round(days / length))
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    raise AssertionError(days)


def _scalar(value: str | list[str]) -> str:
    text: str = yaml.safe_dump(value, allow_unicode=True, default_flow_style=True, width=1_000)
    return text.removesuffix("\n").removesuffix("...").strip()


_TEMPLATE = """\
# Settings of retuned, written by `retuned init` for about {traffic} conversations a day.
# Settings that are not here have their defaults: `retuned config show --comments` explains all of them.

# Folder for the ledger, artifacts, keys and work files. Back it up: `retuned backup FILE`.
state_dir: {state_dir}

model:
  # A folder in the Hugging Face layout, or a hub name that is already in the local cache.
  base: {model}

kafka:
  bootstrap_servers: {brokers}
  topic: {topic}
  # Records that can't be used go here, each with the reason.
  dead_letter_topic: {dead}

windows:
  # About an hour's conversations, but at least 50, since fewer show no change, and at most 200, so that an alarm comes
  # soon. At this traffic a window fills in {window_fills}.
  size: {window}
  # Fewest conversations in a window that closes after an hour although it is not full.
  min_size: {min_size}
  # Five windows: what a window is compared with must be known better than the window. It fills in {reference_fills}; until
  # then nothing is judged.
  reference_size: {reference}

monitors:
  # Mean number of conversations between false alarms: at this traffic one in {false_alarms_every}. Larger: fewer false
  # alarms, later detection.
  conversations_between_false_alarms: {false_alarms}
  # Share of the conversations that are scored under the live version: about {scored_a_day} a day, so that a CPU keeps up.
  loss_share: {loss_share}

holdout:
  # Share of the users that is never trained on: about {held_out_a_day} conversations a day for triage and gate, which decide by
  # them alone. It can't be changed later.
  share: {share}

policy:
  # Fewest new lessons for a training: answers of people or other models, corrected and liked ones. If each conversation holds
  # one, they come in {min_new_fills}. With fewer than 150 most gates are inconclusive.
  min_new_lessons: {min_new}
  # Most new conversations with a lesson in a training: what comes in {max_new_fills}. It bounds how long a training takes.
  max_new_conversations: {max_new}

gate:
  # Most held-out conversations to score on each side, new and old. More make the gate surer and slower; at this traffic
  # {held_out_a_day} are held out a day.
  max_conversations: {gate}
"""
