"""The views on PostgreSQL, in the database of the event store."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from math import inf
from threading import Lock, local
from time import monotonic, sleep
from typing import Any, get_args, get_type_hints

import psycopg
from psycopg.rows import TupleRow

from dixa_state.errors import StoreUnavailableError
from dixa_state.store.deadline import Deadline, current_deadline
from dixa_state.store.postgres import PostgresRecorder, reconnecting, translated, unavailable
from dixa_state.store.sql import with_percent
from dixa_state.views.generations import Connection, Role, Rows, Views
from dixa_state.views.sql import state_column
from dixa_state.views.tables import KEYS, TABLES, BanRow, ConversationRow, Row

_LOCKS: dict[Role, int] = {"projector": 0x6C656164, "replay": 0x7265706C}
_POLL = 0.2
_CHECK_EVERY = 1.0
"""Seconds between two looks whether a lock is still held: no row depends on it."""

_FEW, _FEW_BYTES = 200, 256 << 10
"""Rows, and bytes of their states, up to which statements are sent one behind the other.

The server works on one while the next is written, which takes 60 % of the time of a COPY for each
table; from about 64 events on COPY takes less.
"""

_LOCK_TIMEOUT = 500
"""Milliseconds that a replay waits for a table, with all readers behind it."""

# A snapshot covers rows, not names: after a switch, `conversations` selects from tables that were
# filled after the snapshot. So a reader first locks out the switch, then takes its snapshot.
_READING = """
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
SET LOCAL statement_timeout = {timeout};
LOCK TABLE conversations IN ACCESS SHARE MODE
"""
_TYPES = {str: "text", int: "int8", float: "float8", bool: "bool", bytes: "bytea"}


class PostgresViews(Views):
    """The read models in PostgreSQL; one projector at a time by an advisory lock.

    The lock belongs to a connection of its own, so it is free the moment that its process dies.
    """

    dialect = "postgres"
    many_writers = True

    def __init__(self, recorder: PostgresRecorder) -> None:
        self._recorder = recorder
        self._listener: psycopg.Connection[TupleRow] | None = None
        self._listening = Lock()
        self._notifications = 0
        self._seen = local()
        self.make_ready()

    @contextmanager
    def transaction(self, *, write: bool = False) -> Iterator["_PostgresConnection"]:
        with translated(), (self._writing if write else self._reading)() as cursor:
            yield _PostgresConnection(cursor)

    @contextmanager
    def _writing(self) -> Iterator[psycopg.Cursor[TupleRow]]:
        with (
            self._recorder.write_connection(b"BEGIN") as (connection, _),
            connection.cursor() as cursor,
        ):
            yield cursor
            connection.execute("NOTIFY dixa_state_views; COMMIT")

    @contextmanager
    def _reading(self) -> Iterator[psycopg.Cursor[TupleRow]]:
        begin = _READING.format(timeout=_milliseconds(current_deadline())).encode()
        pool = self._recorder.read_pool
        with (
            reconnecting(pool, lambda connection: connection.execute(begin)) as (connection, _),
            connection.cursor(binary=True) as cursor,
        ):
            try:
                yield cursor
                connection.commit()  # after a rollback psycopg prepares all its statements anew
            finally:
                connection.rollback()  # what is left open

    def select(self, sql: str, **parameters: Any) -> Rows:
        """Run one reading statement, prepared, in one round trip."""

        def ask(connection: psycopg.Connection[TupleRow]) -> Rows:
            with connection.cursor(binary=True) as cursor:
                statement = with_percent(sql).encode()
                return cursor.execute(statement, parameters, prepare=True).fetchall()

        with translated(), reconnecting(self._recorder.read_pool, ask) as (_, rows):
            return rows

    def states(self, prefix: str, table: str, streams: Sequence[str]) -> Rows:
        state = state_column("postgres", prefix)
        sql = f"SELECT t.stream, {state} FROM {prefix}{table} AS t WHERE t.stream = ANY(%b)"  # noqa: S608
        try:
            return self._recorder.execute_with_kept_plan(sql.encode(), [list(streams)])
        except StoreUnavailableError as error:
            if isinstance(error.__cause__, psycopg.errors.UndefinedTable):
                return []
            raise

    @contextmanager
    def leading(self, role: Role, *, wait: bool = False) -> Iterator["_Lock | None"]:
        """Acquire the advisory lock of a role on a connection of its own; release it at the end."""
        with translated(), self._recorder.lock_pool.connection() as connection:
            lock = _Lock(connection, role)
            while not (taken := lock.take()) and wait:
                sleep(_POLL)
            try:
                yield lock if taken else None
            finally:
                if taken:
                    lock.release()

    def changed(self, timeout: float) -> None:
        """Wait until PostgreSQL notifies of new events or changed views.

        One thread listens at a time. It counts the notifications, so that a thread which was
        waiting for it returns at once if one came since its own last call.
        """
        until = monotonic() + timeout
        if not self._listening.acquire(timeout=timeout):
            return
        try:
            if getattr(self._seen, "count", None) == self._notifications:
                self._notifications += self._wait_for_notification(until - monotonic())
            self._seen.count = self._notifications
        except psycopg.Error as error:
            self._listener = None
            raise unavailable(error) from error
        finally:
            self._listening.release()

    def _wait_for_notification(self, timeout: float) -> bool:
        if self._listener is None or self._listener.closed:
            self._listener = self._recorder.connect()
            self._listener.execute("LISTEN dixa_state_views; LISTEN stored_events")
            return True  # something may have changed before LISTEN took effect
        return any(True for _ in self._listener.notifies(timeout=max(timeout, 0), stop_after=1))

    def limit_lock_waits(self, connection: Connection) -> None:
        connection.run(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}ms'")

    def close(self) -> None:
        if self._listener is not None:
            self._listener.close()


def _milliseconds(deadline: Deadline) -> int:
    """Return what remains of a deadline; 0 is no limit to PostgreSQL."""
    remaining = deadline.remaining()
    return 0 if remaining == inf else max(1, round(remaining * 1_000))


class _Lock:
    def __init__(self, connection: psycopg.Connection[TupleRow], role: Role) -> None:
        self._connection, self._role = connection, role
        self._checked = monotonic()

    def take(self) -> bool:
        key = _LOCKS[self._role]
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", [key]).fetchone()
        return bool(row and row[0])

    def release(self) -> None:
        """Unlock, or close the connection, which the server notices a moment later."""
        try:
            self._connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCKS[self._role]])
        except psycopg.Error:
            self._connection.close()

    def keep(self) -> None:
        if monotonic() - self._checked < _CHECK_EVERY:
            return
        self._checked = monotonic()
        try:
            self._connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise StoreUnavailableError(f"the {self._role} has lost its connection") from error


class _PostgresConnection:
    def __init__(self, cursor: psycopg.Cursor[TupleRow]) -> None:
        self._cursor = cursor

    def run(self, sql: str, **parameters: Any) -> Rows:
        self._cursor.execute(with_percent(sql).encode(), parameters)
        return self._cursor.fetchall() if self._cursor.description else []

    def delete(self, prefix: str, table: str, rows: Sequence[Row]) -> None:
        key, types = KEYS[table], _COLUMN_TYPES[table]
        listed = ", ".join(f"%b::{types[column]}[]" for column in key)
        same = " AND ".join(f"{prefix}{table}.{column} = old.{column}" for column in key)
        self._cursor.execute(
            f"DELETE FROM {prefix}{table} USING unnest({listed}) AS old ({', '.join(key)}) "  # noqa: S608
            f"WHERE {same}".encode(),
            [[getattr(row, column) for row in rows] for column in key],
        )

    def pipelined(self, rows: Sequence[Row]) -> AbstractContextManager[object]:
        size = sum(len(row.state) for row in rows if isinstance(row, ConversationRow | BanRow))
        is_few = len(rows) <= _FEW and size <= _FEW_BYTES
        return self._cursor.connection.pipeline() if is_few else nullcontext()

    def insert(self, prefix: str, table: str, rows: Sequence[Row]) -> None:
        types = _COLUMN_TYPES[table]
        into = f"{prefix}{table} ({', '.join(types)})"
        if self._cursor.connection.info.pipeline_status:  # there is no COPY in a pipeline
            values = ", ".join(f"%b::{name}" for name in types.values())
            insert = f"INSERT INTO {into} VALUES ({values})"  # noqa: S608
            self._cursor.executemany(insert.encode(), rows)
            return
        copy = f"COPY {into} FROM STDIN (FORMAT BINARY)"
        with self._cursor.copy(copy.encode()) as target:
            target.set_types(list(types.values()))
            for row in rows:
                target.write_row(row)


def _column_types(row_type: type[Row]) -> dict[str, str]:
    hints = get_type_hints(row_type).items()
    return {name: _TYPES[next(iter(get_args(hint)), hint)] for name, hint in hints}


_COLUMN_TYPES = {table: _column_types(row_type) for table, row_type in TABLES.items()}
