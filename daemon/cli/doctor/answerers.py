"""Checks whom the stream names as answering: by these names own answers are told from those that are imitated."""

import re
from collections import Counter
from collections.abc import Iterable

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.lesson_rules import lesson_rules
from daemon.config.settings import Settings
from daemon.domain.lessons import LessonRules
from daemon.ledger.answerers import newest_answerers
from daemon.ledger.stores import Stores

_SUBJECT = "answers"
_NEWEST = 1_000
_SHOWN = 3  # names
#: Names that servers and clients give to any model.
_ANY_MODEL = frozenset({"assistant", "ai", "bot", "chatbot", "model", "llm", "default"})


def check_answerers(stores: Stores, settings: Settings) -> Check:
    """Check that no name by which the stream may call the model is taken as another model's."""
    found, rules = newest_answerers(stores.engine, _NEWEST), lesson_rules(settings)
    total = found.total()
    if not total:
        return passed(_SUBJECT, "the ledger has no conversation yet")
    others = Counter({name: count for name, count in found.items() if name and not rules.owns(name)})
    for name, count in others.most_common():
        if _may_be_the_model(name, rules):
            return failed(
                _SUBJECT,
                f"answers by {name!r}, {count:,} of the newest {total:,}, are taken as another model's and imitated",
                "name it in lessons.own_names if it is the model, else in lessons.people",
            )
    own = sum(count for name, count in found.items() if rules.owns(name))
    text = f"of the newest {total:,} conversations the model answered {own:,}"
    if others:
        text += f", others {others.total():,}, which are imitated: {_shown(others)}"
    if found[None]:
        text += f"; {found[None]:,} name nobody: {_unnamed(rules)} (lessons.unnamed)"
    return passed(_SUBJECT, text)


def _may_be_the_model(name: str, rules: LessonRules) -> bool:
    """Return whether a name differs from one of the model's in its spelling only, or is one that any model may have."""
    if rules.is_person(name):
        return False
    return _plain(name) in _ANY_MODEL | _plain_names((rules.model_line, *rules.own_names))


def _plain_names(names: Iterable[str]) -> frozenset[str]:
    return frozenset(map(_plain, names))


def _plain(name: str) -> str:
    """Return a name without provider, tag, version number, case and punctuation."""
    last = name.rsplit("/", 1)[-1].split(":", 1)[0].casefold()
    return re.sub(r"[\W_]", "", re.sub(r"[-_.]v?[0-9]+$", "", last))


def _shown(names: Counter[str]) -> str:
    shown = ", ".join(f"{name!r} {count:,}" for name, count in names.most_common(_SHOWN))
    left = len(names) - _SHOWN
    return f"{shown} and {left} more names" if left > 0 else shown


def _unnamed(rules: LessonRules) -> str:
    return "the model's" if rules.unnamed_is_own else "imitated, as a person's or another model's"
