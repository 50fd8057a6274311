"""What may run beside appends on PostgreSQL, and which program may write at all."""

import sqlite3
from contextlib import closing
from threading import Thread
from typing import Any

import psycopg
import pytest

from dixa_state import SchemaError, StoreUnavailableError, open_tracker
from dixa_state.bootstrap import open_recorder
from dixa_state.store.sql import SCHEMA_VERSION
from dixa_state.store.sqlite import rows_of


@pytest.mark.parametrize("table", ["stored_events", "head", "deduplication"])
def test_an_append_does_not_wait_for_a_vacuum(
    postgres_url: str, day_lines: list[bytes], table: str
) -> None:
    """VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY hold this lock as long as they run."""
    with open_tracker(postgres_url) as tracker, psycopg.connect(postgres_url) as vacuum:
        vacuum.execute(f"LOCK TABLE {table} IN SHARE UPDATE EXCLUSIVE MODE".encode())
        outcomes: list[Any] = []
        thread = Thread(target=lambda: outcomes.append(tracker.append(day_lines[0])))
        thread.start()
        thread.join(5)
        vacuum.rollback()
        waited = thread.is_alive()
        thread.join()
    assert not waited
    assert outcomes[0].position == 1


def test_an_append_works_where_transactions_see_one_snapshot_by_default(
    postgres_url: str, day_lines: list[bytes]
) -> None:
    """Two that append at once must not fail to serialise, whatever the database's default."""
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        name = connection.info.dbname
        statement = f"ALTER DATABASE {name} SET default_transaction_isolation = 'repeatable read'"
        connection.execute(statement.encode())
    kinds: list[str] = []

    def append(lines: list[bytes]) -> None:
        with open_tracker(postgres_url) as tracker:
            kinds.extend(tracker.append(line).kind for line in lines)

    threads = [Thread(target=append, args=(day_lines[start::3],)) for start in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kinds == ["appended"] * 45


def test_a_program_of_another_schema_version_can_no_longer_append(
    store_url: str, day_lines: list[bytes]
) -> None:
    with open_tracker(store_url) as tracker:
        tracker.append(day_lines[0])
        upgrade = "UPDATE dixa_state_schema SET version = version + 1"
        if store_url.startswith("sqlite"):
            with closing(sqlite3.connect(store_url.removeprefix("sqlite:///"))) as connection:
                connection.execute(upgrade)
                connection.commit()
        else:
            with psycopg.connect(store_url) as connection:
                connection.execute(upgrade)
        with pytest.raises(SchemaError, match=f"expected schema version {SCHEMA_VERSION}, got"):
            tracker.append(day_lines[1])
    with pytest.raises(SchemaError, match=f"expected schema version {SCHEMA_VERSION}, got"):
        open_recorder(store_url)


def test_the_lock_that_does_not_end_is_an_error(
    postgres_url: str, day_lines: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dixa_state.store.postgres.LOCK_TIMEOUT", 1)
    with open_tracker(postgres_url) as tracker, psycopg.connect(postgres_url) as other:
        other.execute("SELECT position FROM head FOR UPDATE")
        with pytest.raises(StoreUnavailableError, match="lock timeout"):
            tracker.append(day_lines[0])


def test_a_statement_that_meets_new_tables_again_and_again_is_run_again() -> None:
    class Changing(sqlite3.Connection):
        left = 3

        def execute(self, *given: Any) -> sqlite3.Cursor:
            if self.left:
                self.left -= 1
                error = sqlite3.OperationalError("database schema has changed")
                error.sqlite_errorcode = sqlite3.SQLITE_SCHEMA
                raise error
            return super().execute(*given)

    with closing(sqlite3.connect(":memory:", factory=Changing)) as connection:
        assert rows_of(connection, "SELECT :n", {"n": 5}) == [(5,)]
        connection.left = 100
        with pytest.raises(sqlite3.OperationalError, match="has changed"):
            rows_of(connection, "SELECT :n", {"n": 5})
