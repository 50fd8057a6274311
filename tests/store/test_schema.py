"""The schema: what it refuses, what it is made of, and that both dialects say the same."""

import json
import re
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dixa_state import SchemaError, StoreUnavailableError, open_tracker
from dixa_state.questions import Stats
from dixa_state.store.sql import schema, statements


@contextmanager
def connected(url: str) -> Iterator[Any]:
    """A plain connection to a store, as an administrator would open one."""
    if url.startswith("sqlite:///"):
        with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection:
            yield connection
    else:
        with psycopg.connect(url) as connection:
            yield connection


@pytest.fixture
def filled(store_url: str, day_lines: list[bytes]) -> str:
    with open_tracker(store_url) as tracker:
        for line in day_lines:
            tracker.append(line)
    return store_url


CHANGES = [
    "UPDATE stored_events SET topic = 'x' WHERE notification_id = 3",
    "UPDATE stored_events SET state = state",
    "DELETE FROM stored_events WHERE notification_id = 3",
    "DELETE FROM stored_events",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_stored_event_can_neither_be_updated_nor_deleted(filled: str, change: str) -> None:
    error = (sqlite3.IntegrityError, psycopg.IntegrityError)
    with (
        connected(filled) as connection,
        pytest.raises(error, match="stored events are immutable"),
    ):
        connection.execute(change)


@pytest.mark.parametrize("change", ["DELETE FROM", "UPDATE"])
def test_what_recognises_duplicates_can_neither_be_updated_nor_deleted(
    filled: str, change: str
) -> None:
    tail = " SET notification_id = 1" if change == "UPDATE" else ""
    error = (sqlite3.IntegrityError, psycopg.IntegrityError)
    with (
        connected(filled) as connection,
        pytest.raises(error, match="known events are immutable"),
    ):
        connection.execute(f"{change} deduplication{tail}")


def test_a_stored_event_cannot_be_replaced_on_sqlite(
    sqlite_url: str, day_lines: list[bytes]
) -> None:
    with open_tracker(sqlite_url) as tracker:
        tracker.append(day_lines[0])
    with (
        connected(sqlite_url) as connection,
        pytest.raises(sqlite3.IntegrityError, match="immutable"),
    ):
        connection.execute("INSERT OR REPLACE INTO stored_events VALUES (1, 's', 1, 't', x'7b7d')")


def test_stored_events_cannot_be_truncated_on_postgresql(postgres_url: str) -> None:
    with (
        connected(postgres_url) as connection,
        pytest.raises(psycopg.IntegrityError, match="immutable: TRUNCATE refused"),
    ):
        connection.execute("TRUNCATE stored_events")


@contextmanager
def maintained(url: str) -> Iterator[Any]:
    """A transaction that may change history."""
    if url.startswith("sqlite"):
        begin, end = "INSERT INTO maintenance VALUES ('erasure')", "DELETE FROM maintenance"
    else:
        begin, end = "SET LOCAL dixa_state.maintenance = 'on'", "SELECT 1"
    with connected(url) as connection:
        connection.execute(begin)
        yield connection
        connection.execute(end)
        connection.commit()


def test_maintenance_lets_one_transaction_change_history(filled: str) -> None:
    with maintained(filled) as connection:
        connection.execute(CHANGES[0])
    with (
        connected(filled) as connection,
        pytest.raises((sqlite3.IntegrityError, psycopg.IntegrityError)),
    ):
        connection.execute(CHANGES[0])


def test_the_position_of_an_erased_event_is_never_used_again(
    filled: str, day_lines: list[bytes]
) -> None:
    with maintained(filled) as connection:
        connection.execute("DELETE FROM stored_events WHERE notification_id = 45")
    newest = day_lines[-1]
    with open_tracker(filled) as tracker:
        again = tracker.append(newest)
        assert (again.kind, again.position) == ("duplicate", 45)
        assert tracker.append(b" " + newest).kind == "quarantined"
        other = newest.replace(b'"event_id":"', b'"event_id":"another-')
        assert tracker.append(other).position == 46


def test_plain_sql_can_read_the_bodies(filled: str) -> None:
    if filled.startswith("sqlite"):
        query = "SELECT CAST(state AS TEXT) ->> '$.body.event_fqn' FROM stored_events"
    else:
        query = "SELECT convert_from(state, 'UTF8')::json -> 'body' ->> 'event_fqn' "
        query += "FROM stored_events ORDER BY notification_id"
    with connected(filled) as connection:
        fqns = [row[0] for row in connection.execute(query)]
    assert fqns[:2] == ["CONVERSATION_CREATED", "CONVERSATION_MESSAGE_ADDED"]
    assert len(fqns) == 45


def test_both_dialects_have_the_same_statements() -> None:
    only_postgres = {"lock", "durable", "notify", "server_encoding", "may_append"}
    only_postgres |= {
        "look_up",
        "append_few",
        "append_function",
        "copy_events",
        "copy_known_events",
    }
    only_sqlite = {"heads", "insert_events", "insert_known_events", "integrity"}
    assert set(statements("postgres")) - only_postgres == set(statements("sqlite")) - only_sqlite


def test_every_statement_is_found_under_its_name() -> None:
    for dialect in ("sqlite", "postgres"):
        folder = Path(sys.modules["dixa_state.store.sql"].__path__[0])
        text = (folder / f"{dialect}.sql").read_text()
        assert len(statements(dialect)) == text.count(";\n")


def test_both_schemas_have_the_same_tables_and_columns() -> None:
    only_sqlite = ("maintenance", "lease")  # PostgreSQL has settings and locks for these
    shared = {name: columns for name, columns in _tables("sqlite") if name not in only_sqlite}
    assert shared == dict(_tables("postgres"))


def _tables(dialect: str) -> Iterator[tuple[str, list[str]]]:
    for match in re.finditer(
        r"CREATE TABLE IF NOT EXISTS (\w+) \((.*?)\n\)", schema(dialect), re.DOTALL
    ):
        yield match[1], re.findall(r"^    ([a-z_]+) ", match[2], re.MULTILINE)


def test_the_schema_may_be_applied_again_to_a_store_with_events(filled: str) -> None:
    with open_tracker(filled) as tracker:
        assert tracker.conversation(70431).version == 35


def test_two_processes_may_make_one_store_at_the_same_time(store_url: str) -> None:
    program = (
        "import sys; from dixa_state import open_tracker\n"
        "with open_tracker(sys.argv[1]) as tracker: print(tracker.append(sys.argv[2]).kind)"
    )
    body = json.dumps(
        {"event_id": "e", "event_fqn": "NEW", "event_timestamp": "2026-03-02T08:00:00Z"}
    )
    runs = [
        subprocess.Popen([sys.executable, "-c", program, store_url, body], stdout=subprocess.PIPE)
        for _ in range(3)
    ]
    told = sorted(run.communicate()[0].decode().strip() for run in runs)
    assert told == ["appended", "duplicate", "duplicate"]


def test_a_store_that_is_not_there_is_not_made_by_asking(
    tmp_path: Path, day_lines: list[bytes]
) -> None:
    path = tmp_path / "none.db"
    with pytest.raises(SchemaError, match=r"no store at .*none\.db: `dixa-state ingest"):
        open_tracker(f"sqlite:///{path}", create=False)
    with open_tracker(f"sqlite:///{path}") as tracker:
        with pytest.raises(SchemaError, match="no store at"):
            tracker.conversation(70431)
        with pytest.raises(SchemaError, match="no store at"):
            tracker.ask(Stats())
        assert not path.exists()
        with open_tracker(f"sqlite:///{path}") as other:
            other.append(day_lines[0])
        assert tracker.conversation(70431).status == "open"


def test_a_postgresql_database_without_our_schema_is_told_apart(postgres_server: str) -> None:
    with pytest.raises(SchemaError, match="no store in this database: `dixa-state schema --app"):
        open_tracker(postgres_server, create=False)


def test_a_file_that_is_no_database_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "notes.db").write_text("these are only notes, but long enough for a header" * 40)
    with pytest.raises(SchemaError, match="file is not a database"):
        open_tracker(f"sqlite:///{tmp_path}/notes.db")


def test_a_store_of_a_later_schema_is_refused(filled: str) -> None:
    with connected(filled) as connection:
        connection.execute("UPDATE dixa_state_schema SET version = 99")
        connection.commit()
    with pytest.raises(SchemaError, match="expected schema version 3, got 99"):
        open_tracker(filled)


def test_a_server_that_is_not_there_is_named_in_one_line() -> None:
    with pytest.raises(StoreUnavailableError) as caught:
        open_tracker("postgresql://nobody:secret@127.0.0.1:1/none")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_commit_on_sqlite_is_synced_to_the_disk(sqlite_url: str) -> None:
    with open_tracker(sqlite_url) as tracker:
        tracker.append(b"{}")
        with tracker.event_recorder.write_connection() as connection:  # type: ignore[attr-defined]
            found = connection.execute("SELECT * FROM pragma_synchronous, pragma_journal_mode")
            assert found.fetchone() == (2, "wal")


def test_a_store_may_be_closed_while_others_still_read_from_it(
    sqlite_url: str, day_lines: list[bytes]
) -> None:
    tracker = open_tracker(sqlite_url)
    tracker.append(day_lines[0])
    reading, told = threading.Event(), []

    def read() -> None:
        try:
            while True:
                tracker.event_recorder.select_notifications(1, 10)
                reading.set()
        except StoreUnavailableError as error:
            told.append(str(error))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    reading.wait(10)
    tracker.close()
    for reader in readers:
        reader.join(10)
    assert [text.rpartition(": ")[2] for text in told] == 4 * ["it is closed"]
