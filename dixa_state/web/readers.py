"""Questions are answered in threads: a few at a time, so that they never starve the receiver."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from starlette.requests import Request

from dixa_state.errors import OverloadedError

T = TypeVar("T")

THREADS = 4
"""Questions at a time; the store's connections must suffice for these, the inbox and the views."""

MAX_WAITING = 100
"""Questions that may wait for a thread, or be in one."""

PATIENCE = 15.0
"""Seconds that a question may take, and wait before that."""


class Readers:
    """Asks questions of the store and the views without holding up the event loop."""

    def __init__(self, threads: int = THREADS) -> None:
        """Begin with no questions; `threads` is how many may be asked at a time."""
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="reader")
        self._asking = 0

    async def ask(self, question: Callable[[], T], request: Request | None = None) -> T:
        """Ask in a thread, as long as whose request it is waits for the answer.

        A question that nobody waits for any more is not begun. Raises `OverloadedError` if too many
        wait for an answer already, or if it takes too long.
        """
        if self._asking >= MAX_WAITING:
            raise OverloadedError(f"{self._asking} questions wait for an answer already")
        job = self._threads.submit(question)
        self._asking += 1
        job.add_done_callback(_ended(self, asyncio.get_running_loop()))
        return await _answer(job, request)

    def ended(self) -> None:
        """Count a question that needs no thread any more."""
        self._asking -= 1

    def close(self) -> None:
        """Wait for the last answers."""
        self._threads.shutdown(cancel_futures=True)


def _ended(readers: Readers, loop: asyncio.AbstractEventLoop) -> Callable[[Future[T]], None]:
    def tell(_job: Future[T]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(readers.ended)

    return tell


async def _answer(job: Future[T], request: Request | None) -> T:
    answer = asyncio.wrap_future(job)
    waited: set[asyncio.Future[object]] = {answer}  # type: ignore[arg-type]
    if request is not None:
        waited.add(asyncio.create_task(_leaves(request)))
    try:
        await asyncio.wait(waited, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
        if answer.done():
            return answer.result()
        raise OverloadedError(f"no answer within {PATIENCE:.0f} s; ask for less, or again later")
    finally:
        for one in waited:
            one.cancel()


async def _leaves(request: Request) -> None:
    """Return when the client has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
