"""The inbox: webhooks that come at the same time share a commit, each with its own outcome.

Syncing to the disk is what an append costs, and one sync serves a thousand events as well as one.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from dixa_state.errors import DixaStateError, OverloadedError, StoreUnavailableError
from dixa_state.store.append import Outcome, batches
from dixa_state.store.events import Webhook

Append = Callable[[Sequence[Webhook]], list[Outcome]]

MAX_WAITING = 4_000
"""Webhooks that may wait: a few batches, which are committed within a moment."""

MAX_WAITING_BYTES = 64 << 20

COMMIT_TIMEOUT = 20.0
"""Seconds until a webhook that waits is answered that it cannot be stored now."""

LINGER = 0.001
"""Seconds that a batch waits for more webhooks after a large one, so that clients in step share the
next one; where few come, waiting would only be the time of an answer."""

CROWD = 8
"""Webhooks that make a batch large."""


class _Waiting(NamedTuple):
    webhook: Webhook
    outcome: "asyncio.Future[Outcome]"
    deadline: float


class Inbox:
    """Gathers webhooks and appends them in batches, one at a time.

    While one batch is being committed the next one gathers, so batches grow with the load.
    """

    def __init__(self, append: Append, committed: Callable[[int], None]) -> None:
        """Append in a thread of its own; `committed` is called with the size of each batch."""
        self._append = append
        self._committed = committed
        self._waiting: deque[_Waiting] = deque()
        self._batch: list[_Waiting] = []
        self._bytes = 0
        self._arrived = asyncio.Event()
        self._closing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox")

    @property
    def waiting(self) -> int:
        """The number of webhooks that wait for a batch."""
        return len(self._waiting)

    async def append(self, webhook: Webhook) -> Outcome:
        """Append a webhook; it is on disk when this returns.

        Raises `OverloadedError` if too many wait already, `StoreUnavailableError` if it could not
        be stored, or not in time. Appending it again is always safe.
        """
        size = len(webhook.body)
        if len(self._waiting) >= MAX_WAITING or self._bytes + size > MAX_WAITING_BYTES:
            raise OverloadedError(f"{len(self._waiting)} webhooks wait to be stored already")
        loop = asyncio.get_running_loop()
        waiting = _Waiting(webhook, loop.create_future(), loop.time() + COMMIT_TIMEOUT)
        self._waiting.append(waiting)
        self._bytes += size
        self._arrived.set()
        return await waiting.outcome

    async def run(self) -> None:
        """Append what comes in, until closed and empty."""
        expiry = asyncio.create_task(self._expire())
        size = 0
        try:
            while await self._wait():
                if size >= CROWD and not self._closing:
                    await asyncio.sleep(LINGER)
                self._batch = self._next_batch()
                size = len(self._batch)
                await self._append_batch(self._batch)
                self._batch = []
        finally:
            expiry.cancel()

    async def close(self) -> None:
        """End `run` once it has appended what waits."""
        self._closing = True
        self._arrived.set()

    async def _wait(self) -> bool:
        while not self._waiting and not self._closing:
            self._arrived.clear()
            await self._arrived.wait()
        return bool(self._waiting)

    def _next_batch(self) -> list[_Waiting]:
        batch = next(batches(self._waiting, _size))
        for waiting in batch:
            self._waiting.popleft()
            self._bytes -= _size(waiting)
        return batch

    async def _expire(self) -> None:
        """Fail what has waited too long."""
        loop = asyncio.get_running_loop()
        while True:
            # One look at all of them costs less than a timer for each.
            await asyncio.sleep(COMMIT_TIMEOUT / 20)
            for waiting in (*self._batch, *self._waiting):
                if waiting.deadline < loop.time():
                    message = f"the store has not answered within {COMMIT_TIMEOUT:.0f} s"
                    _fail(waiting, StoreUnavailableError(message))

    async def _append_batch(self, batch: list[_Waiting]) -> None:
        try:
            await self._commit(batch)
        except Exception as error:  # noqa: BLE001 — whatever it is, these clients wait
            await self._commit_singly(batch, error)

    async def _commit(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        webhooks = [waiting.webhook for waiting in batch]
        outcomes = await loop.run_in_executor(self._thread, self._append, webhooks)
        self._committed(len(batch))
        for waiting, outcome in zip(batch, outcomes, strict=True):
            if not waiting.outcome.done():  # its client may have gone
                waiting.outcome.set_result(outcome)

    async def _commit_singly(self, batch: list[_Waiting], error: Exception) -> None:
        """Keep one webhook from failing the others, unless it is the store that fails."""
        if len(batch) == 1 or isinstance(error, StoreUnavailableError):
            for waiting in batch:
                _fail(waiting, error)
            return
        for waiting in batch:
            try:
                await self._commit([waiting])
            except Exception as own:  # noqa: BLE001 — whatever it is, this client waits
                _fail(waiting, own)


def _size(waiting: _Waiting) -> int:
    return len(waiting.webhook.body)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.outcome.done():
        ours = isinstance(error, DixaStateError)
        failure = StoreUnavailableError(str(error) if ours else f"{type(error).__name__}: {error}")
        failure.__cause__ = error.__cause__ if ours else error
        waiting.outcome.set_exception(failure)
