"""The databases by their drivers alone: what the program's questions are held against."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import TupleRow

from dixa_state.views.sql import views_indexes
from dixa_state.views.tables import TABLES

_BEST = "(queue_id, status, last_event_at, stream)"


class Raw(ABC):
    """A connection that is used for one thing: to ask, as fast as the driver can."""

    @abstractmethod
    def rows(self, sql: str, *values: Any) -> list[Any]:
        """Ask; parameters are written `?`."""

    @abstractmethod
    def run(self, sql: str) -> None:
        """Change something."""

    @abstractmethod
    def changed(self, old: str, new: str) -> str:
        """Give the SQL of a state with another text in the place of one."""

    @abstractmethod
    def key(self, more: int) -> str:
        """Give the SQL of another key of an event."""

    @abstractmethod
    def refresh(self) -> None:
        """Have the database know its tables, as far as it does by itself in time."""

    @abstractmethod
    def read_known(self) -> None:
        """Read the memory of known events once, so that the system has it at hand."""

    @property
    def prefix(self) -> str:
        """The prefix of the tables that readers see."""
        [(generation,)] = self.rows("SELECT generation FROM projection WHERE name = 'views'")
        return f"v{generation}_"

    def index(self) -> None:
        """Make the index that is best for the list."""
        self.run(f"CREATE INDEX best ON {self.prefix}conversations {_BEST}")

    def drop_index(self) -> None:
        """Drop it again."""
        self.run("DROP INDEX best")

    def multiply(self, times: int) -> None:
        """Have everything so many times, each time with other numbers."""
        [(step,)] = self.rows("SELECT position FROM head")
        indexes = [one for one in views_indexes(self.prefix).split(";") if one.strip()]
        for index in indexes:
            self.run(f"DROP INDEX {index.split('CREATE INDEX ')[1].split()[0]}")
        tables: list[tuple[str, tuple[str, ...]]] = [
            (f"{self.prefix}{name}", kind._fields) for name, kind in TABLES.items()
        ]
        for table, columns in [*tables, *_STORED.items()]:
            self._copy(table, columns, times, step)
        for index in indexes:
            self.run(index)
        self.run(f"UPDATE head SET position = {times * step}")  # noqa: S608
        self.run(f"UPDATE projection SET position = {times * step} WHERE name = 'views'")  # noqa: S608

    def _copy(self, table: str, columns: tuple[str, ...], times: int, step: int) -> None:
        self.run(f"CREATE TEMPORARY TABLE original AS SELECT * FROM {table}")  # noqa: S608
        for number in range(1, times):
            made = ", ".join(self._other(column, columns, number * step) for column in columns)
            self.run(f"INSERT INTO {table} ({', '.join(columns)}) SELECT {made} FROM original")  # noqa: S608
        self.run("DROP TABLE original")

    def _other(self, column: str, columns: tuple[str, ...], more: int) -> str:
        stream = "originator_id" if "originator_id" in columns else "stream"
        bare = f"rtrim({stream}, '0123456789')"
        csid = f"CAST(substr({stream}, length({bare}) + 1) AS BIGINT)"
        match column:
            case "stream" | "originator_id":
                return f"{bare} || ({csid} + {more})"
            case "csid" | "notification_id" | "position":
                return f"{column} + {more}"
            case "state" if "csid" in columns or "topic" in columns:
                old, new = (f"'\"csid\":' || {one} || ','" for one in (csid, f"({csid} + {more})"))
                return self.changed(old, new)
            case "event_key":
                return self.key(more)
            case _:
                return column


_STORED = {
    "stored_events": ("notification_id", "originator_id", "originator_version", "topic", "state"),
    "deduplication": ("event_key", "body_digest", "notification_id"),
}


@contextmanager
def connect(url: str) -> Iterator[Raw]:
    """Open the store at a URL."""
    if url.startswith("sqlite"):
        path = urlsplit(url).path.removeprefix("/")
        with closing(sqlite3.connect(path, isolation_level=None)) as lite:
            yield _Lite(lite)
    else:
        with psycopg.connect(url, autocommit=True) as connection:
            yield _Postgres(connection)


class _Lite(Raw):
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, *values: Any) -> list[Any]:
        return self._connection.execute(sql, values).fetchall()

    def run(self, sql: str) -> None:
        self._connection.execute(sql)

    def changed(self, old: str, new: str) -> str:
        return f"CAST(replace(CAST(state AS TEXT), {old}, {new}) AS BLOB)"

    def key(self, more: int) -> str:
        return f"CAST(hex(event_key) || '{more}' AS BLOB)"

    def refresh(self) -> None:
        """Do nothing: SQLite keeps statistics on demand alone, and no store demands them."""

    def read_known(self) -> None:
        self.rows("SELECT count(event_key) FROM deduplication")


class _Postgres(Raw):
    def __init__(self, connection: psycopg.Connection[TupleRow]) -> None:
        self._connection = connection
        self._cursor = connection.cursor(binary=True)

    def rows(self, sql: str, *values: Any) -> list[Any]:
        asked = sql.replace("?", "%s").encode()
        return self._cursor.execute(asked, values, prepare=True).fetchall()

    def run(self, sql: str) -> None:
        self._connection.execute(sql.encode())

    def changed(self, old: str, new: str) -> str:
        return f"convert_to(replace(convert_from(state, 'UTF8'), {old}, {new}), 'UTF8')"

    def key(self, more: int) -> str:
        return f"event_key || convert_to('{more}', 'UTF8')"

    def refresh(self) -> None:
        self.run("VACUUM ANALYZE")

    def read_known(self) -> None:
        self.run("SET enable_seqscan = off")
        self.rows("SELECT count(event_key) FROM deduplication")
        self.run("RESET enable_seqscan")
