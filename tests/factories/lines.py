"""Several model lines in one settings file, each after its first start."""

from dataclasses import dataclass
from pathlib import Path

import yaml

from daemon.config.loader import load_lines
from daemon.config.settings import Settings
from daemon.domain.clock import utc_now
from daemon.ledger.stores import open_stores
from daemon.release.publish import publish_live
from daemon.release.register import register_base

NAMES = ("support-bot", "sales")


@dataclass(frozen=True, kw_only=True, slots=True)
class Lines:
    """A settings file and what it says of each line."""

    config: Path
    settings: dict[str, Settings]


def lines_file(folder: Path, **changes: object) -> Lines:
    """A settings file of two lines that nobody has started, whose addresses nobody answers at."""
    config = folder / "retuned.yaml"
    document: dict[str, object] = {
        "state_dir": str(folder / "state"),
        "model": {"base": str(folder / "model")},
        "kafka": {"bootstrap_servers": ["127.0.0.1:1"]},
        "http": {"port": 1},
        "lines": {name: {"kafka": {"topic": name}} for name in NAMES},
    }
    config.write_text(yaml.safe_dump(document | changes, sort_keys=False), encoding="utf-8")
    return Lines(config=config, settings=load_lines(config, {}))


def some_lines(folder: Path, **changes: object) -> Lines:
    """The same two lines after their first start: the base is live in each."""
    lines = lines_file(folder, **changes)
    for settings in lines.settings.values():
        begin(settings)
    return lines


def begin(settings: Settings) -> None:
    """Do what a line's first start does to its ledger."""
    stores = open_stores(settings)
    register_base(
        stores.versions,
        model_line=settings.model_line,
        base=settings.model.base,
        base_digest="b" * 64,
        clock=utc_now,
    )
    publish_live(stores, model_line=settings.model_line, clock=utc_now)
    stores.engine.dispose()
