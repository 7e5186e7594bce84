"""Checks at the start that the packages of this installation are retuned's own.

`daemon` and `registry` are common names: a distribution that installs a package of one of them into the same
environment overwrites files of retuned, and its own are overwritten in turn.
"""

import base64
import hashlib
from collections.abc import Iterator
from pathlib import Path

_OURS = "retuned"
_FILES = tuple(f"{package}/__init__.py" for package in ("daemon", "registry", "monitors", "learners"))


def overwritten(site: Path = Path(__file__).parents[2]) -> str | None:
    """Return what is wrong and the command that repairs it; None where all is as it was installed.

    ``site`` is the folder that the packages are in. Where no distribution is recorded beside them, as in a checkout,
    there is nothing to compare with. Every command calls this, so it reads one file and no index of packages.
    """
    for record in site.glob(f"{_OURS}-*.dist-info/RECORD"):
        altered = [name for name, digest in _digests(record) if _digest(site / name) != digest]
        if altered:
            return _message(site / altered[0], _others_with(altered, site))
    return None


def _message(file: Path, culprits: list[str]) -> str:
    repair = "pip install --force-reinstall --no-deps retuned"
    if not culprits:
        return f"{file} is not as retuned installed it; run: {repair}"
    names = " and ".join(culprits)
    return (
        f"{file} is not retuned's: {names} installs a package of the same name and has overwritten it; "
        f"run: pip uninstall --yes {' '.join(culprits)} && {repair}; if you need {names}, give it an environment of its own"
    )


def _digests(record: Path) -> Iterator[tuple[str, str]]:
    """Yield the files that are looked at, with the digests that the installer recorded."""
    for line in record.read_text(encoding="utf-8").splitlines():
        name, _, rest = line.partition(",")
        if name in _FILES:
            yield name, rest.partition(",")[0]


def _digest(file: Path) -> str:
    """Return the digest of a file, written as in RECORD; "" where there is none."""
    try:
        content = file.read_bytes()
    except OSError:
        return ""
    return "sha256=" + base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()


def _others_with(names: list[str], site: Path) -> list[str]:
    """Return the other distributions that have installed a file of such a name."""
    from importlib.metadata import distributions  # slow to import

    return sorted(
        each.name
        for each in distributions(path=[str(site)])
        if each.name != _OURS and any(f"\n{name}," in f"\n{each.read_text('RECORD') or ''}" for name in names)
    )
