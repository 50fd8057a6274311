"""The same rows into the same tables with the same uniqueness, written by hand."""

import sqlite3
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

import psycopg

from dixa_state import open_tracker

Event = tuple[bytes, bytes, str, str, bytes]
"""The key that recognises it, the digest of its body, its stream, its topic and its state."""

Write = Callable[[Sequence[Event]], None]


def open_writer(store: str) -> Write:
    """Make the tables; return what writes a batch of events in one durable transaction."""
    with open_tracker(store) as tracker, tracker.event_recorder.writing():
        pass
    return _sqlite(store) if store.startswith("sqlite") else _postgres(store)


def _sqlite(store: str) -> Write:
    connection = sqlite3.connect(
        urlsplit(store).path.removeprefix("/"), isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous=FULL")
    cursor = connection.cursor()

    def write(events: Sequence[Event]) -> None:
        cursor.execute("BEGIN IMMEDIATE")
        [position] = cursor.execute("SELECT position FROM head").fetchone()
        for key, digest, stream, topic, state in events:
            cursor.execute(
                "INSERT INTO deduplication VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (key, digest, position + 1),
            )
            if cursor.rowcount:
                position += 1
                cursor.execute(
                    "INSERT INTO stored_events "
                    "(notification_id, originator_id, originator_version, topic, state) "
                    "SELECT ?1, ?2, coalesce(max(originator_version), 0) + 1, ?3, ?4 "
                    "FROM stored_events WHERE originator_id = ?2",
                    (position, stream, topic, state),
                )
        cursor.execute("UPDATE head SET position = ?", (position,))
        cursor.execute("COMMIT")

    return write


_POSTGRES = """
WITH given AS (
    SELECT * FROM unnest(%b::bytea[], %b::bytea[], %b::text[], %b::text[], %b::bytea[])
    WITH ORDINALITY AS given (key, digest, stream, topic, state, number)
), placed AS (
    SELECT given.*, position + number AS position
    FROM given, head
), fresh AS (
    INSERT INTO deduplication SELECT key, digest, position FROM placed
    ON CONFLICT DO NOTHING RETURNING notification_id
), moved AS (
    UPDATE head SET position = position + (SELECT count(*) FROM given)
)
INSERT INTO stored_events
    (notification_id, originator_id, originator_version, topic, state)
SELECT position, stream, row_number() OVER (PARTITION BY stream ORDER BY position) + (
    SELECT coalesce(max(originator_version), 0) FROM stored_events WHERE originator_id = stream
), topic, state
FROM placed JOIN fresh ON notification_id = position
"""


def _postgres(store: str) -> Write:
    connection = psycopg.connect(store, autocommit=True)

    def write(events: Sequence[Event]) -> None:
        columns = [list(column) for column in zip(*events, strict=True)]
        with connection.transaction(), connection.cursor() as cursor:
            cursor.execute("SELECT FROM head FOR UPDATE")
            cursor.execute(_POSTGRES.encode(), columns, prepare=True)

    return write
