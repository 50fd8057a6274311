"""Live updates: conversations as they change, read once from the views, sent to every subscriber.

A subscriber is a position and nothing else. Those at the newest position share what is kept here;
one that has fallen behind, or resumes, reads from the views, where a conversation stands once
however often it has changed. So nothing queues up for a slow subscriber.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from threading import Event as Signal
from threading import Thread
from typing import Any

from pydantic_core import to_json

from dixa_state.domain.conversation import Conversation
from dixa_state.errors import DixaStateError, OverloadedError, SchemaError
from dixa_state.questions import Reader, describe
from dixa_state.questions.changes import changed_conversations
from dixa_state.views.rows import rows
from dixa_state.views.tables import Row, group
from dixa_state.web.executor import QueryExecutor

MAX_RECENT = 1_000
"""Changes that are kept for the subscribers at the newest position."""

PAGE_SIZE = 100
HEARTBEAT = 15.0
"""Seconds of silence after which a subscriber gets a comment, so that it knows of an end."""

_log = logging.getLogger("dixa_state.web")
_PAUSE = 1.0
_REST, _REST_PER_CHANGE, _MAX_REST = 0.02, 0.002, 0.1
"""Seconds between two looks, at least, for each change, and at most: what comes close together is
read and sent together."""


@dataclass(frozen=True)
class Change:
    """A conversation that changed: the position of its newest event, and its state as JSON too."""

    position: int
    document: bytes
    state: Conversation

    @property
    def conversation(self) -> tuple[str | None, int]:
        """The organization and the number."""
        return self.state.organization_id, self.state.csid

    @cached_property
    def row(self) -> Row:
        """Its row among the conversations, by which nearly every list decides whether it fits."""
        return next(rows("", self.state))

    @cached_property
    def rows(self) -> Mapping[str, Sequence[Row]]:
        """All rows that it makes in the views, by table; they are made when one is looked up."""
        return _Rows(self.state)

    @cached_property
    def shared(self) -> dict[Hashable, Any]:
        """Results of one subscriber, for others that want the same."""
        return {}


class _Rows(dict[str, Sequence[Row]]):
    def __init__(self, state: Conversation) -> None:
        self._state = state

    def __missing__(self, table: str) -> Sequence[Row]:
        if not self:
            self.update(group(rows("", self._state)))
        return self.setdefault(table, ())


class LiveUpdates:
    """Follows the views in a thread of its own, and publishes changes on the event loop.

    It reads nothing while nobody subscribes and nobody waits for a position.
    """

    def __init__(self, reader: Reader, executor: QueryExecutor) -> None:
        """Read by `reader`, woken by its views; those behind read through `executor`."""
        self._reader = reader
        self._executor = executor
        self._recent: dict[tuple[str | None, int], Change] = {}  # the one that changed last is last
        self._complete_after = 0
        self.position = 0
        """The position of the views when they were last read, which may be long ago."""
        self._moved = asyncio.Event()
        self._users = 0
        self._used = Signal()
        self.is_current = False
        """Whether the position is that of now: the views are followed."""
        self._stop = Signal()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = Thread(target=self._run, name="live-updates", daemon=True)
        self._closing = False
        self._ended = asyncio.Event()
        self.subscribers = 0

    @contextmanager
    def subscribed(self) -> Iterator[None]:
        """Count a subscriber."""
        self.subscribers += 1
        try:
            with self._in_use():
                yield
        finally:
            self.subscribers -= 1

    @contextmanager
    def _in_use(self) -> Iterator[None]:
        self._users += 1
        self._used.set()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users and not self._stop.is_set():
                self._used.clear()
                self.is_current = False

    @property
    def alive(self) -> bool:
        """Return whether it follows the views."""
        return self._thread.is_alive()

    async def start(self) -> None:
        """Begin at the position of the views, and to follow once there is somebody for whom to."""
        self._loop = asyncio.get_running_loop()
        self.position = self._complete_after = await self._executor.run(self._start_position)
        self._thread.start()

    def _start_position(self) -> int:
        try:
            return self._reader.position()
        except SchemaError:  # once they are made anew, they are as far as the store is now
            return self._reader.newest()

    def end_subscriptions(self) -> None:
        """End every subscription; safe to call from a signal handler."""
        self._closing = True
        self._call(self._ended.set)
        self._call(self._wake)

    async def close(self) -> None:
        """Stop following."""
        self._stop.set()
        self._used.set()
        await asyncio.to_thread(self._thread.join)

    async def reached(self, position: int, timeout: float) -> bool:  # noqa: ASYNC109 — not an error
        """Wait until the views have reached a position; return whether they have."""
        try:
            async with asyncio.timeout(timeout):
                with self._in_use():
                    while self.position < position:
                        await self._moved.wait()
        except TimeoutError:
            return False
        return True

    async def follow(self, after: int, limit: int = PAGE_SIZE) -> AsyncIterator[list[Change]]:
        """Yield the changes after a position, as they come; an empty list is a heartbeat."""
        while not self._closing:
            moved = self._moved
            try:
                changes = await self._changes(after, limit)
            except OverloadedError:  # others that are behind read first
                await self.rest(_PAUSE)
                continue
            except DixaStateError as error:
                _log.warning("a subscription ends", extra={"why": str(error)})
                return  # its client comes again by itself, and resumes
            if not changes and await _is_set(moved, HEARTBEAT):
                continue
            after = changes[-1].position if changes else after
            passed_on = [changes]
            del changes  # a subscription that ends now is garbage, and keeps what it refers to
            yield passed_on.pop()

    def is_behind(self, after: int) -> bool:
        """Return whether what comes after a position has to be read from the views."""
        return after < self._complete_after

    async def rest(self, seconds: float) -> None:
        """Wait so many seconds, or until subscriptions end."""
        await _is_set(self._ended, seconds)

    async def _changes(self, after: int, limit: int) -> list[Change]:
        if self.is_behind(after):
            return await self._executor.run(lambda: self._read(after))
        newest = reversed(self._recent.values())  # most subscribers have seen all but a few
        newer = list(takewhile(lambda change: change.position > after, newest))
        return newer[::-1][:limit]

    def _run(self) -> None:
        last: int | None = None
        while not self._stop.is_set():
            if not self._used.is_set():
                self._used.wait()
                last = None
                continue
            try:
                last, found = self._step(last)
                if found < PAGE_SIZE:
                    self._stop.wait(min(_REST + _REST_PER_CHANGE * found, _MAX_REST))
                    self._reader.views.changed(_PAUSE)
            except DixaStateError as error:
                _log.warning("live updates wait for the store", extra={"why": str(error)})
                self._stop.wait(_PAUSE)
            except Exception:  # noqa: BLE001 — whatever it is, we go on
                _log.exception("live updates start again")
                self._stop.wait(_PAUSE)

    def _step(self, last: int | None) -> tuple[int | None, int]:
        """Publish a page of what came after a position; return the next one, and the changes.

        Without subscribers, or a position, nothing is read: who wants it finds it in the views.
        """
        position = self._reader.position()
        if last is None or not self.subscribers:
            if last != position:
                self._call(self._skip, position)
            return position, 0
        changes = self._read(last)
        if changes or position != self.position:
            self._call(self._publish, position, changes)
        return (changes[-1].position if changes else last), len(changes)

    def _read(self, after: int) -> list[Change]:
        changed = changed_conversations(self._reader, after, PAGE_SIZE)
        return [self._change(state) for state in changed]

    def _change(self, state: Conversation) -> Change:
        document = to_json(describe(state, now=self._reader.now()), inf_nan_mode="null")
        return Change(state.position, document, state)

    def _call(self, callback: Callable[..., None], *arguments: Any) -> None:
        if self._loop is not None:
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _skip(self, position: int) -> None:
        self._recent.clear()
        self._complete_after = max(self._complete_after, position)
        self._move(position)

    def _publish(self, position: int, changes: Sequence[Change]) -> None:
        for change in changes:
            self._recent.pop(change.conversation, None)
            self._recent[change.conversation] = change
        while len(self._recent) > MAX_RECENT:
            oldest = self._recent.pop(next(iter(self._recent)))
            self._complete_after = oldest.position
        self._move(position)

    def _move(self, position: int) -> None:
        self.position = max(self.position, position)
        self.is_current = self._users > 0
        self._wake()

    def _wake(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()


async def _is_set(event: asyncio.Event, seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
