"""What the routes work with: the parts of one running service."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Hashable
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Request

from dixa_state.errors import DixaStateError, InvalidInputError, StoreUnavailableError
from dixa_state.questions import Reader
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import Views
from dixa_state.views.projector import Projector
from dixa_state.web.bodies import BodyReader
from dixa_state.web.executor import QueryExecutor
from dixa_state.web.inbox import Inbox
from dixa_state.web.live_updates import LiveUpdates
from dixa_state.web.metrics import Metrics
from dixa_state.web.policy import Policy
from dixa_state.web.projection import Projection, Run, project
from dixa_state.web.receiver import Receiver

T = TypeVar("T")

PROBE_INTERVAL = 1.0
"""Seconds for which the result of a probe is returned again."""

COUNTS_KEPT = 5.0
"""Seconds for which boards share counts, once these have been made."""

POSITION_TIMEOUT = 5.0
"""Seconds that a query waits for the position that it needs."""

STOP_TIMEOUT = 25.0
"""Seconds that the parts have to end once there are no requests any more."""

_log = logging.getLogger("dixa_state.web")


class Shared:
    """Values that are computed once for all who ask meanwhile, or within some seconds after."""

    def __init__(self, seconds: float) -> None:
        """Keep values for so long."""
        self._seconds = seconds
        self._kept: dict[Hashable, asyncio.Task[Any]] = {}

    async def get(self, key: Hashable, compute: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the value of a key, computed now unless it was a moment ago."""
        task = self._kept.get(key)
        if task is None:
            forget = partial(self._kept.pop, key)
            later = asyncio.get_running_loop().call_later
            task = self._kept[key] = asyncio.create_task(compute())
            task.add_done_callback(lambda _: later(self._seconds, forget))
        value: T = await asyncio.shield(task)  # others wait for it when this client has gone
        return value


class Service:
    """One service on one store.

    `failure` is why it could not start, `stuck` whether it could not end. Queries, probes and
    subscribers that resume have threads of their own, so that none of them waits for another.
    """

    def __init__(
        self,
        tracker: ConversationTracker,
        views: Views,
        policy: Policy,
        run: Run | None = None,
    ) -> None:
        """Assemble the parts; `running` runs them, and `run` keeps the views up to date."""
        self.tracker = tracker
        self.policy = policy
        self.metrics = Metrics()
        self.reader = Reader(tracker, views)
        self.executor = QueryExecutor()
        self.probes = QueryExecutor(1)
        resuming = QueryExecutor(1)
        self._executors = (self.executor, self.probes, resuming)
        self.inbox = Inbox(tracker.append_many, self.metrics.commits.observe)
        self.bodies = BodyReader()
        self.receiver = Receiver(self.inbox, self.bodies, policy, self.metrics, tracker.now)
        self.projection = Projection(run or partial(project, Projector(tracker, views)))
        self.live_updates = LiveUpdates(self.reader, resuming)
        self._receiving: asyncio.Task[None] | None = None
        self.failure: DixaStateError | None = None
        self.stuck = False
        self.streams_elsewhere = 0
        """Subscribers to live updates in the process of the readers."""
        self.probe = Shared(PROBE_INTERVAL)
        self.board_counts = Shared(COUNTS_KEPT)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run; at the end, finish what was accepted before anything is closed."""
        await self.live_updates.start()
        self.projection.start()
        self._receiving = asyncio.create_task(self.inbox.run(), name="inbox")
        try:
            yield
        finally:
            await self._stop()

    async def _stop(self) -> None:
        """End all parts; a store that does not answer must not keep the process alive."""
        try:
            async with asyncio.timeout(STOP_TIMEOUT):
                await self.inbox.close()
                await cast("asyncio.Task[None]", self._receiving)
                await asyncio.gather(
                    self.live_updates.close(), asyncio.to_thread(self.projection.close)
                )
                await asyncio.gather(*(asyncio.to_thread(one.close) for one in self._executors))
        except TimeoutError:
            self.stuck = True
            _log.error("the store does not answer; what was not answered 200 is not stored")

    @property
    def problem(self) -> str | None:
        """Return what does not run that should, apart from the store."""
        if not (self.projection.alive or self.projection.outdated):
            return "the projector fails; the log says why"
        if not self.live_updates.alive:
            return "live updates have ended"
        if self._receiving is None or self._receiving.done():
            return "the inbox has ended"
        return None

    async def run_query(
        self, request: Request, query: Callable[[], T], min_position: int | None = None
    ) -> T:
        """Return the result of a query, run once the views have reached a position.

        Raises what `wait_for_position` and `QueryExecutor.run` raise.
        """
        await self.wait_for_position(min_position)
        return await self.executor.run(query, request)

    async def wait_for_position(self, position: int | None) -> None:
        """Wait until the views have reached a position.

        Raises `InvalidInputError` for one that the store has not handed out, and
        `StoreUnavailableError` if the views do not reach it in time.
        """
        if position is None or position <= self.live_updates.position:
            return
        newest = await self.probes.run(self.reader.newest)
        if position > newest:
            raise InvalidInputError(
                f"min_position: expected one that the store has reached, at most {newest}, "
                f"got {position}"
            )
        if not await self.live_updates.reached(position, POSITION_TIMEOUT):
            raise StoreUnavailableError(
                f"views: expected position {position} within {POSITION_TIMEOUT:.0f} s, "
                f"got {self.live_updates.position}"
            )


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(_service)]
