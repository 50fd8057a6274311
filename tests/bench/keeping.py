"""`ingest`: from a file's bytes to the commit. `disk`: what all of it takes."""

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from measuring import Beside, Result, in_turns, timed
from plain import Kept, application
from stores import MakeStore
from traffic import received_webhooks, webhooks

from dixa_state import open_tracker
from dixa_state.files.ingest import ingest as ingest_files
from dixa_state.files.sources import Source
from dixa_state.store.events import encode_state

EVENTS = 20_000
A_COMMIT = 1_000
SAVED = 4_000
A_SAVE = 100

_COLUMNS = "position BIGINT PRIMARY KEY, stream TEXT, version BIGINT, topic TEXT, state BYTEA"


def ingest(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure events a second: ours, the bare rows, and saves of a hundred events."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "webhooks.jsonl"
        file.write_bytes(b"\n".join(webhooks(EVENTS)) + b"\n")
        rates = in_turns(
            {
                "ours": lambda: _ingested(make(), file),
                "rows": lambda: _rows_written(make()),
                "save": lambda: _saved(make()),
            }
        )
    floor = "COPY of the rows" if store == "postgres" else "INSERT of the rows"
    yield Result(
        "ingest",
        store,
        "events/s",
        rates["ours"],
        (
            Beside(f"{floor}, {A_COMMIT:,} a commit", rates["rows"], at_least=0.6),
            Beside(f"saves of {A_SAVE} events", rates["save"], at_least=5),
        ),
    )


def disk(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure the bytes that events take, beside the bytes of their bodies."""
    url = make()
    with open_tracker(url) as tracker:
        tracker.append_many(received_webhooks(EVENTS))
    taken = _size(url)
    bodies = sum(map(len, webhooks(EVENTS)))
    beside = Beside("the bodies", bodies / EVENTS, at_most=1.6)
    yield Result("disk", store, "bytes/event", taken / EVENTS, (beside,))


def _ingested(url: str, file: Path) -> float:
    with open_tracker(url) as tracker, timed() as seconds:
        assert ingest_files(tracker, [Source(str(file))]).appended == EVENTS
    return EVENTS / seconds()


def _rows_written(url: str) -> float:
    rows = [
        (number, "conversation/-/1", number, "conversation.created", encode_state(webhook))
        for number, webhook in enumerate(received_webhooks(EVENTS), start=1)
    ]
    parts = [rows[at : at + A_COMMIT] for at in range(0, EVENTS, A_COMMIT)]
    write = _inserted if url.startswith("sqlite") else _copied
    return EVENTS / write(url, parts)


Rows = list[list[tuple[int, str, int, str, bytes]]]


def _inserted(url: str, parts: Rows) -> float:
    connection = sqlite3.connect(urlsplit(url).path.removeprefix("/"), isolation_level=None)
    connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL")
    connection.execute(f"CREATE TABLE bare ({_COLUMNS})")
    with timed() as seconds:
        for part in parts:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO bare VALUES (?, ?, ?, ?, ?)", part)
            connection.execute("COMMIT")
    connection.close()
    return seconds()


def _copied(url: str, parts: Rows) -> float:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE bare ({_COLUMNS})".encode())
        with timed() as seconds:
            for part in parts:
                with (
                    connection.transaction(),
                    connection.cursor().copy("COPY bare FROM STDIN (FORMAT BINARY)") as copy,
                ):
                    copy.set_types(["int8", "text", "int8", "text", "bytea"])
                    for row in part:
                        copy.write_row(row)
    return seconds()


def _saved(url: str) -> float:
    texts = [body.decode() for body in webhooks(SAVED)]
    with application(url) as plain:
        with timed() as seconds:
            for at in range(0, SAVED, A_SAVE):
                first, *more = texts[at : at + A_SAVE]
                kept = Kept(first)
                for text in more:
                    kept.go_on(text)
                plain.save(kept)
        return SAVED / seconds()


def _size(url: str) -> int:
    if url.startswith("sqlite"):
        path = Path("/") / urlsplit(url).path.lstrip("/")
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return path.stat().st_size
    tables = ("stored_events", "deduplication", "head")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM")
        sizes = ", ".join(f"pg_total_relation_size('{table}')" for table in tables)
        row = connection.execute(f"SELECT {sizes}".encode()).fetchone()
    return sum(row or ())
