"""Commands print on an earlier ledger what that release printed."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.compatibility.written import (
    COMMANDS,
    ROOT,
    WRITTEN,
)
from tests.factories.cli import typed


def without(document: Any, place: str) -> Any:
    """The document without the key at a place, dots between keys."""
    name, _, rest = place.partition(".")
    if rest:
        return document | {name: without(document[name], rest)}
    return {key: value for key, value in document.items() if key != name}


#: What a rollback means since: `why` says so.
NEW_SENTENCES = ("automatic promotion is held by the rollback of",)


#: What a command says otherwise since, by its name: alarms against another reference are about another change; trainings
#: wait for lessons, and the old name of the setting is read, not shown.
SAID_OTHERWISE = {"drift_show": ("raised",), "config_show": ("policy.min_new_conversations",)}


def known_keys(found: Any, expected: Any) -> Any:
    """What was found without the keys that are new since: a program that read the old ones goes on."""
    if isinstance(found, dict) and isinstance(expected, dict):
        return {key: known_keys(value, expected[key]) for key, value in found.items() if key in expected}
    if isinstance(found, list) and isinstance(expected, list):
        found = [value for value in found if not (isinstance(value, str) and value.startswith(NEW_SENTENCES))]
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        return [known_keys(value, known) for value, known in zip(found, expected, strict=True)]
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_prints_what_it_did(folder: Path, name: str) -> None:
    expected = json.loads((WRITTEN / "golden" / f"{name}.json").read_text("utf-8"))

    found = json.loads(
        typed("--config", str(folder / "retuned.yaml"), *COMMANDS[name]["words"]).stdout.replace(
            str(folder), ROOT
        )
    )

    if isinstance(expected, list):  # now under the command's name, as every command answers with an object
        found = found[name]
    for place in (*COMMANDS[name]["volatile"], *SAID_OTHERWISE.get(name, ())):
        found, expected = without(found, place), without(expected, place)
    found = known_keys(found, expected)
    assert json.dumps(found, indent=2, ensure_ascii=False) == json.dumps(
        expected, indent=2, ensure_ascii=False
    )


def test_a_change_against_a_reference_that_an_operator_set_is_no_longer_folded_into_the_one_before(
    folder: Path,
) -> None:
    expected = json.loads((WRITTEN / "golden" / "drift_show.json").read_text("utf-8"))["raised"]

    found = json.loads(typed("--config", str(folder / "retuned.yaml"), "drift", "show", "--json").stdout)[
        "raised"
    ]

    assert [(change["seq"], change["again"]) for change in expected] == [(239, 3), (105, 3)]
    assert [(change["seq"], change["again"]) for change in found] == [(289, 0), (239, 2), (105, 3)]
