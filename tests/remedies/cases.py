"""Notes which remedies a test makes the state of, follows, and finds mended."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import TypeVar

from tests.remedies.collecting import Remedy

_Test = TypeVar("_Test", bound=Callable[..., object])
_covered: set[Remedy] = set()


def mends(text: str, *paths: str) -> Callable[[_Test], _Test]:
    """Declare that a test follows a remedy, as the source writes it, of the messages in these files."""
    _covered.update(Remedy(path, text) for path in paths)
    return lambda test: test


def covered() -> frozenset[Remedy]:
    """Every remedy that a test of this folder follows."""
    for name in _test_modules():
        import_module(name)
    return frozenset(_covered)


def _test_modules() -> Iterator[str]:
    for file in sorted(Path(__file__).parent.glob("test_*.py")):
        if file.stem != "test_collected":
            yield f"tests.remedies.{file.stem}"
