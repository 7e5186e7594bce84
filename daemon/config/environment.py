"""Reads settings from environment variables: RETUNED_SECTION__NAME is the setting section.name."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from daemon.config.document import Place
from daemon.config.settings import Settings

PREFIX = "RETUNED_"
DELIMITER = "__"
#: Names of the first release, and the names by the rule. Both are read; the name by the rule wins.
OLDER_NAMES: Mapping[str, str] = {
    "RETUNED_MODEL_BASE": "RETUNED_MODEL__BASE",
    "RETUNED_KAFKA_BOOTSTRAP_SERVERS": "RETUNED_KAFKA__BOOTSTRAP_SERVERS",
    "RETUNED_KAFKA_INSTANCE_ID": "RETUNED_KAFKA__INSTANCE_ID",
    "RETUNED_KAFKA_SASL_USERNAME": "RETUNED_KAFKA__SASL_USERNAME",
    "RETUNED_KAFKA_SASL_PASSWORD": "RETUNED_KAFKA__SASL_PASSWORD",
    "RETUNED_KAFKA_SASL_PASSWORD_FILE": "RETUNED_KAFKA__SASL_PASSWORD_FILE",
    "RETUNED_HOLDOUT_KEY_FILE": "RETUNED_HOLDOUT__KEY_FILE",
    "RETUNED_HTTP_HOST": "RETUNED_HTTP__HOST",
    "RETUNED_HTTP_PORT": "RETUNED_HTTP__PORT",
}
#: Variables of the prefix that are no settings: the file itself, the line that a command is about, what the tests read.
_NO_SETTINGS = re.compile(r"RETUNED_(CONFIG|LINE|TEST_\w+)")
#: Kubernetes puts these into every pod of a namespace that has a service whose name begins with "retuned".
_SERVICE_LINKS = re.compile(
    r"RETUNED_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


def read_environment(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[Place, str]]:
    """Return the settings that variables name, nested as in the file, and the variable that named each."""
    given = {name: value for name, value in environ.items() if _may_be_setting(name)}
    if not given:
        return {}, {}
    from daemon.config.environment_source import read_nested  # slow to load

    origins = {_place(OLDER_NAMES.get(name, name)): name for name in sorted(given, key=_older_first)}
    canonical = {OLDER_NAMES.get(name, name): given[name] for name in sorted(given, key=_older_first)}
    return read_nested(canonical, prefix=PREFIX, delimiter=DELIMITER), origins


def unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield the variables of the prefix that name nothing. A misspelt one would else be passed over in silence."""
    for name in sorted(environ):
        if not _may_be_setting(name) or name in OLDER_NAMES:
            continue
        if not _names_setting(_place(name)) and not _SERVICE_LINKS.fullmatch(name):
            yield name


def setting_variables(model: type[BaseModel] = Settings, section: Place = ()) -> list[str]:
    """Return the variables of all settings."""
    names: list[str] = []
    for name, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += setting_variables(kind, (*section, name))
        else:
            names.append(variable_of((*section, name)))
    return names


def variable_of(place: Place) -> str:
    """Return the variable that sets a setting."""
    return PREFIX + DELIMITER.join(place).upper()


def _may_be_setting(name: str) -> bool:
    return name.startswith(PREFIX) and not _NO_SETTINGS.fullmatch(name)


def _older_first(name: str) -> bool:
    return name not in OLDER_NAMES


def _place(name: str) -> Place:
    return tuple(name.removeprefix(PREFIX).lower().split(DELIMITER))


def _names_setting(place: Place) -> bool:
    model: Any = Settings
    for part in place:
        if not (isinstance(model, type) and issubclass(model, BaseModel)) or part not in model.model_fields:
            return False
        model = model.model_fields[part].annotation
    return True
