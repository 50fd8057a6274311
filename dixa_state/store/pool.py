"""A pool of connections, each used by one thread at a time.

The library's pools check a connection at every checkout, which takes several times as long as most
questions do.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from eventsourcing.persistence import ConnectionPoolClosedError


class Connection(Protocol):
    """The methods that the connections of both drivers have."""

    def close(self) -> None:
        """Close it."""


C = TypeVar("C", bound=Connection)

_IDLE_LIMIT = 8


class ReadPool(Generic[C]):
    """Read connections: as many as are in use at once, of which a few stay open afterwards."""

    def __init__(self, connect: Callable[[], C], is_free: Callable[[C], bool]) -> None:
        """Open connections by `connect`; a released one is reused if `is_free` says so."""
        self._connect = connect
        self._is_free = is_free
        self._idle: deque[C] = deque()
        self._closed = False

    @contextmanager
    def connection(self, *, new: bool = False) -> Iterator[C]:
        """Use a connection; with `new`, one that was just opened."""
        if self._closed:
            raise ConnectionPoolClosedError
        try:
            connection = self._connect() if new else self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._release(connection)

    def discard_idle(self) -> None:
        """Close the idle connections, for example after the server has gone."""
        while True:
            try:
                self._idle.pop().close()
            except IndexError:
                return

    def close(self) -> None:
        """Close idle connections now, and those in use when they are released."""
        self._closed = True
        self.discard_idle()

    def _release(self, connection: C) -> None:
        if not self._is_free(connection) or len(self._idle) >= _IDLE_LIMIT:
            connection.close()
            return
        self._idle.append(connection)
        if self._closed:
            self.discard_idle()
