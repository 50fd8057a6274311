"""The time that a query has: loops check it, and a database gets what remains of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import inf
from time import monotonic

from dixa_state.errors import QueryTimeoutError


class Deadline:
    """The time by which a query must have ended; one that nobody waits for is cancelled."""

    def __init__(self, seconds: float = inf) -> None:
        self._seconds = seconds
        self._end = monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds that remain, 0 at the least, or infinity without a limit."""
        return max(0.0, self._end - monotonic())

    def check(self) -> None:
        """Raise `QueryTimeoutError` if none remain."""
        if monotonic() >= self._end:
            raise self.exceeded()

    def exceeded(self) -> QueryTimeoutError:
        """Return the error for a query that has taken longer."""
        return QueryTimeoutError(
            f"no answer within {self._seconds:.0f} s; ask for less, or again later"
        )

    def cancel(self) -> None:
        """End it now."""
        self._end = -inf

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Make it that of what this thread does."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)


def current_deadline() -> Deadline:
    """Return the deadline of what this thread does; without one, it has no limit."""
    return _current.get()


_current: ContextVar[Deadline] = ContextVar("deadline", default=Deadline())  # noqa: B039 — it never ends
