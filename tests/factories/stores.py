"""The stores of a line on a ledger that a test has made."""

from pathlib import Path

from sqlalchemy import Engine

from daemon.config.settings import ModelSection, Settings
from daemon.domain.holdout import Holdout
from daemon.ledger.stores import Stores, build_stores


def some_settings(folder: Path, **sections: object) -> Settings:
    """Settings with this folder for its state, and these sections."""
    values = {"model": ModelSection(base="base"), "model_line": "chat", "state_dir": folder, **sections}
    return Settings.model_validate(values)


def some_stores(engine: Engine, settings: Settings) -> Stores:
    """All stores on one ledger."""
    return build_stores(settings, engine, Holdout(b"0123456789abcdef", share=settings.holdout.share))
