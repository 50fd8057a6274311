"""Live boards: rows change where they stand, what is not on the page is counted as new.

A board hears of changes once a second at most, and a change is folded into rows once, however many
boards look at it: webhooks come first.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from time import monotonic
from typing import Any, Generic, NamedTuple, TypeVar

from dixa_state.questions import Conversation, Conversations, describe
from dixa_state.questions.conditions import Condition, hold
from dixa_state.views.tables import micros
from dixa_state.web.live_updates import Change
from dixa_state.web.pages.frame import View, render, row_id
from dixa_state.web.service import Service

T = TypeVar("T")

PAUSE = 1.0
"""Seconds between two looks at what has changed."""

COUNTS_KEPT = 5.0
"""Seconds for which boards share their counts."""


class Shared(Generic[T]):
    """Values that are computed once for all who ask within some seconds."""

    def __init__(self, seconds: float) -> None:
        """Keep values for so long."""
        self._seconds = seconds
        self._kept: dict[str, tuple[float, asyncio.Task[T]]] = {}

    async def get(self, key: str, compute: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the value of a key, computed now unless it was a moment ago."""
        now = monotonic()
        self._kept = {k: kept for k, kept in self._kept.items() if now - kept[0] < self._seconds}
        if key not in self._kept:
            self._kept[key] = now, asyncio.create_task(compute())
        return await asyncio.shield(self._kept[key][1])


class Board(NamedTuple):
    """What one open board shows: a list, the ids of its rows, and where it stands."""

    view: View
    asked: Conversations
    shown: frozenset[str]
    several: bool
    after: int
    new: int


async def follow(
    service: Service, board: Board, tiles: Callable[[], Coroutine[Any, Any, str]]
) -> AsyncIterator[bytes]:
    """Yield server-sent events of HTML that htmx puts where it belongs.

    The id of an event is the position, and how many were new by then, so that a board that was cut
    off goes on from there.
    """
    new, base = set[str](), board.new
    after, sent = board.after, ""
    yield _event("", f"{after}-{base}", name="ready")
    async for changes in service.live_updates.follow(after):
        parts = []
        conditions = board.asked.conditions(micros(service.tracker.now()))
        for change in changes:
            after, key = change.position, row_id(change.state.organization_id, change.state.csid)
            if key in board.shown:
                parts.append(_row(board, key, change, fits=_fits(conditions, change)))
            elif _fits(conditions, change):
                new.add(key)
        board.view.now = service.tracker.now()
        if changes:
            if (shown := await tiles()) != sent:
                sent = shown
                parts.append(_partial("tiles", shown))
            if new:
                link = render("new.html", board.view, count=base + len(new))
                parts.append(_partial("new", link, swap="innerHTML"))
        if parts or not changes:
            yield _event("".join(parts), f"{after}-{base + len(new)}")
        await asyncio.sleep(PAUSE)


def _fits(conditions: Sequence[Condition], change: Change) -> bool:
    return hold(conditions, change.rows["conversations"][0], change.rows)


def _row(board: Board, key: str, change: Change, *, fits: bool) -> str:
    one: Conversation = describe(change.state, now=board.view.now)
    html = render("row.html", board.view, one=one, several=board.several, fits=fits)
    return _partial(key, html)


def _partial(target: str, html: str, swap: str = "outerHTML") -> str:
    return f'<hx-partial hx-target="#{target}" hx-swap="{swap}">{html}</hx-partial>'


def _event(html: str, key: str, name: str = "") -> bytes:
    """Return an event; without content it only keeps the connection and the id."""
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    title = f"event: {name}\n" if name else ""
    return f"id: {key}\n{title}{lines}\n".encode()
