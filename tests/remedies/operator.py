"""An operator who types commands about a model line, and the remedies that were printed as they were printed."""

import re
import shlex
from dataclasses import dataclass

from tests.factories.cli import Typed, typed
from tests.factories.daemon import Line

#: What differs from message to message.
_ANYTHING = r"[^`]*?"


@dataclass(frozen=True, slots=True)
class Operator:
    """Types at a terminal, and says yes where that is asked."""

    line: Line

    def types(self, *words: str) -> Typed:
        """Type a command."""
        return typed("--config", str(self.line.config), *words, stdin="y\n")

    def reads(self, *words: str) -> str:
        """Type a command and return all that it prints, in one line."""
        answer = self.types(*words)
        return in_one_line(answer.stdout + answer.stderr)

    def status(self) -> str:
        """What `retuned status` prints."""
        return self.reads("status")

    def follows(self, printed: str, remedy: str, **given: str) -> Typed:
        """Run a remedy as it stands in what was printed; only words in capitals are replaced, by what is ``given``.

        ``remedy`` is the command as the source writes it, with {} for what differs. It must be printed and succeed.
        """
        answer = self.types(*printed_command(printed, remedy, **given))
        assert answer.exit_code == 0, answer.stderr
        return answer


def printed_command(printed: str, remedy: str, **given: str) -> list[str]:
    """The words of a remedy, without the first, as it was printed."""
    pattern = _ANYTHING.join(map(re.escape, remedy.split("{}")))
    found = re.search(f"`({pattern})`", in_one_line(printed))
    assert found is not None, f"`{remedy}` is not in: {printed}"
    words = shlex.split(found[1])
    given = {"REASON": "it has to be", **given}
    left = [word for word in words if word.isupper() and word not in given]
    assert left == [], f"{found[1]} leaves open what {left} is"
    return [given.get(word, word) for word in words[1:]]


def in_one_line(text: str) -> str:
    """The text without line breaks: a terminal wraps it."""
    return " ".join(text.split())
