from pathlib import Path

import pytest
from sqlalchemy import text

from daemon.domain.errors import LedgerError
from daemon.ledger.database import connect


def test_an_error_of_the_ledger_does_not_quote_what_was_to_be_written(tmp_path: Path) -> None:
    engine = connect(f"sqlite:///{tmp_path / 'ledger.db'}")
    try:
        with engine.begin() as connection, pytest.raises(LedgerError) as failed:
            connection.execute(text("INSERT INTO nowhere VALUES (:said)"), {"said": "what a user said"})
    finally:
        engine.dispose()

    error: BaseException | None = failed.value
    while error is not None:
        assert "what a user said" not in str(error)
        error = error.__cause__ or error.__context__
