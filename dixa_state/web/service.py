"""What the routes work with: the parts of one running service."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, TypeVar, cast

from fastapi import Depends, Request

from dixa_state.errors import ConflictError, DixaStateError, StoreUnavailableError
from dixa_state.questions import Queries
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import Views
from dixa_state.views.projector import Projector
from dixa_state.web.bodies import Bodies
from dixa_state.web.feed import Feed
from dixa_state.web.inbox import Inbox
from dixa_state.web.metrics import Metrics
from dixa_state.web.policy import Policy
from dixa_state.web.projection import Projection
from dixa_state.web.readers import Readers
from dixa_state.web.receiver import Receiver

T = TypeVar("T")

PATIENCE = 5.0
"""Seconds that a question waits for the position that it asks for."""

STOP_SECONDS = 25.0
"""Seconds that the parts have to end once there are no requests any more."""

_log = logging.getLogger("dixa_state.web")


class Service:
    """One service on one store.

    `failure` is why it could not start, `stuck` whether it could not end. Questions of users,
    probes and resuming readers of the live stream have threads of their own, so that none of them
    waits for another.
    """

    def __init__(self, tracker: ConversationTracker, views: Views, policy: Policy) -> None:
        """Put the parts together; `running` makes them run."""
        self.tracker = tracker
        self.views = views
        self.policy = policy
        self.metrics = Metrics()
        self.queries = Queries(tracker, views)
        self.readers = Readers()
        self.probes = Readers(1)
        resuming = Readers(1)
        self._pools = (self.readers, self.probes, resuming)
        self.inbox = Inbox(tracker.append_many, committed=self.metrics.commits.observe)
        self.bodies = Bodies()
        self.receiver = Receiver(self.inbox, self.bodies, policy, self.metrics, tracker.now)
        self.projection = Projection(Projector(tracker, views))
        self.feed = Feed(self.queries, views, resuming, tracker.now)
        self._receiving: asyncio.Task[None] | None = None
        self.failure: DixaStateError | None = None
        self.stuck = False
        self.probing = asyncio.Lock()
        self.probed: tuple[float, Any] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run; at the end, finish what was accepted before anything is closed."""
        await self.feed.start()
        self.projection.start()
        self._receiving = asyncio.create_task(self.inbox.run(), name="inbox")
        try:
            yield
        finally:
            await self._stop()

    async def _stop(self) -> None:
        """End all parts; a store that does not answer must not keep the process from ending."""
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.inbox.close()
                await cast("asyncio.Task[None]", self._receiving)
                await asyncio.gather(self.feed.close(), asyncio.to_thread(self.projection.close))
                await asyncio.gather(*(asyncio.to_thread(one.close) for one in self._pools))
        except TimeoutError:
            self.stuck = True
            _log.error("the store does not answer; what was not answered 200 is not stored")

    @property
    def trouble(self) -> str | None:
        """What does not run that should, apart from the store."""
        if not self.projection.alive:
            return "the projector does not get on; the log tells why"
        if not self.feed.alive:
            return "the feed of changes has ended"
        if self._receiving is None or self._receiving.done():
            return "the inbox has ended"
        return None

    async def answered(
        self, request: Request, ask: Callable[[], T], min_position: int | None = None
    ) -> T:
        """Ask in a thread, once the views have reached the position that is asked for.

        Raises what `freshened` and `Readers.ask` raise.
        """
        await self.freshened(min_position)
        return await self.readers.ask(ask, request)

    async def freshened(self, position: int | None) -> None:
        """Wait until the views have reached a position that a question asks for.

        Raises `ConflictError` for one that the store has not handed out, and
        `StoreUnavailableError` if the views do not reach it in time.
        """
        if position is None or position <= self.feed.position:
            return
        newest = await self.probes.ask(self.newest)
        if position > newest:
            raise ConflictError(
                f"min_position: expected one that the store has reached, at most {newest}, "
                f"got {position}"
            )
        if not await self.feed.reached(position, PATIENCE):
            raise StoreUnavailableError(
                f"views: expected position {position} within {PATIENCE:.0f} s, "
                f"got {self.feed.position}"
            )

    def newest(self) -> int:
        """Give the position of the newest event; asks the store."""
        return self.tracker.event_recorder.max_notification_id() or 0


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(_service)]
