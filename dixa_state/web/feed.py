"""The feed: conversations as they change, read once from the views and told to every reader.

A reader is a position and nothing else. Those at the head share what is kept here; one that has
fallen behind, or resumes, reads from the views, where a conversation stands once however often it
has changed. So nothing queues up for a slow reader.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from threading import Event as Signal
from threading import Thread
from typing import NamedTuple

from pydantic_core import to_json

from dixa_state.domain.conversation import Conversation
from dixa_state.errors import DixaStateError
from dixa_state.questions import Queries
from dixa_state.questions.documents import status_document
from dixa_state.views.generations import Views
from dixa_state.web.readers import Readers

KEPT = 1_000
"""Changes that are kept for the readers at the head."""

PAGE = 100
HEARTBEAT = 15.0
"""Seconds of silence after which a reader is shown that the stream is alive."""

_log = logging.getLogger("dixa_state.web")
_PAUSE = 1.0


class Change(NamedTuple):
    """A conversation that changed: the position of its newest event, and its state as JSON."""

    position: int
    document: bytes
    conversation: tuple[str | None, int]


class Feed:
    """Follows the views in a thread of its own, and tells the event loop."""

    def __init__(
        self, queries: Queries, views: Views, readers: Readers, now: Callable[[], datetime]
    ) -> None:
        """Read by `queries`, woken by `views`; those behind read through `readers`."""
        self._queries = queries
        self._views = views
        self._readers = readers
        self._now = now
        self._kept: dict[tuple[str | None, int], Change] = {}  # the one that changed last is last
        self._complete_after = 0
        self._position = 0
        self._moved = asyncio.Event()
        self._stop = Signal()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = Thread(target=self._run, name="feed", daemon=True)
        self._closing = False
        self.readers = 0

    @contextmanager
    def joined(self) -> Iterator[None]:
        """Count as a reader."""
        self.readers += 1
        try:
            yield
        finally:
            self.readers -= 1

    @property
    def alive(self) -> bool:
        """Whether it follows the views."""
        return self._thread.is_alive()

    @property
    def position(self) -> int:
        """The position that the views had reached when last seen."""
        return self._position

    async def start(self) -> None:
        """Begin at where the views are."""
        self._loop = asyncio.get_running_loop()
        self._position = self._complete_after = await self._readers.ask(self._queries.position)
        self._thread.start()

    def end_streams(self) -> None:
        """Let every reader come to an end; safe to call from a signal handler."""
        self._closing = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wake)

    async def close(self) -> None:
        """Stop following."""
        self._stop.set()
        await asyncio.to_thread(self._thread.join)

    async def reached(self, position: int, seconds: float) -> bool:
        """Wait until the views have reached a position; tell whether they have."""
        try:
            async with asyncio.timeout(seconds):
                while self._position < position:
                    await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def follow(self, after: int) -> AsyncIterator[list[Change]]:
        """Go through the changes after a position, as they come; an empty list is a heartbeat."""
        while not self._closing:
            moved = self._moved
            try:
                changes = await self._changes(after)
            except DixaStateError as error:
                _log.warning("a live stream ends", extra={"why": str(error)})
                return  # its reader comes again by itself, and resumes
            if changes:
                after = changes[-1].position
                yield changes
            elif not await _happens(moved, HEARTBEAT):
                yield []

    async def _changes(self, after: int) -> list[Change]:
        if after < self._complete_after:
            return await self._readers.ask(lambda: self._read(after))
        return [change for change in self._kept.values() if change.position > after][:PAGE]

    def _run(self) -> None:
        last = self._position
        while not self._stop.is_set():
            try:
                last, more = self._step(last)
                if not more:
                    self._views.changed(_PAUSE)
            except DixaStateError as error:
                _log.warning("the feed waits for the store", extra={"why": str(error)})
                self._stop.wait(_PAUSE)
            except Exception:  # noqa: BLE001 — whatever it is, we go on
                _log.exception("the feed starts again")
                self._stop.wait(_PAUSE)

    def _step(self, last: int) -> tuple[int, bool]:
        """Tell what came after a position; give where that leads, and whether there is more.

        Where nobody reads, nothing is read either: a reader who comes finds it in the views.
        """
        position = self._queries.position()
        if not self.readers:
            self._tell(self._pass, position)
            return position, False
        changes = self._read(last)
        self._tell(self._publish, position, changes)
        return (changes[-1].position if changes else last), len(changes) == PAGE

    def _read(self, after: int) -> list[Change]:
        changed = self._queries.changed_since(after, PAGE)
        return [self._change(state) for state in changed]

    def _change(self, state: Conversation) -> Change:
        document = to_json(status_document(state, now=self._now()), inf_nan_mode="null")
        return Change(state.position, document, (state.organization_id, state.csid))

    def _tell(
        self, how: Callable[..., None], position: int, changes: Sequence[Change] = ()
    ) -> None:
        if self._loop and (changes or position != self._position):
            self._loop.call_soon_threadsafe(how, position, changes)

    def _pass(self, position: int, _nothing: Sequence[Change]) -> None:
        self._kept.clear()
        self._complete_after = max(self._complete_after, position)
        self._move(position)

    def _publish(self, position: int, changes: Sequence[Change]) -> None:
        for change in changes:
            self._kept.pop(change.conversation, None)
            self._kept[change.conversation] = change
        while len(self._kept) > KEPT:
            oldest = self._kept.pop(next(iter(self._kept)))
            self._complete_after = oldest.position
        self._move(position)

    def _move(self, position: int) -> None:
        self._position = max(self._position, position)
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


async def _happens(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
