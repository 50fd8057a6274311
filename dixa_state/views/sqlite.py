"""The views on SQLite, in the file of the event store."""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from itertools import islice
from threading import local
from time import monotonic, sleep, time
from typing import Any
from uuid import uuid4

from dixa_state.errors import StoreUnavailableError
from dixa_state.store.sqlite import SqliteRecorder, rows_of, transaction, translated
from dixa_state.views.generations import Connection, Role, Rows, Views
from dixa_state.views.sql import state_column, views_tables
from dixa_state.views.tables import KEYS, TABLES, Row, group

LEASE = 5.0
"""Seconds after which the lease of a process that does not renew it is free."""

_POLL, _MAX_POLL = 0.01, 0.05
"""Seconds between two looks for a commit of another process, soon after the last one and later."""

_BATCH = 2_000


class SqliteViews(Views):
    """The read models in SQLite; one projector at a time by a lease."""

    dialect = "sqlite"

    def __init__(self, recorder: SqliteRecorder) -> None:
        self._recorder = recorder
        self._committed = recorder.committed
        self._seen = local()
        self.make_ready()

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator["_SqliteConnection"]:
        """Open a transaction; one that writes waits for the write lock."""
        opened = self._recorder.write_connection() if write else self._recorder.reading()
        with (
            translated(),
            opened as connection,
            transaction(connection, "BEGIN IMMEDIATE" if write else "BEGIN") as cursor,
        ):
            yield _SqliteConnection(cursor)
        if write:
            with self._committed:
                self._committed.notify_all()

    def select(self, sql: str, **parameters: Any) -> Rows:
        with translated(), self._recorder.reading() as connection:
            return rows_of(connection, sql, parameters)

    def states(self, prefix: str, table: str, streams: Sequence[str]) -> Rows:
        state = state_column("sqlite", prefix)
        sql = f"SELECT t.stream, {state} FROM {prefix}{table} AS t WHERE t.stream = :stream"  # noqa: S608
        with translated(), self._recorder.reading() as connection:
            try:
                return [row for one in streams for row in rows_of(connection, sql, {"stream": one})]
            except sqlite3.OperationalError as error:
                if "no such table" in str(error):
                    return []
                raise

    @contextmanager
    def leading(self, role: Role, *, wait: bool = False) -> Iterator["_Lease | None"]:
        """Acquire the lease of a role, and release it at the end."""
        lease = _Lease(self, role)
        while not (taken := lease.take()) and wait:
            sleep(_POLL)
        try:
            yield lease if taken else None
        finally:
            if taken:
                lease.drop()

    def changed(self, timeout: float) -> None:
        """Wait for a commit: one of this process notifies, for others' the file is looked at."""
        until, pause = monotonic() + timeout, _POLL
        while (version := self._recorder.data_version()) == getattr(self._seen, "version", None):
            if (remaining := until - monotonic()) <= 0:
                return
            with self._committed:
                self._committed.wait(min(remaining, pause))
            pause = min(pause * 1.2, _MAX_POLL)
        self._seen.version = version

    def close(self) -> None:
        """Do nothing: all connections belong to the event store."""


@contextmanager
def temporary_views(rows: Iterable[Row]) -> Iterator[Connection]:
    """Open a database of these rows; SQLite keeps it in memory, or in a file if it is large."""
    with closing(sqlite3.connect("", isolation_level=None)) as database:
        connection = _SqliteConnection(database.cursor())
        for statement in views_tables("sqlite", ""):
            connection.run(statement)
        connection.run("BEGIN")
        following = iter(rows)
        while some := list(islice(following, _BATCH)):
            for table, found in group(some).items():
                connection.insert("", table, found)
        connection.run("COMMIT")
        yield connection


class _Lease:
    def __init__(self, views: SqliteViews, role: Role) -> None:
        self._views, self._role, self._holder = views, role, uuid4().hex
        self._renewed = 0.0

    def take(self) -> bool:
        with self._views.transaction(write=True) as connection:
            now = int(time() * 1_000_000)  # under the write lock, which may have been waited for
            until = now + int(LEASE * 1_000_000)
            sql = self._views.statement("take_lease")
            given = {"role": self._role, "holder": self._holder, "now": now, "until": until}
            taken = connection.count(sql, **given)
        self._renewed = monotonic()
        return taken == 1

    def keep(self) -> None:
        if monotonic() - self._renewed > LEASE / 4 and not self.take():
            raise StoreUnavailableError(f"the {self._role} has lost its lease to another")

    def drop(self) -> None:
        with self._views.transaction(write=True) as connection:
            sql = self._views.statement("drop_lease")
            connection.run(sql, role=self._role, holder=self._holder)


class _SqliteConnection:
    def __init__(self, cursor: sqlite3.Cursor) -> None:
        self._cursor = cursor

    def run(self, sql: str, **parameters: Any) -> Rows:
        return self._cursor.execute(sql, parameters).fetchall()

    def count(self, sql: str, **parameters: Any) -> int:
        return self._cursor.execute(sql, parameters).rowcount

    def delete(self, prefix: str, table: str, rows: Sequence[Row]) -> None:
        key = KEYS[table]
        same = " AND ".join(f"{column} = ?" for column in key)
        keys = [tuple(getattr(row, column) for column in key) for row in rows]
        self._cursor.executemany(f"DELETE FROM {prefix}{table} WHERE {same}", keys)  # noqa: S608

    def pipelined(self, rows: Sequence[Row]) -> AbstractContextManager[object]:
        del rows
        return nullcontext()

    def insert(self, prefix: str, table: str, rows: Sequence[Row]) -> None:
        columns = TABLES[table]._fields
        places = ", ".join("?" * len(columns))
        sql = f"INSERT INTO {prefix}{table} ({', '.join(columns)}) VALUES ({places})"  # noqa: S608
        self._cursor.executemany(sql, rows)
