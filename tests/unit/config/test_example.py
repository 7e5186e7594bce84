from pathlib import Path

import yaml

from daemon.config.loader import dump
from daemon.config.settings import ModelSection, Settings

EXAMPLE = Path(__file__).parents[3] / "deploy" / "retuned.example.yaml"


def test_the_example_is_what_the_command_prints() -> None:
    """After a change of the settings: retuned config schema --yaml > deploy/retuned.example.yaml."""
    settings = Settings(model=ModelSection(base="/models/my-chat-model"))

    assert EXAMPLE.read_text(encoding="utf-8") == dump(settings, comments=True)
    assert Settings.model_validate(yaml.safe_load(EXAMPLE.read_text(encoding="utf-8"))) == settings
