"""The views of a store, in generations: the live one, and perhaps one that is being built.

A generation is a set of tables with a prefix of its own. SQL views without the prefix select from
the live one. A row of the table `projection` names each generation and the position that it has
reached, and changes in the transaction that changes the rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Literal, NamedTuple, Protocol

from eventsourcing.persistence import IntegrityError, Tracking, TrackingRecorder

from dixa_state.errors import SchemaError
from dixa_state.views import reporting
from dixa_state.views.sql import state_column, views_indexes, views_statements, views_tables
from dixa_state.views.tables import ALL_TABLES, VIEW_VERSION, Row, from_micros, group, micros

Rows = list[tuple[Any, ...]]
Role = Literal["projector", "replay"]

LIVE, BUILDING, RETIRED = "views", "building", "retired"
VERIFIED = "verified"
"""The row of `projection` that says when all was verified last, and how many differences it had."""

UNKNOWN_GRACE, MIXED_GRACE = -1, -2
"""Instead of a grace: there are no rows yet, or rows that were made with several graces."""


_NEVER = (0, VIEW_VERSION, None, None)


class Progress(NamedTuple):
    """A generation, the version of its rows, and the position that it has reached.

    `grace` is the one that all rows were made with, in microseconds, or `UNKNOWN_GRACE` or
    `MIXED_GRACE`.
    """

    generation: int
    view_version: int
    position: int
    grace: int = UNKNOWN_GRACE

    def advanced(self, position: int, grace: timedelta) -> "Progress":
        """Return the progress after rows up to a position have been made with a grace."""
        made = grace // timedelta(microseconds=1)
        return self._replace(
            position=position, grace=made if self.grace in (UNKNOWN_GRACE, made) else MIXED_GRACE
        )

    @property
    def prefix(self) -> str:
        """Return the prefix of the generation's tables."""
        return prefix(self.generation)


class Lead(Protocol):
    """A role held by this process: the projector's, or the replay's."""

    def keep(self) -> None:
        """Renew the role if needed; raise `StoreUnavailableError` if it was lost."""


class Connection(Protocol):
    """A transaction on either database, in the one SQL spelling of `views.sql`."""

    def run(self, sql: str, **parameters: Any) -> Rows:
        """Run one statement and return its rows; parameters are written `:name`."""

    def insert(self, prefix: str, table: str, rows: Sequence[Row]) -> None:
        """Insert rows in bulk into a table of the generation with this prefix."""

    def delete(self, prefix: str, table: str, rows: Sequence[Row]) -> None:
        """Delete the rows with the keys of these."""

    def pipelined(self, rows: Sequence[Row]) -> AbstractContextManager[object]:
        """Return a context whose statements wait for no answers until its end, if the rows are few.

        None of them may return rows.
        """


class Views(TrackingRecorder, ABC):
    """The read models of one store; `many_writers` where several processes can write at a time."""

    dialect: str
    many_writers = False

    @abstractmethod
    def transaction(self, *, write: bool = False) -> AbstractContextManager[Connection]:
        """Open a transaction; one that reads sees a single snapshot of the store."""

    @abstractmethod
    def leading(self, role: Role, *, wait: bool = False) -> AbstractContextManager["Lead | None"]:
        """Acquire a role that one process can hold; yield None if another has it, or `wait`."""

    @abstractmethod
    def changed(self, timeout: float) -> None:
        """Wait until events or views may have changed, at most `timeout` seconds."""

    def limit_lock_waits(self, connection: Connection) -> None:
        """Make the transaction raise `LockTimeoutError` soon instead of waiting for a table.

        Readers would queue behind it. SQLite's readers never wait, so there it does nothing.
        """

    @abstractmethod
    def close(self) -> None:
        """Close what does not belong to the event store."""

    @abstractmethod
    def select(self, sql: str, **parameters: Any) -> Rows:
        """Run one reading statement in a transaction of its own."""

    @abstractmethod
    def states(self, prefix: str, table: str, streams: Sequence[str]) -> Rows:
        """Return stream and whole state of these streams, from a table of a generation.

        There are none in one that has been dropped meanwhile.
        """

    def complete_states(self, csid: int, grace: timedelta) -> dict[str, bytes]:
        """Return the states of the conversations of a number, by stream.

        Empty unless the views have every stored event about the number, folded with this grace.
        """
        found = self.select(
            self.statement("complete_states"),
            csid=csid,
            view_version=VIEW_VERSION,
            grace=grace // timedelta(microseconds=1),
        )
        return {stream: bytes(state) for stream, state in found}

    def statement(self, name: str, generation: int = 0, *, hold: bool = False) -> str:
        """Return a statement of `views.sql` on a generation; `hold` locks what it reads."""
        return _statement(name, generation, lock=hold and self.many_writers)

    def progress(self, name: str = LIVE) -> Progress:
        """Return the progress of a generation.

        Raises `SchemaError` if they were made by another version of the views.
        """
        found = self.select(self.statement("progress"), name=name)
        return _required(Progress(*found[0]) if found else None)

    def require_progress(self, connection: Connection) -> Progress:
        """Return the progress of the live generation inside a transaction, as `progress` does."""
        return _required(self.read_progress(connection))

    def read_progress(
        self, connection: Connection, name: str = LIVE, *, hold: bool = False
    ) -> Progress | None:
        """Read the progress of a generation; `hold` locks it against other projectors."""
        found = connection.run(self.statement("progress", hold=hold), name=name)
        return Progress(*found[0]) if found else None

    def set_progress(self, connection: Connection, name: str, progress: Progress) -> None:
        """Write a generation under a name, and beside it the grace of its rows."""
        entered = {"generation": progress.generation, "view_version": progress.view_version}
        for entry, number in ((name, progress.position), (_grace_of(name), progress.grace)):
            connection.run(self.statement("set_progress"), name=entry, position=number, **entered)

    def delete_progress(self, connection: Connection, name: str) -> None:
        """Delete the name of a generation."""
        for entry in (name, _grace_of(name)):
            connection.run(self.statement("delete_progress"), name=entry)

    def advance(self, connection: Connection, name: str, at: Progress, to: Progress) -> None:
        """Write the new position of a generation."""
        if to.grace != at.grace:
            self.set_progress(connection, name, at._replace(grace=to.grace))
        connection.run(self.statement("advance"), name=name, position=to.position)

    def set_verified(self, at: datetime, findings: int) -> None:
        """Write when all was verified, and the number of differences found."""
        row = {"generation": findings, "view_version": VIEW_VERSION, "position": micros(at)}
        with self.transaction(write=True) as connection:
            connection.run(self.statement("set_progress"), name=VERIFIED, **row)

    def verified(self) -> tuple[datetime | None, int]:
        """Return when all was verified last, if ever, and the number of differences found."""
        [(findings, _, at, _)] = self.select(self.statement("progress"), name=VERIFIED) or [_NEVER]
        return from_micros(at), findings

    def make_ready(self) -> None:
        """Create the first generation, once, however many processes open the store."""
        with self.transaction(write=True) as connection:
            if self.read_progress(connection) is not None:
                return
        with self.leading("replay", wait=True), self.transaction(write=True) as connection:
            if self.read_progress(connection) is None:
                self.create(connection, 1)
                self.publish(connection, 1)
                self.set_progress(connection, LIVE, Progress(1, VIEW_VERSION, 0))

    def create(self, connection: Connection, generation: int, *, indexes: bool = True) -> None:
        """Create the tables of a generation."""
        tables = views_tables(self.dialect, prefix(generation))
        for statement in [*tables, *(self.indexes(generation) if indexes else ())]:
            connection.run(statement)

    def indexes(self, generation: int) -> list[str]:
        """Return the statements that create the indexes of a generation."""
        return [index for index in views_indexes(prefix(generation)).split(";") if index.strip()]

    def drop(self, connection: Connection, generation: int) -> None:
        """Drop the tables of a generation."""
        for table in ALL_TABLES:
            connection.run(f"DROP TABLE IF EXISTS {prefix(generation)}{table}")

    def publish(self, connection: Connection, generation: int) -> None:
        """Make the SQL views select from a generation, and those for analysts too."""
        live = self.read_progress(connection)
        if live and live.view_version != VIEW_VERSION:  # their columns may be others now
            for statement in reporting.drop_statements(self.dialect):
                connection.run(statement)
        state = f"{state_column(self.dialect, prefix(generation))} AS state"
        for table, row_type in ALL_TABLES.items():
            columns = (state if name == "state" else f"t.{name}" for name in row_type._fields)
            rows = f"SELECT {', '.join(columns)} FROM {prefix(generation)}{table} AS t"  # noqa: S608
            connection.run(f"DROP VIEW IF EXISTS {table}")
            connection.run(f"CREATE VIEW {table} AS {rows}")
        for statement in reporting.create_statements(self.dialect, prefix(generation)):
            connection.run(statement)

    def replace(
        self, connection: Connection, generation: int, old: Sequence[Row], new: Sequence[Row]
    ) -> None:
        """Delete rows by their keys, and insert others."""
        for table, some in group(old).items():
            connection.delete(prefix(generation), table, some)
        for table, some in group(new).items():
            connection.insert(prefix(generation), table, some)

    def insert_tracking(self, tracking: Tracking) -> None:
        """Advance the position without rows, as the library's contract has it."""
        with self.transaction(write=True) as connection:
            found = self.read_progress(connection, hold=True)
            if found and found.position >= tracking.notification_id:
                raise IntegrityError(f"position {tracking.notification_id} was reached before")
            connection.run(self.statement("advance"), name=LIVE, position=tracking.notification_id)

    def max_tracking_id(self, application_name: str) -> int | None:
        """Return the position of the views, as the library's contract has it."""
        del application_name
        return self.progress().position or None


@cache
def _statement(name: str, generation: int, *, lock: bool) -> str:
    sql = views_statements()[name].replace("{v}", prefix(generation))
    return sql.replace("{for_update}", " FOR UPDATE" if lock else "")


def _required(found: Progress | None) -> Progress:
    if found is None or found.view_version != VIEW_VERSION:
        raise SchemaError(
            f"views: expected version {VIEW_VERSION}, got {found and found.view_version}; "
            "`dixa-state replay` makes them anew from the stored events"
        )
    return found


def _grace_of(name: str) -> str:
    return f"{name}.grace"


def prefix(generation: int) -> str:
    """Return the prefix of a generation's tables; generation 0 names the SQL views."""
    return f"v{generation}_" if generation else ""
