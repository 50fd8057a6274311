"""Connections that read, each lent to one thread at a time.

The library's pools are for those that write: to be given a connection by them, one that is known to
work, takes several times as long as most questions do.
"""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

from eventsourcing.persistence import ConnectionPoolClosedError


class Connection(Protocol):
    """What both drivers' connections have."""

    def close(self) -> None:
        """Close it."""


C = TypeVar("C", bound=Connection)

_MOST_IDLE = 8


class Lender(Generic[C]):
    """As many connections as are in use at the same time; a few of them stay for later."""

    def __init__(self, connect: Callable[[], C], is_free: Callable[[C], bool]) -> None:
        """Make connections by `connect`; those that come back and are free are lent again."""
        self._connect = connect
        self._is_free = is_free
        self._idle: deque[C] = deque()
        self._closed = False

    @contextmanager
    def lent(self, *, new: bool = False) -> Iterator[C]:
        """Lend a connection, a new one on demand."""
        if self._closed:
            raise ConnectionPoolClosedError
        try:
            connection = self._connect() if new else self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._take_back(connection)

    def forget(self) -> None:
        """Close what is idle: it has been found not to work any more."""
        while True:
            try:
                self._idle.pop().close()
            except IndexError:
                return

    def close(self) -> None:
        """Close what is idle, and what is lent when it comes back."""
        self._closed = True
        self.forget()

    def _take_back(self, connection: C) -> None:
        if not self._is_free(connection) or len(self._idle) >= _MOST_IDLE:
            connection.close()
            return
        self._idle.append(connection)
        if self._closed:
            self.forget()
