"""The event store on SQLite: one file, durable to the disk at every commit."""

import json
import os
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Condition, Lock
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

from eventsourcing import persistence
from eventsourcing.persistence import Notification

from dixa_state.domain.timestamps import format_time
from dixa_state.errors import SchemaError, StoreError, StoreUnavailableError
from dixa_state.store import quarantine
from dixa_state.store.append import MAX_BATCH_EVENTS, Known, Rejected, Writer
from dixa_state.store.deadline import current_deadline
from dixa_state.store.pool import ReadPool
from dixa_state.store.quarantine import Resolution
from dixa_state.store.recorder import EventRecorder
from dixa_state.store.sql import require_schema_version, schema, statements

LOCK_TIMEOUT = 60
"""Seconds that a connection waits for another process's transaction to end."""

_SQL = statements("sqlite")
_POLL = 0.01
_LOCK_POLL = 0.001
_SCHEMA_RETRIES = 5
_CHECK_EVERY = 20_000
"""Instructions of SQLite, about a millisecond, between two looks at a query's deadline."""

_LOG_LIMIT = 64 << 20
"""Bytes that the log keeps once it has been checkpointed; a long reader may make it grow."""

_CHECKPOINT = 4_000
"""Pages in the log before a checkpoint; most are rewritten many times before it."""


class SqliteRecorder(EventRecorder):
    """The recorder on SQLite.

    Writers of this process wait for a lock of ours: for SQLite's own they would poll.
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        """Open the store in this file; with `create`, the first write makes it if it is missing.

        Raises `SchemaError` if there is no store of ours there, `StoreUnavailableError` if the
        file cannot be opened.
        """
        self._given, self._path = path, path.absolute()
        self._identity: tuple[int, int] | None = None
        if not create or path.exists():
            self._make_ready(create=create)
        self.committed = Condition()
        """Notified of each commit of this process."""
        self._read_pool = ReadPool(lambda: _connect(self._path), _is_free)
        self._write_pool = ReadPool(lambda: _connect_writer(self._path), _is_free)
        self._write_lock = Lock()
        self._watching: sqlite3.Connection | None = None
        self._watch_lock = Lock()

    def _make_ready(self, *, create: bool) -> None:
        """Create the schema on a connection of its own, where switching to WAL cannot race."""
        if create:
            _create_private(self._path)
        elif not self._path.exists():
            raise SchemaError(
                f"no store at {self._given}: `dixa-state ingest FILE "
                f"--store sqlite:///{self._given}` makes one, or name another with --store"
            )
        try:
            with closing(_connect(self._path)) as connection:
                if create and not connection.execute(_SQL["has_tables"]).fetchone()[0]:
                    _make_schema(connection)
                require_schema_version(connection.execute(_SQL["schema_version"]).fetchone())
                self._identity = _identity(self._path)
        except sqlite3.DatabaseError as error:
            raise _no_store(self._path, error) from error

    @contextmanager
    def write_connection(self) -> Iterator[sqlite3.Connection]:
        """Use the connection that writes, to a store that is made if there is none."""
        if not self._write_lock.acquire(timeout=LOCK_TIMEOUT):
            raise persistence.ConnectionUnavailableError("another transaction does not end")
        try:
            if self._identity is None:
                self._make_ready(create=True)
            self._require_same_file()
            with self._write_pool.connection() as connection:
                yield connection
        finally:
            self._write_lock.release()

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Open a transaction under SQLite's write lock."""
        with (
            translated(),
            self.write_connection() as connection,
            transaction(connection, "BEGIN IMMEDIATE") as cursor,
        ):
            require_schema_version(cursor.execute(_SQL["schema_version"]).fetchone())
            yield _SqliteWriter(cursor)
        self._require_same_file(log=True)  # before anything is acknowledged
        with self.committed:
            self.committed.notify_all()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Use a read connection until the deadline of the query, if it has one."""
        self._require_same_file()
        deadline = current_deadline()
        with self._read_pool.connection() as connection:
            if deadline.remaining() == inf:
                yield connection
                return
            connection.set_progress_handler(lambda: deadline.remaining() <= 0, _CHECK_EVERY)
            try:
                yield connection
            except sqlite3.OperationalError:
                deadline.check()
                raise
            finally:
                connection.set_progress_handler(None, 0)

    def _require_same_file(self, *, log: bool = False) -> None:
        """Raise unless the open file, with its write-ahead log, is still the one at its path.

        SQLite goes on writing to a file that has been moved or removed, and what it wrote is lost
        when the last connection closes. A look at a file costs 2 µs.
        """
        if self._identity is None:  # by now, another may have made it
            self._make_ready(create=False)
        try:
            same = self._identity == _identity(self._path)
        except OSError:
            same = False
        if not same or (log and not Path(f"{self._path}-wal").exists()):
            raise StoreUnavailableError(
                f"{self._path}: expected the SQLite file that was opened; it has been moved, "
                "removed or replaced: put it back, or restart"
            )

    def data_version(self) -> int:
        """Return a number that changes with each commit, of this process or another."""
        with self._watch_lock, translated():
            if self._watching is None:
                self._require_same_file()
                self._watching = _connect(self._path)
            version: int = self._watching.execute("PRAGMA data_version").fetchone()[0]
            return version

    def known(self, keys: Sequence[bytes]) -> Mapping[bytes, Known]:
        with translated(), self.reading() as connection:
            return _known(connection.cursor(), keys)

    def check_integrity(self) -> Iterator[tuple[str, str, str]]:
        """Yield what is wrong with the file, its triggers and its maintenance row."""
        for (text,) in self._rows("integrity"):
            if text != "ok":
                yield "integrity", "ok", text
        with closing(sqlite3.connect(":memory:")) as model:
            model.executescript(schema("sqlite"))
            expected = dict(model.execute(_SQL["triggers"]).fetchall())
        found = dict(self._rows("triggers"))
        for name in sorted(expected.keys() | found.keys()):
            if expected.get(name) != found.get(name):
                got = str(found.get(name) or "none")
                yield f"trigger {name}", expected.get(name) or "none", got
        for (reason,) in self._rows("maintenance"):
            yield "maintenance", "no row outside of a transaction", str(reason)

    def resolve(self, ids: Sequence[int], resolution: Resolution, at: datetime) -> None:
        parameters = {"ids": self._listed(ids), "resolution": resolution, "at": format_time(at)}
        with translated(), self.write_connection() as connection:
            connection.execute(_SQL["resolve"], parameters)

    def close(self) -> None:
        self._read_pool.close()
        self._write_pool.close()
        with self._watch_lock:
            if self._watching is not None:
                self._watching.close()
                self._watching = None

    def _listed(self, values: Sequence[Any]) -> str:
        return json.dumps(list(values))

    def _rows(self, statement: str, **parameters: Any) -> list[tuple[Any, ...]]:
        with translated(), self.reading() as connection:
            return rows_of(connection, _SQL[statement], parameters)


class TemporaryRecorder(SqliteRecorder):
    """A store for tests and trials, in a file that goes when it is closed."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="dixa-state-")
        super().__init__(Path(self._folder.name) / "store.db")
        self._make_ready(create=True)

    def close(self) -> None:
        super().close()
        self._folder.cleanup()


class _SqliteWriter(Writer):
    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def look_up(
        self, keys: Sequence[bytes], streams: Sequence[str]
    ) -> tuple[dict[bytes, Known], dict[str, int]]:
        heads = self._cursor.execute(_SQL["heads"], {"streams": json.dumps(streams)})
        versions = {stream: version for stream, version in heads if version is not None}
        return _known(self._cursor, keys), versions

    def last_position(self) -> int:
        position: int = self._one("last_position")[0]
        return position

    def state_at(self, position: int) -> bytes | None:
        row = self._one("state_at", position=position)
        return bytes(row[0]) if row else None

    def insert(self, events: Sequence[Notification], known: Mapping[bytes, Known]) -> None:
        self._cursor.execute(_SQL["advance_head"], {"position": events[-1].id})
        rows = [(e.id, e.originator_id, e.originator_version, e.topic, e.state) for e in events]
        self._cursor.executemany(_SQL["insert_events"], rows)
        entries = [(key, *entry) for key, entry in known.items()]
        self._cursor.executemany(_SQL["insert_known_events"], entries)

    def quarantine(self, rejected: Rejected) -> int:
        row = quarantine.to_row(rejected)
        self._cursor.execute(_SQL["quarantine"], row)
        number: int = self._one("quarantine_id", digest=row["digest"])[0]
        return number

    def _one(self, name: str, **parameters: Any) -> Any:
        return self._cursor.execute(_SQL[name], parameters).fetchone()


def _known(cursor: sqlite3.Cursor, keys: Sequence[bytes]) -> dict[bytes, Known]:
    found: dict[bytes, Known] = {}
    for start in range(0, len(keys), MAX_BATCH_EVENTS):  # SQLite takes so many parameters
        some = keys[start : start + MAX_BATCH_EVENTS]
        sql = _SQL["known_events"].format(keys=", ".join("?" * len(some)))
        found |= {key: Known(*entry) for key, *entry in cursor.execute(sql, some)}
    return found


def rows_of(
    connection: sqlite3.Connection, sql: str, parameters: Mapping[str, Any]
) -> list[tuple[Any, ...]]:
    """Run a reading statement; again where a replay makes tables faster than SQLite can read them.

    SQLite itself prepares a statement fifty times, each time for the tables that there are then.
    """
    for _ in range(_SCHEMA_RETRIES):
        try:
            return connection.execute(sql, parameters).fetchall()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_SCHEMA:
                raise
            sleep(_POLL)
    return connection.execute(sql, parameters).fetchall()


@contextmanager
def transaction(connection: sqlite3.Connection, begin: str) -> Iterator[sqlite3.Cursor]:
    """Open a transaction by this statement; it commits unless an exception leaves it."""
    with closing(_begin(connection, begin)) as cursor:
        try:
            yield cursor
            cursor.execute("COMMIT")
        except BaseException:
            connection.rollback()
            raise


def _begin(connection: sqlite3.Connection, begin: str) -> sqlite3.Cursor:
    """Begin, as soon as another process lets go of the write lock.

    SQLite's own wait looks again after up to a tenth of a second; the transactions of the service
    and of its projector take milliseconds, and each would wait far longer than that for the other.
    """
    end = monotonic() + LOCK_TIMEOUT
    while True:
        try:
            return connection.execute(begin)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or monotonic() > end:
                raise
            sleep(_LOCK_POLL)


def _create_private(path: Path) -> None:
    """Create the file for its owner alone; SQLite gives its log the same permissions."""
    with suppress(OSError):  # there is one, or there cannot be: opening it says why
        os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))


def _identity(path: Path) -> tuple[int, int]:
    file = path.stat()
    return file.st_dev, file.st_ino


def _connect(path: Path) -> sqlite3.Connection:
    """Connect to a file that exists: a commit to one that SQLite made anew would be lost."""
    uri = f"file:{quote(str(path))}?mode=rw"
    return sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=LOCK_TIMEOUT, check_same_thread=False
    )


def _connect_writer(path: Path) -> sqlite3.Connection:
    """Connect so that a commit survives a loss of power."""
    connection = _connect(path)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT}")
    connection.execute(f"PRAGMA journal_size_limit={_LOG_LIMIT}")
    connection.execute("PRAGMA busy_timeout=0")  # `_begin` waits
    return connection


def _is_free(connection: sqlite3.Connection) -> bool:
    return not connection.in_transaction


def _make_schema(connection: sqlite3.Connection) -> None:
    _enter_wal(connection)
    connection.executescript(f"BEGIN IMMEDIATE;\n{schema('sqlite')}\nCOMMIT;")


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; retry, since SQLite's busy timeout does not cover a concurrent switch."""
    deadline = monotonic() + LOCK_TIMEOUT
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if monotonic() > deadline:
                raise
            sleep(_POLL)
        else:
            return


def _no_store(path: Path, error: sqlite3.DatabaseError) -> StoreError:
    if isinstance(error, sqlite3.OperationalError) and "no such table" not in str(error):
        return StoreUnavailableError(f"{path}: expected a SQLite store that can be opened: {error}")
    return SchemaError(f"{path}: expected a dixa_state store, got something else: {error}")


@contextmanager
def translated() -> Iterator[None]:
    """Translate the errors of the driver and of the library."""
    try:
        yield
    except (sqlite3.IntegrityError, persistence.IntegrityError) as error:
        raise persistence.IntegrityError(str(error)) from error
    except persistence.ConnectionPoolClosedError as error:
        raise StoreUnavailableError("the SQLite store cannot be used now: it is closed") from error
    except (sqlite3.Error, persistence.PersistenceError) as error:
        raise StoreUnavailableError(f"the SQLite store cannot be used now: {error}") from error
