"""Shows what the live version and a candidate answered to the same questions, side by side."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from daemon.cli.render.formatting import printable
from daemon.cli.render.layout import cut, facts
from daemon.domain.answer_pairs import AnswerPair, worst_typical_best
from registry.names import VersionName

#: Most terminal cells of a text; Chinese characters take two.
_QUESTION, _ANSWER = 180, 240


def answer_pairs(
    pairs: Sequence[AnswerPair], *, live: VersionName | None, candidate: VersionName
) -> RenderableType:
    """Show three pairs, from the one in which the candidate compares worst to the best one."""
    shown = worst_typical_best(pairs)
    of_all = f": worst, typical and best of {len(pairs)} (--json for all)" if len(pairs) > len(shown) else ""
    title = f"answers to held-out questions{of_all}"
    heads = ("the live version" if live is None else f"live v{live.number}", f"v{candidate.number}")
    return Group(title, *(part for pair in shown for part in (Text(), _pair(pair, heads))))


def _pair(pair: AnswerPair, heads: tuple[str, str]) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, expand=True)
    for head in heads:
        table.add_column(head, ratio=1, overflow="fold")
    table.add_row(_shown(pair.live), _shown(pair.candidate))
    table.add_row(_judged(pair.live_failed, pair.live_f1), _judged(pair.candidate_failed, pair.candidate_f1))
    return Group(facts(_question(pair)), table)


def _question(pair: AnswerPair) -> Iterator[tuple[str, RenderableType]]:
    yield "question", Text(cut(_one_line(pair.question), _QUESTION))
    if pair.good is not None:
        yield "good answer", Text(cut(_one_line(pair.good), _ANSWER))


def _shown(answer: str) -> Text:
    text = cut(_one_line(answer), _ANSWER)
    return Text(text) if text else Text("(empty)", style="dim")


def _judged(failed: Sequence[str], f1: float | None) -> Text:
    """Return what the checks and the figure say of an answer."""
    parts = [] if f1 is None else [f"F1 {f1:.2f}"]
    if failed:
        parts.append(f"fails: {', '.join(map(printable, failed))}")
    return Text("; ".join(parts), style="red" if failed else "dim")


def _one_line(text: str) -> str:
    return printable(" ".join(text.split()))
