"""Questions are answered in threads: a few at a time, so that they never starve the receiver."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from dixa_state.errors import OverloadedError

T = TypeVar("T")

THREADS = 4
"""Questions at a time; the store's connections must suffice for these, the inbox and the views."""

MAX_WAITING = 200


class Readers:
    """Asks questions of the store and the views without holding up the event loop."""

    def __init__(self) -> None:
        """Begin with no questions."""
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="reader")
        self._asking = 0

    async def ask(self, question: Callable[[], T]) -> T:
        """Ask in a thread. Raises `OverloadedError` if too many wait for an answer already."""
        if self._asking >= MAX_WAITING:
            raise OverloadedError(f"{self._asking} questions wait for an answer already")
        self._asking += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, question)
        finally:
            self._asking -= 1

    def close(self) -> None:
        """Wait for the last answers."""
        self._threads.shutdown()
