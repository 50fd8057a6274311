"""The views of a store: one generation that readers see, and perhaps one that is being built.

A generation is a set of tables with a prefix of its own; plain SQL views without the prefix lead
readers to the live one. The row `projection` names it, with the position that it has reached, and
changes in the transaction that changes the rows.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Literal, NamedTuple, Protocol

from eventsourcing.persistence import IntegrityError, Tracking, TrackingRecorder

from dixa_state.errors import SchemaError
from dixa_state.views.sql import views_indexes, views_statements, views_tables
from dixa_state.views.tables import KEYS, TABLES, VIEW_VERSION, Row, group

Rows = list[tuple[Any, ...]]
Role = Literal["projector", "replay"]

LIVE, BUILDING, RETIRED = "views", "building", "retired"
UNMADE, MIXED = -1, -2


class Progress(NamedTuple):
    """Where the views are: their generation, the version of their rows, and their position.

    `grace` is that with which all rows were made, in microseconds; or `UNMADE` or `MIXED`.
    """

    generation: int
    view_version: int
    position: int
    grace: int = UNMADE

    def moved(self, position: int, grace: timedelta) -> "Progress":
        """Give where they are when rows up to a position have been made with a grace."""
        made = grace // timedelta(microseconds=1)
        return self._replace(
            position=position, grace=made if self.grace in (UNMADE, made) else MIXED
        )

    @property
    def prefix(self) -> str:
        """The prefix of the generation's tables."""
        return prefix(self.generation)


class Lead(Protocol):
    """A role that is held."""

    def keep(self) -> None:
        """Renew the hold where that is needed; raises `StoreUnavailableError` if it was lost."""


class Poison(NamedTuple):
    """An event that could not be folded, and why."""

    position: int
    stream: str
    topic: str
    error: str


class Connection(Protocol):
    """What both databases let a transaction do, in the one spelling of `views.sql`."""

    def run(self, sql: str, **parameters: Any) -> Rows:
        """Run one statement and give its rows; parameters are written `:name`."""

    def states(self, table: str, streams: Sequence[str]) -> Rows:
        """Give stream and state of the rows of these streams."""

    def script(self, sql: str) -> None:
        """Run several statements without parameters."""

    def load(self, table: str, row_type: type[Row], rows: Sequence[Row]) -> None:
        """Insert rows, as fast as the database takes them."""

    def unload(
        self, table: str, row_type: type[Row], key: Sequence[str], rows: Sequence[Row]
    ) -> None:
        """Delete the rows that have these keys."""


class Views(TrackingRecorder, ABC):
    """The read models of one store."""

    dialect: str

    @abstractmethod
    def transaction(self, *, write: bool = False) -> AbstractContextManager[Connection]:
        """Open a transaction; readers see one moment of the store throughout."""

    @abstractmethod
    def leading(self, role: Role, *, wait: bool = False) -> AbstractContextManager["Lead | None"]:
        """Be the only one in a role; without `wait`, give None if another has it."""

    @abstractmethod
    def changed(self, timeout: float) -> None:
        """Wait until the views may have moved on, at most `timeout` seconds."""

    @abstractmethod
    def close(self) -> None:
        """Give back what is not the event store's."""

    @abstractmethod
    def select(self, sql: str, **parameters: Any) -> Rows:
        """Run one statement that reads, in a transaction of its own."""

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

    def statement(self, name: str, generation: int = 0) -> str:
        """Give a statement, on the tables of a generation."""
        sql = views_statements()[name]
        locked = "FOR UPDATE" if self.dialect == "postgres" else ""
        return sql.replace("{v}", prefix(generation)).replace("{for_update}", locked)

    def progress(self, name: str = LIVE) -> Progress:
        """Tell where the views are.

        Raises `SchemaError` if they were made by another version of the views.
        """
        with self.transaction() as connection:
            return self.require_progress(connection, name)

    def require_progress(self, connection: Connection, name: str = LIVE) -> Progress:
        """Tell the same inside a transaction."""
        found = self.read_progress(connection, name)
        if found is None or found.view_version != VIEW_VERSION:
            raise SchemaError(
                f"views: expected version {VIEW_VERSION}, got {found and found.view_version}; "
                "`dixa-state replay` makes them anew from the stored events"
            )
        return found

    def read_progress(
        self, connection: Connection, name: str = LIVE, *, hold: bool = False
    ) -> Progress | None:
        """Read where a generation is, inside a transaction; `hold` keeps others from moving it."""
        statement = self.statement("progress_held" if hold else "progress")
        found = connection.run(statement, name=name)
        return Progress(*found[0]) if found else None

    def set_progress(self, connection: Connection, name: str, progress: Progress) -> None:
        """Enter a generation under a name, and beside it the grace of its rows."""
        entered = {"generation": progress.generation, "view_version": progress.view_version}
        for entry, number in ((name, progress.position), (_grace_of(name), progress.grace)):
            connection.run(self.statement("set_progress"), name=entry, position=number, **entered)

    def forget_progress(self, connection: Connection, name: str) -> None:
        """Drop the name of a generation."""
        for entry in (name, _grace_of(name)):
            connection.run(self.statement("forget_progress"), name=entry)

    def advance(self, connection: Connection, name: str, at: Progress, to: Progress) -> None:
        """Move a generation on."""
        if to.grace != at.grace:
            self.set_progress(connection, name, at._replace(grace=to.grace))
        connection.run(self.statement("advance"), name=name, position=to.position)

    def make_ready(self) -> None:
        """Make the first generation where there is none, once, however many open the store."""
        with self.transaction(write=True) as connection:
            if self.read_progress(connection) is not None:
                return
        with self.leading("replay", wait=True), self.transaction(write=True) as connection:
            if self.read_progress(connection) is None:
                self.create(connection, 1)
                self.show(connection, 1)
                self.set_progress(connection, LIVE, Progress(1, VIEW_VERSION, 0))

    def create(self, connection: Connection, generation: int, *, indexes: bool = True) -> None:
        """Make the tables of a generation."""
        connection.script(views_tables(self.dialect, prefix(generation)))
        if indexes:
            self.index(connection, generation)

    def index(self, connection: Connection, generation: int) -> None:
        """Make the indexes of a generation."""
        for index in self.indexes(generation):
            connection.run(index)

    def indexes(self, generation: int) -> list[str]:
        """Give the statements that make the indexes of a generation, one by one."""
        return [index for index in views_indexes(prefix(generation)).split(";") if index.strip()]

    def drop(self, connection: Connection, generation: int) -> None:
        """Drop what there is of a generation."""
        for table in [*TABLES, "poison"]:
            connection.run(f"DROP TABLE IF EXISTS {prefix(generation)}{table}")

    def show(self, connection: Connection, generation: int) -> None:
        """Lead readers to a generation."""
        for table in [*TABLES, "poison"]:
            connection.run(f"DROP VIEW IF EXISTS {table}")
            rows = f"SELECT * FROM {prefix(generation)}{table}"  # noqa: S608
            connection.run(f"CREATE VIEW {table} AS {rows}")

    def replace(
        self, connection: Connection, generation: int, gone: Iterable[Row], new: Iterable[Row]
    ) -> None:
        """Take rows away, by their keys, and insert others."""
        for table, some in group(gone).items():
            connection.unload(f"{prefix(generation)}{table}", TABLES[table], KEYS[table], some)
        for table, some in group(new).items():
            connection.load(f"{prefix(generation)}{table}", TABLES[table], some)

    def insert_tracking(self, tracking: Tracking) -> None:
        """Move the position on without rows, as the library understands it."""
        with self.transaction(write=True) as connection:
            found = self.read_progress(connection, hold=True)
            if found and found.position >= tracking.notification_id:
                raise IntegrityError(f"position {tracking.notification_id} was reached before")
            connection.run(self.statement("advance"), name=LIVE, position=tracking.notification_id)

    def max_tracking_id(self, application_name: str) -> int | None:
        """Give the position of the views, as the library understands it."""
        del application_name
        return self.progress().position or None


def _grace_of(name: str) -> str:
    return f"{name}.grace"


def prefix(generation: int) -> str:
    """Give the prefix of a generation's tables; readers go without, through the SQL views."""
    return f"v{generation}_" if generation else ""
