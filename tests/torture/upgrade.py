"""Makes what a release leaves behind for its successors: stores as it writes them, and samples.

Run as a program, it writes `tests/data/upgrade/{release}`. Do that once for each release that
changes the schema or the catalogue, and leave the older folders as they are.
"""

import gzip
import json
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psycopg
from clusters import FAST, cluster
from targets import DATA

from dixa_state import ConversationTracker, Delivery, open_tracker
from dixa_state.bootstrap import open_views
from dixa_state.dixa.signature import sign
from dixa_state.projection.projector import Projector
from dixa_state.sql.statements import schema, views_indexes, views_tables

UPGRADE = DATA / "upgrade"
SUBSCRIPTION = "4b6f1f0e-6a51-4f0c-9a3e-0d6a4f4b7c10"

_BEGIN = datetime(2026, 3, 2, 12, tzinfo=UTC)
_SECRET = bytes.fromhex("00112233445566778899aabbccddeeff")
_TABLES = {
    "stored_events": "notification_id",
    "deduplication": "notification_id",
    "quarantine": "id",
    "head": "position",
}


def digests() -> dict[str, str]:
    """Give a digest of each part of the schema, whatever its comments and blanks."""
    parts = {
        "SQLite": schema("sqlite"),
        "PostgreSQL": schema("postgres"),
        "views on SQLite": views_tables("sqlite", "v1_"),
        "views on PostgreSQL": views_tables("postgres", "v1_"),
        "indexes of the views": views_indexes("v1_"),
    }
    return {name: sha256(_plain(sql).encode()).hexdigest()[:16] for name, sql in parts.items()}


def _plain(sql: str) -> str:
    lines = (line.partition("--")[0] for line in sql.splitlines())
    return " ".join(" ".join(lines).split())


def fill(tracker: ConversationTracker) -> None:
    """Deliver the example day signed, a duplicate, and what ends in quarantine."""
    lines = (DATA / "day.jsonl").read_bytes().splitlines()
    odd = [lines[0], b"nonsense", lines[1].replace(b"70431", b"70499"), b'{"event_id":"x"}']
    for number, body in enumerate([*lines, *odd]):
        at = _BEGIN + timedelta(seconds=number)
        signature = sign(body, _SECRET, t=int(at.timestamp() * 1_000))
        tracker.append_many([Delivery(body, at, SUBSCRIPTION, signature)])


def sqlite_store() -> bytes:
    """Give a SQLite store with its views, as a file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store"
        with open_tracker(f"sqlite:///{path}") as tracker:
            fill(tracker)
            assert Projector(tracker, open_views(tracker.event_recorder)).catch_up()
        assert [found.name for found in Path(folder).iterdir()] == ["store"]
        return path.read_bytes()


def postgres_dump() -> str:
    """Give a PostgreSQL store without views as statements, the schema among them."""
    with cluster(FAST) as server:
        with open_tracker(server.url()) as tracker:
            fill(tracker)
        with psycopg.connect(server.url()) as connection:
            rows = "\n".join(_inserts(connection))
    return f"{schema('postgres')}\nDELETE FROM head;\n{rows}\n"


def _inserts(connection: psycopg.Connection[Any]) -> Iterator[str]:
    for table, order in _TABLES.items():
        found = connection.execute(f"SELECT * FROM {table} ORDER BY {order}".encode())  # noqa: S608
        columns = ", ".join(column.name for column in found.description or ())
        for row in found:
            values = ", ".join(map(_literal, row))
            yield f"INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE VALUES ({values});"  # noqa: S608


def _literal(value: object) -> str:
    match value:
        case None:
            return "NULL"
        case bytes():
            return f"'\\x{value.hex()}'"
        case str():
            return "'" + value.replace("'", "''") + "'"
        case _:
            return str(value)


def samples() -> Iterator[dict[str, Any]]:
    """Give a stored event of every topic, with what it is read as."""
    unknown = {
        "event_id": "u",
        "event_fqn": "ROBOT_WOKE_UP",
        "event_timestamp": "2026-03-02T08:00:00Z",
    }
    bodies = [path.read_bytes() for path in sorted(DATA.glob("*.json")) if "." not in path.stem]
    bodies.append(json.dumps(unknown).encode())
    with open_tracker("memory:") as tracker:
        tracker.append_many([Delivery(body, _BEGIN, SUBSCRIPTION, "t=1,v1=0") for body in bodies])
        for stored in tracker.event_recorder.select_notifications(1, 1_000):
            event = tracker.read(stored)
            yield {
                "topic": stored.topic,
                "stream": str(stored.originator_id),
                "fact": type(event.fact).__name__,
                "event_id": event.event_id,
                "state": stored.state.decode(),
            }


def write(folder: Path) -> None:
    """Write all of it."""
    folder.mkdir(parents=True)
    lines = (json.dumps(sample, ensure_ascii=False) for sample in samples())
    (folder / "samples.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "store.sqlite.gz").write_bytes(gzip.compress(sqlite_store(), mtime=0))
    (folder / "store.postgres.sql.gz").write_bytes(gzip.compress(postgres_dump().encode(), mtime=0))
    (folder / "schema.json").write_text(json.dumps(digests(), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    target = UPGRADE / version("dixa-state")
    write(target)
    sys.stdout.write(f"{target}: commit it, and never change it again\n")
