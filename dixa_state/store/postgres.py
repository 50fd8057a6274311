"""The event store on PostgreSQL: many processes may write, follow and read it at the same time."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from itertools import count
from math import inf
from typing import Any, TypeVar

import psycopg
from eventsourcing import persistence
from eventsourcing.persistence import Notification
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import TupleRow

from dixa_state.domain.timestamps import format_time, shorten
from dixa_state.errors import (
    LockTimeoutError,
    PermissionDeniedError,
    SchemaError,
    StoreUnavailableError,
)
from dixa_state.store import quarantine
from dixa_state.store.append import Accepted, Known, Outcome, Rejected, Writer
from dixa_state.store.deadline import current_deadline
from dixa_state.store.events import encode_state
from dixa_state.store.pool import ReadPool
from dixa_state.store.quarantine import Resolution
from dixa_state.store.recorder import EventRecorder
from dixa_state.store.sql import SCHEMA_VERSION, require_schema_version, schema, statements

T = TypeVar("T")

CONNECT_TIMEOUT = 5
"""Seconds to wait for a connection."""

LOCK_TIMEOUT = 60
"""Seconds that an append waits for the appends of others to end."""

STATEMENT_TIMEOUT = 15
"""Seconds that one statement of a query may take; a query as a whole has its `Deadline`."""

_SQL = statements("postgres")
_KEEPALIVE = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
"""Seconds, and milliseconds, until a silent server is noticed; system defaults take hours."""

_KEEP_PLANS = b"""
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off
"""
"""What writes finds rows by their keys: to plan each statement anew takes a fourth of the server's
time, and a plan that is kept must be right for tables that have grown since."""

_FEW = 16
_TYPES = {
    "events": ("int8", "text", "int8", "text", "bytea"),
    "known_events": ("bytea", "bytea", "int8"),
}
_TRIGGERS = re.findall(r"CREATE OR REPLACE TRIGGER (\w+)", schema("postgres"))
_SCHEMA_LOCK = 0x64697861  # "dixa": two programs must not make the schema at the same time


class PostgresRecorder(EventRecorder):
    """The recorder on PostgreSQL.

    Nothing of the library's own: its insert hangs in a pipeline on parameters beyond a megabyte on
    a Unix socket, and its database functions take no lock, so that a reader misses events.
    """

    def __init__(self, url: str, *, create: bool = True) -> None:
        """Open the store at this URL; with `create`, to append, making what is missing.

        Raises `SchemaError` if there is no store of ours there, `PermissionDeniedError` if the role
        may not do it, `StoreUnavailableError` if the server cannot be reached.
        """
        self._url = url
        self._make_ready(url, create=create)
        self._read_pool = ReadPool(self.connect, is_free)
        # A projector that stands by tries to lock again and again, on the same connection.
        self.lock_pool = ReadPool(self.connect, is_free)
        self._write_pool = ReadPool(self._connect_writer, is_free)
        # A limit that connections have costs no round trip for each statement.
        self._query_pool = ReadPool(self._connect_limited, is_free)

    def _make_ready(self, url: str, *, create: bool) -> None:
        """Create the schema on a plain connection, whose errors name the cause; a pool's do not."""
        try:
            with psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT) as connection:
                encoding = _value(connection, "server_encoding")
                if encoding != "UTF8":
                    raise SchemaError(f"expected a database in UTF8, got one in {encoding}")
                if create and not _value(connection, "has_tables"):
                    connection.execute("SELECT pg_advisory_xact_lock(%s)", [_SCHEMA_LOCK])
                    connection.execute(schema("postgres").encode())
                found = connection.execute(_SQL["schema_version"].encode()).fetchone()
                if create and not _value(connection, "may_append"):
                    raise PermissionDeniedError(
                        f"the role {connection.info.user} may read this store, not append to it; "
                        "`dixa-state schema --roles` shows the rights of each role"
                    )
        except psycopg.errors.UndefinedTable as error:
            raise SchemaError(
                "no store in this database: `dixa-state schema --apply` makes one"
            ) from error
        except psycopg.Error as error:
            raise unavailable(error) from error
        require_schema_version(found)

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Open a transaction under the lock of the row `head`, which does not block readers.

        Beginning and end take one round trip each: where few webhooks come, these are the time of
        an append.
        """
        with translated(), self.write_connection(_begin_append()) as (connection, began):
            # Read under the lock: an upgrade, which takes it too, shuts out programs of before.
            position, version = _position_and_version(began)
            require_schema_version(version)
            with connection.cursor(binary=True) as cursor:
                yield _PostgresWriter(cursor, position[0] if position else 0)
            connection.execute(_END_APPEND)

    def append_batch(self, batch: Sequence[Accepted | Rejected]) -> list[Outcome]:
        """Append a batch, a few in one round trip: most of their time is that of round trips.

        What of them must be compared or put in quarantine follows in a transaction of its own.
        """
        done = self._append_few(batch) if len(batch) <= _FEW else {}
        rest = [item for place, item in enumerate(batch) if place not in done]
        further = iter(super().append_batch(rest) if rest else ())
        return [done.get(place) or next(further) for place in range(len(batch))]

    def _append_few(self, batch: Sequence[Accepted | Rejected]) -> dict[int, Outcome]:
        """Append those that are new; return the outcomes by the places of these and of copies.

        It may run again, on a new connection: then what was new is known, and a duplicate.
        """
        given: dict[bytes, tuple[int, Accepted]] = {}
        for place, item in enumerate(batch):
            if isinstance(item, Accepted):
                given.setdefault(item.key, (place, item))
        rows = self._call_append([item for _, item in given.values()]) if given else []
        if not rows:
            return {}
        *found, (_, _, last) = rows
        known = {key: Known(digest, position) for key, digest, position in found}
        positions = count(last + 1)
        done: dict[int, Outcome] = {}
        for place, item in given.values():
            entry = known.get(item.key)
            if entry is None:
                done[place] = Outcome("appended", item.event_id, next(positions), topic=item.topic)
            elif entry.digest == item.digest:
                done[place] = Outcome("duplicate", item.event_id, entry.position, topic=item.topic)
        return done

    def _call_append(self, items: Sequence[Accepted]) -> list[TupleRow]:
        parameters = {
            "schema_version": SCHEMA_VERSION,
            "lock_timeout": f"{LOCK_TIMEOUT}s",
            "streams": [item.stream for item in items],
            "topics": [item.topic for item in items],
            "states": [encode_state(item.webhook) for item in items],
            "keys": [item.key for item in items],
            "digests": [item.digest for item in items],
        }
        return self.execute_with_kept_plan(_SQL["append_few"].encode(), parameters)

    def execute_with_kept_plan(
        self, sql: bytes, parameters: Mapping[str, Any] | Sequence[Any]
    ) -> list[TupleRow]:
        """Execute one statement that finds rows by their keys, as a transaction of its own."""

        def execute(connection: psycopg.Connection[TupleRow]) -> list[TupleRow]:
            with connection.cursor(binary=True) as cursor:
                return cursor.execute(sql, parameters, prepare=True).fetchall()

        with translated(), reconnecting(self._write_pool, execute) as (_, found):
            return found

    @contextmanager
    def write_connection(
        self, begin: bytes
    ) -> Iterator[tuple[psycopg.Connection[TupleRow], psycopg.Cursor[TupleRow]]]:
        """Use a connection whose transaction `begin` opens; roll back what is left open."""
        with reconnecting(self._write_pool, lambda one: one.execute(begin)) as (connection, began):
            try:
                yield connection, began
            finally:
                if not connection.closed:
                    connection.rollback()

    def known(self, keys: Sequence[bytes]) -> Mapping[bytes, Known]:
        rows = self._rows("known_events", keys=list(keys))
        return {key: Known(digest, position) for key, digest, position in rows}

    def check_integrity(self) -> Iterator[tuple[str, str, str]]:
        """Yield what is wrong with the triggers, and who may always change history."""
        _, body, _, appending, *_ = schema("postgres").split("$$")
        found = {name: (enabled, source) for name, enabled, source in self._rows("triggers")}
        for name in _TRIGGERS:
            enabled, source = found.pop(name, ("none", ""))
            if enabled not in ("O", "A"):
                yield f"trigger {name}", "enabled", "disabled" if enabled == "D" else str(enabled)
            elif source != body:
                yield f"trigger {name}", "the function of the schema", shorten(source)
        for name in found:
            yield f"trigger {name}", "none", "one that the schema does not have"
        for (source,) in self._rows("append_function"):
            if source != appending:
                expected = "the function of the schema"
                yield "function append_events", expected, shorten(source or "none")
        for role, setting in self._rows("maintenance"):
            yield "maintenance", "no setting outside of a transaction", f"{setting} for {role}"

    def resolve(self, ids: Sequence[int], resolution: Resolution, at: datetime) -> None:
        parameters = {"ids": list(ids), "resolution": resolution, "at": format_time(at)}
        with translated(), self.write_connection(b"BEGIN") as (connection, _):
            connection.execute(_SQL["resolve"].encode(), parameters)
            connection.execute("COMMIT")

    @property
    def read_pool(self) -> ReadPool[psycopg.Connection[TupleRow]]:
        """Return the pool of this thread: a query with a deadline has one with a limit."""
        limited = current_deadline().remaining() < inf
        return self._query_pool if limited else self._read_pool

    def _connect_limited(self) -> psycopg.Connection[TupleRow]:
        connection = self.connect()
        connection.execute(f"SET statement_timeout = '{STATEMENT_TIMEOUT}s'".encode())
        return connection

    def _connect_writer(self) -> psycopg.Connection[TupleRow]:
        connection = self.connect()
        connection.execute(_KEEP_PLANS)
        return connection

    def connect(self) -> psycopg.Connection[TupleRow]:
        """Open a connection of its own, outside the pool, in autocommit."""
        return psycopg.connect(
            **_parameters(self._url), autocommit=True, connect_timeout=CONNECT_TIMEOUT
        )

    def close(self) -> None:
        self.lock_pool.close()
        self._read_pool.close()
        self._query_pool.close()
        self._write_pool.close()

    def _listed(self, values: Sequence[Any]) -> list[Any]:
        return list(values)

    def _rows(self, statement: str, **parameters: Any) -> list[TupleRow]:
        def ask(connection: psycopg.Connection[TupleRow]) -> list[TupleRow]:
            with connection.cursor(binary=True) as cursor:
                return cursor.execute(_SQL[statement].encode(), parameters, prepare=True).fetchall()

        with translated(), reconnecting(self.read_pool, ask) as (_, rows):
            return rows


class _PostgresWriter(Writer):
    def __init__(self, cursor: psycopg.Cursor[TupleRow], position: int) -> None:
        self._cursor = cursor
        self._position = position

    def look_up(
        self, keys: Sequence[bytes], streams: Sequence[str]
    ) -> tuple[dict[bytes, Known], dict[str, int]]:
        known: dict[bytes, Known] = {}
        heads: dict[str, int] = {}
        if keys:
            found = self._all("look_up", keys=list(keys), streams=list(streams))
            for stream, key, digest, number in found:
                if stream is None:
                    known[key] = Known(digest, number)
                else:
                    heads[stream] = number
        return known, heads

    def last_position(self) -> int:
        return self._position

    def state_at(self, position: int) -> bytes | None:
        rows = self._all("state_at", position=position)
        return bytes(rows[0][0]) if rows else None

    def insert(self, events: Sequence[Notification], known: Mapping[bytes, Known]) -> None:
        self._execute("advance_head", position=events[-1].id)
        self._copy("events", map(_row, events))
        self._copy("known_events", ((key, *entry) for key, entry in known.items()))

    def _copy(self, what: str, rows: Iterable[tuple[Any, ...]]) -> None:
        with self._cursor.copy(_SQL[f"copy_{what}"].encode()) as copy:
            copy.set_types(_TYPES[what])
            for row in rows:
                copy.write_row(row)

    def quarantine(self, rejected: Rejected) -> int:
        row = quarantine.to_row(rejected)
        self._execute("quarantine", **row)
        number: int = self._all("quarantine_id", digest=row["digest"])[0][0]
        return number

    def _execute(self, name: str, **parameters: Any) -> None:
        self._cursor.execute(_SQL[name].encode(), parameters, prepare=True)

    def _all(self, name: str, **parameters: Any) -> list[TupleRow]:
        self._execute(name, **parameters)
        return self._cursor.fetchall()


def _begin_append() -> bytes:
    """Return the statements that begin an append, for one round trip.

    A lock on the table of events would conflict with VACUUM, ANALYZE and CREATE INDEX CONCURRENTLY,
    which may run for hours. The row of `head` must be read as it is after the wait for its lock, as
    READ COMMITTED does; REPEATABLE READ would fail instead.
    """
    return f"""
        BEGIN ISOLATION LEVEL READ COMMITTED;
        SET LOCAL lock_timeout = '{LOCK_TIMEOUT}s';
        {_SQL["lock"]}
        {_SQL["schema_version"]}
    """.encode()


_END_APPEND = f"{_SQL['durable']} {_SQL['notify']} COMMIT".encode()


def _position_and_version(
    cursor: psycopg.Cursor[TupleRow],
) -> tuple[TupleRow | None, TupleRow | None]:
    """Return the results of the statements that begin an append, as far as they have any."""
    while cursor.description is None:
        cursor.nextset()
    position = cursor.fetchone()
    cursor.nextset()
    return position, cursor.fetchone()


def _row(event: Notification) -> tuple[int, str, int, str, bytes]:
    stream = str(event.originator_id)
    return event.id, stream, event.originator_version, event.topic, event.state


@contextmanager
def reconnecting(
    pool: ReadPool[psycopg.Connection[TupleRow]],
    begin: Callable[[psycopg.Connection[TupleRow]], T],
) -> Iterator[tuple[psycopg.Connection[TupleRow], T]]:
    """Use a connection and the result of its first statement, `begin`.

    A connection that proves lost is replaced, and `begin` runs again: after a restart of the server
    all idle ones are.
    """
    with ExitStack() as stack:
        connection = stack.enter_context(pool.connection())
        try:
            found = begin(connection)
        except psycopg.OperationalError:
            if not connection.broken:
                raise
            pool.discard_idle()
            connection = stack.enter_context(pool.connection(new=True))
            found = begin(connection)
        yield connection, found


def is_free(connection: psycopg.Connection[TupleRow]) -> bool:
    """Return whether a connection works and is in no transaction."""
    return connection.info.transaction_status == TransactionStatus.IDLE


def _parameters(url: str) -> dict[str, Any]:
    return _KEEPALIVE | conninfo_to_dict(url)


def _value(connection: psycopg.Connection[TupleRow], name: str) -> Any:
    row = connection.execute(_SQL[name].encode()).fetchone()
    return row[0] if row else None


@contextmanager
def translated() -> Iterator[None]:
    """Translate the errors of the driver and of the library."""
    try:
        yield
    except (psycopg.IntegrityError, persistence.IntegrityError) as error:
        raise persistence.IntegrityError(str(error)) from error
    except (psycopg.Error, persistence.PersistenceError) as error:
        if isinstance(error, psycopg.errors.QueryCanceled):
            raise current_deadline().exceeded() from error
        if isinstance(error, psycopg.errors.LockNotAvailable):
            raise LockTimeoutError(_unavailable_because(error)) from error
        raise unavailable(error) from error


def unavailable(error: BaseException) -> StoreUnavailableError:
    """Return the error that says in one line why the store cannot be used."""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return PermissionDeniedError(
            f"the database role of this store's URL lacks a right: {error.diag.message_primary}; "
            "`dixa-state schema --roles` shows the rights of each role"
        )
    return StoreUnavailableError(_unavailable_because(error))


def _unavailable_because(error: BaseException) -> str:
    reason = " ".join(str(error).split())
    return f"the PostgreSQL store cannot be used now: {reason}"
