"""Queries run in threads: a few at a time, so that they never starve the receiver."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import TypeVar

from starlette.requests import Request

from dixa_state.errors import OverloadedError
from dixa_state.store.deadline import Deadline

T = TypeVar("T")

THREADS = 4
"""Queries at a time; the store's connections must suffice for these, the inbox and the views."""

MAX_QUERIES = 100
"""Queries that may wait for a thread or run in one."""

QUERY_TIMEOUT = 15.0
"""Seconds that a query may wait and run."""


class QueryExecutor:
    """Runs queries of the store and the views without blocking the event loop."""

    def __init__(self, threads: int = THREADS) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="query")
        self._lock = Lock()
        self.count = 0
        """The number of queries that wait or run."""

    async def run(self, query: Callable[[], T], request: Request | None = None) -> T:
        """Return the result of a query, as long as the client of its request waits for it.

        A query that nobody waits for is not begun, and one that runs finds its deadline passed.
        Raises `OverloadedError` if too many wait already, `QueryTimeoutError` if it takes too long.
        """
        if self.count >= MAX_QUERIES:
            raise OverloadedError(f"{self.count} queries wait or run already")
        deadline = Deadline(QUERY_TIMEOUT)
        job = self._threads.submit(_run, query, deadline)
        self._add(1)
        job.add_done_callback(lambda _: self._add(-1))
        return await _result(job, deadline, request)

    def close(self) -> None:
        """Wait for the last results."""
        self._threads.shutdown(cancel_futures=True)

    def _add(self, number: int) -> None:
        with self._lock:  # a query ends in its thread
            self.count += number


def _run(query: Callable[[], T], deadline: Deadline) -> T:
    with deadline.applied():
        deadline.check()
        return query()


async def _result(job: Future[T], deadline: Deadline, request: Request | None) -> T:
    result = asyncio.wrap_future(job)
    awaited: set[asyncio.Future[object]] = {result}  # type: ignore[arg-type]
    if request is not None:
        awaited.add(asyncio.create_task(_disconnected(request)))
    try:
        await asyncio.wait(awaited, timeout=QUERY_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        if result.done():
            return result.result()
        raise deadline.exceeded()
    finally:
        deadline.cancel()
        for one in awaited:
            one.cancel()


async def _disconnected(request: Request) -> None:
    """Return when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
