"""Writes the ``retuned.yaml`` of a demo."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import yaml

from daemon.config.loader import load
from daemon.config.settings import Settings
from daemon.demo.sizes import HOLDOUT_SHARE, Sizes

Plain: TypeAlias = "str | int | float | bool | list[str] | dict[str, Plain]"

CONFIG_FILE = "retuned.yaml"
_HEADER = """\
# Settings of a `retuned demo`. Settings not listed have their defaults; `retuned config show` shows all of them.
# Windows, reference and minimum are smaller than in production, the reference does not widen and trainings have no
# cooldown, so that the whole loop takes minutes.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """The files and addresses of one demo."""

    folder: Path
    bootstrap: str  # host:port of the broker, several joined with commas
    http_port: int
    base: Path  # the base model
    topic: str = "conversations"

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / CONFIG_FILE


def write_config(
    place: Place, sizes: Sizes, *, seed: int, sections: "Mapping[str, dict[str, Plain]] | None" = None
) -> Settings:
    """Write the settings file and the holdout key; return the settings. ``sections`` add to those of every demo."""
    key = place.folder / "holdout.key"
    key.write_text(f"not a secret, so that a second demo holds out the same conversations: {seed}\n")
    values = _values(place, sizes, key, seed)
    for name, section in (sections or {}).items():
        own = values.get(name)
        values[name] = {**own, **section} if isinstance(own, dict) else section
    body = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
    place.config.write_text(_HEADER + body, encoding="utf-8")
    return load(place.config, environ={})


def _values(place: Place, sizes: Sizes, key: Path, seed: int) -> dict[str, Plain]:
    return {
        "model_line": "demo",
        "state_dir": str(place.folder / "state"),
        "model": {"base": str(place.base)},
        "kafka": {
            "bootstrap_servers": [*place.bootstrap.split(",")],
            "topic": place.topic,
            "dead_letter_topic": f"{place.topic}.dead",
            "group_id": place.topic,
        },
        "http": {"port": place.http_port},
        "holdout": {"share": HOLDOUT_SHARE, "key_file": str(key)},
        "windows": {
            "size": sizes.window,
            "reference_size": sizes.reference,
            "reference_days": 0.0,
            "min_size": min(50, sizes.window),
        },
        "monitors": {"seed": seed},
        "policy": {"min_new_lessons": sizes.min_new, "cooldown_s": 0.0},
        "learning": {"max_tokens": 512, "seed": seed},
        "gate": {"max_conversations": 120},
    }
