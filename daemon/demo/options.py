"""The options of a demo."""

from dataclasses import dataclass
from pathlib import Path

from daemon.demo.errors import BadOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class DemoOptions:
    """The options of a demo; the defaults are those of ``make demo``.

    Raises BadOptions.
    """

    data: Path | None = None  # a conversation file; None: the demo's own two data sets
    regimes: str | None = None  # "a,b" of the file's domains, several joined with "+": "movies+music,flights"
    model: str | None = None  # a folder or a hub name; None: SmolLM2-135M-Instruct from its wheel
    bootstrap_servers: str | None = None  # host:port,... of a broker to use; None: the demo starts one
    workdir: Path | None = None  # folder for all files; None: a new temporary folder
    report: Path = Path("demo-report.json")
    seed: int = 0  # of the order of conversations, the holdout, the training, the choice of questions
    rate: float = 30.0  # conversations replayed a second
    max_chars: int = 1_000  # of a conversation; longer ones are left out, which bounds the demo's time
    timeout_s: float = 2_400.0  # for the whole demo
    cache: Path = Path(".cache")  # holds the converted model for the next demo

    def __post_init__(self) -> None:
        if (self.data is None) != (self.regimes is None):
            raise BadOptions("--data FILE and --regimes A,B belong together; give both or neither")
        if self.rate <= 0 or self.timeout_s <= 0:
            raise BadOptions("--rate and --timeout must be above 0")

    @property
    def domains(self) -> tuple[frozenset[str], frozenset[str]] | None:
        """The domains of the first and of the second regime; None: the demo's own data sets.

        Raises BadOptions.
        """
        return None if self.regimes is None else _domains(self.regimes)


def _domains(text: str) -> tuple[frozenset[str], frozenset[str]]:
    sides = [frozenset(name.strip() for name in side.split("+") if name.strip()) for side in text.split(",")]
    if len(sides) != 2 or not all(sides):
        raise BadOptions(
            f"--regimes {text!r} must name two regimes, such as movies,flights or movies+music,flights+buses"
        )
    first, second = sides
    if both := sorted(first & second):
        raise BadOptions(f"--regimes {text!r}: {', '.join(both)} is on both sides, so nothing would change")
    return first, second
