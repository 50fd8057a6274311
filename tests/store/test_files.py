"""What the store leaves on the disk, and how many connections it takes."""

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from dixa_state import open_tracker
from dixa_state.bootstrap import open_views
from dixa_state.store.postgres import PostgresRecorder


def test_a_new_sqlite_file_and_its_log_are_for_their_owner_alone(
    tmp_path: Path, day_lines: list[bytes]
) -> None:
    path = tmp_path / "store.db"
    with open_tracker(f"sqlite:///{path}") as tracker:
        tracker.append(day_lines[0])
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.iterdir()}
    assert set(modes) == {"store.db", "store.db-wal", "store.db-shm"}
    assert set(modes.values()) == {0o600}


def test_the_log_shrinks_again_when_a_long_reader_has_gone(
    tmp_path: Path, day_lines: list[bytes]
) -> None:
    path = tmp_path / "store.db"
    large = b'{"filler":"%s",' % (b"x" * 900_000)
    with open_tracker(f"sqlite:///{path}") as tracker:
        tracker.append(day_lines[0])
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM stored_events").fetchone()
            for number in range(110):
                event_id = b'"event_id":"more-%d-' % number
                line = day_lines[1].replace(b'"event_id":"', event_id)
                tracker.append(large + line[1:])
        grown = path.with_name("store.db-wal").stat().st_size
        for line in day_lines[2:6]:
            tracker.append(line)
        assert grown > 64 << 20
        assert path.with_name("store.db-wal").stat().st_size <= 64 << 20


def test_one_that_stands_by_opens_no_connection_for_each_attempt(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []
    connect = PostgresRecorder.connect
    monkeypatch.setattr(PostgresRecorder, "connect", lambda self: opened.append(1) or connect(self))
    with open_tracker(postgres_url) as tracker, psycopg.connect(postgres_url) as other:
        views = open_views(tracker.event_recorder)
        other.execute("SELECT pg_advisory_lock(%s)", [0x6C656164])
        opened.clear()
        for _ in range(10):
            with views.leading("projector") as lead:
                assert lead is None
        assert len(opened) <= 1
        other.execute("SELECT pg_advisory_unlock(%s)", [0x6C656164])
        for _ in range(3):
            with views.leading("projector") as lead:
                assert lead is not None
        views.close()
