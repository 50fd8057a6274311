"""The databases by their drivers alone: what the program's questions are held against."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg
from psycopg.rows import TupleRow

_BEST = "(queue_id, status, last_event_at, stream)"


class Raw(Protocol):
    """A connection that is used for one thing: to ask, as fast as the driver can."""

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """Ask; parameters are written `?`."""

    def refresh(self) -> None:
        """Have the database know its tables."""

    def index(self) -> None:
        """Make the index that is best for the list."""

    def drop_index(self) -> None:
        """Drop it again."""


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


class _Lite:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, *values: Any) -> list[Any]:
        return self._connection.execute(sql, values).fetchall()

    def refresh(self) -> None:
        self._connection.execute("ANALYZE")

    def index(self) -> None:
        self._connection.execute(f"CREATE INDEX best ON {_table(self)} {_BEST}")

    def drop_index(self) -> None:
        self._connection.execute("DROP INDEX best")


class _Postgres:
    def __init__(self, connection: psycopg.Connection[TupleRow]) -> None:
        self._connection = connection
        self._cursor = connection.cursor(binary=True)

    def rows(self, sql: str, *values: Any) -> list[Any]:
        asked = sql.replace("?", "%s").encode()
        return self._cursor.execute(asked, values, prepare=True).fetchall()

    def refresh(self) -> None:
        self._connection.execute("VACUUM ANALYZE")

    def index(self) -> None:
        self._connection.execute(f"CREATE INDEX best ON {_table(self)} {_BEST}".encode())

    def drop_index(self) -> None:
        self._connection.execute("DROP INDEX best")


def _table(raw: Raw) -> str:
    [(generation,)] = raw.rows("SELECT generation FROM projection WHERE name = 'views'")
    return f"v{generation}_conversations"
