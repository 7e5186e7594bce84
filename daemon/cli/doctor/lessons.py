"""Checks that what users send teaches something."""

from daemon.cli.doctor.check import Check, failed, passed
from daemon.config.settings import Settings
from daemon.ledger.stores import Stores
from daemon.training.new_lessons import count_new_lessons

_SUBJECT = "lessons"


def check_lessons(stores: Stores, settings: Settings) -> Check:
    """Check that some of the answers since the last training can be learned; fails only where enough came to tell."""
    since = stores.runs.learned_until() + 1
    found = count_new_lessons(stores.conversations, settings, since=since)
    if found.problem is not None:
        return failed(_SUBJECT, found.problem, found.remedy)
    besides = f"; not learned: {found.besides_words}" if found.besides_words else ""
    wanted = settings.policy.min_new_lessons
    return passed(_SUBJECT, f"{found.count:,} new ones; a training needs {wanted:,}{besides}")
