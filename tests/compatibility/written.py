"""What commit 4a31a09 wrote: where it is, and what that commit said of it."""

import json
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from daemon.domain.records import NewConversation, StoredConversation
from daemon.domain.windows import SeqRange
from daemon.ledger.stores import Stores
from registry.names import VersionName
from registry.types import Actor
from tests.factories.ledger import TOPIC, a_conversation

WRITTEN = Path(__file__).parents[1] / "fixtures" / "written_by_4a31a09"


ROOT = "/srv/retuned"  # stands in the files where a test has its own folder


LINE = "support-bot"


V1, V2 = VersionName(LINE, 1), VersionName(LINE, 2)


ADA = Actor(kind="operator", name="ada")


LATER = datetime(2026, 12, 9, 12, 0, tzinfo=UTC)  # hours after the last record


#: Columns of the ledger in which paths stand.
PATHS = (("versions", "document"), ("runs", "request"), ("runs", "result"))


VALUES: Mapping[str, Any] = json.loads((WRITTEN / "golden" / "values.json").read_text("utf-8"))


COMMANDS: Mapping[str, Any] = json.loads((WRITTEN / "golden" / "commands.json").read_text("utf-8"))


def in_the_ledger(query: str) -> list[Any]:
    """The first column of what a query finds, in the ledger as it was written."""
    file = f"file:{WRITTEN / 'state' / 'ledger.db'}?mode=ro&immutable=1"
    with closing(sqlite3.connect(file, uri=True)) as connection:
        return [row[0] for row in connection.execute(query)]


RUNS = in_the_ledger("SELECT request FROM runs ORDER BY id")


STATES = in_the_ledger("SELECT state FROM detectors ORDER BY reference_id")


EXPLAINED = in_the_ledger("SELECT number FROM windows WHERE explanation != 'null' ORDER BY number")


def clock() -> datetime:
    return LATER


def new_conversations(stores: Stores, count: int) -> list[NewConversation]:
    """Conversations at the offsets that come next."""
    first = stores.intake.next_offsets()[TOPIC, 0]
    return [
        a_conversation(offset, name=f"new-{offset}", user=f"{offset:032x}", at=LATER)
        for offset in range(first, first + count)
    ]


def kept(stores: Stores) -> list[StoredConversation]:
    return stores.conversations.between(SeqRange(first=1, last=stores.conversations.last_seq()))
