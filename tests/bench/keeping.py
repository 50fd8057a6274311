"""`ingest`: from a file's bytes to the commit. `disk`: what all of it takes."""

import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
from by_hand import read
from event_writers import open_writer
from measuring import Beside, Result, in_turns, timed
from stores import MakeStore
from traffic import received_webhooks, webhooks

from dixa_state import open_tracker
from dixa_state.files.ingest import ingest as ingest_files
from dixa_state.files.sources import Source

EVENTS = 20_000
A_COMMIT = 1_000


def ingest(store: str, make: MakeStore) -> Iterator[Result]:
    """Measure events a second: ours, and the same rows in the same tables written by hand."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "webhooks.jsonl"
        file.write_bytes(b"\n".join(one.replace(b"\n", b" ") for one in webhooks(EVENTS)))
        rates = in_turns(
            {"ours": lambda: _ingested(make(), file), "by hand": lambda: _by_hand(make(), file)}
        )
    beside = Beside(f"by hand, {A_COMMIT:,} a commit", rates["by hand"], at_least=0.8)
    yield Result("ingest", store, "events/s", rates["ours"], (beside,))


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
        assert ingest_files(tracker, [Source(str(file))]).counts["appended"] == EVENTS
    return EVENTS / seconds()


def _by_hand(url: str, file: Path) -> float:
    write = open_writer(url)
    with file.open("rb") as lines, timed() as seconds:
        events = [read(line) for line in lines]
        for at in range(0, EVENTS, A_COMMIT):
            write(events[at : at + A_COMMIT])
    return EVENTS / seconds()


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
