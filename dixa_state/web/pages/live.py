"""Live boards: rows change where they stand, what is not on the page is counted as new.

A board hears of changes once a second at most, and all boards together ten times. A change is
folded into rows once, and rendered once for all boards with the same filters: webhooks come first.
"""

from collections.abc import AsyncIterator, Callable, Coroutine, Hashable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from dixa_state.domain import conversation as domain
from dixa_state.errors import DixaStateError
from dixa_state.questions import Conversations, describe
from dixa_state.questions.conditions import Condition, hold
from dixa_state.questions.naming import labelled
from dixa_state.views.tables import micros
from dixa_state.web.live_updates import MAX_RECENT, Change, LiveUpdates
from dixa_state.web.pages.frame import View, part, row_id
from dixa_state.web.processes import give_way
from dixa_state.web.service import Service

PAUSE, PAUSE_PER_BOARD = 1.0, 0.1
"""Seconds between two looks at what has changed: at least, and for each that is open."""

MOST_NEW = 100
"""Rows that are counted as new; of more it is said that there are more."""


class Board(NamedTuple):
    """What one open board shows: a list, the ids of its rows, and where it stands.

    `labels` distinguish queues and agents of one name, by their ids.
    """

    view: View
    asked: Conversations
    shown: frozenset[str]
    several: bool
    after: int
    new: int
    labels: dict[str, str]

    @property
    def kind(self) -> Hashable:
        """The properties that two boards share if a change looks the same on both."""
        return self.view.here(), str(self.view.zone), self.several


async def follow(
    service: Service, board: Board, numbers: Callable[[], Coroutine[Any, Any, str]]
) -> AsyncIterator[bytes]:
    """Yield server-sent events of HTML that htmx puts where it belongs.

    The id of an event is the position, and how many were new by then, so that a board that was cut
    off goes on from there. `numbers` follow the clock too: waits grow while nothing changes.
    """
    new, base, kind = set[str](), board.new, board.kind
    after, sent = board.after, ""
    yield _event("", f"{after}-{base}", name="ready")
    async for changes in service.live_updates.follow(after, MAX_RECENT):
        board.view.now = service.tracker.now()
        conditions = board.asked.conditions(micros(board.view.now))
        changed = {row_id(*change.conversation): change for change in changes}
        after = changes[-1].position if changes else after
        # Where many are new, one more that is not shown costs neither time nor memory.
        unseen = changed.keys() - board.shown - new if base + len(new) <= MOST_NEW else ()
        added = {row for row in unseen if _look(kind, conditions, changed[row]).fits}
        parts = []
        with suppress(DixaStateError):  # too busy: the numbers come with a later look
            if (shown := await numbers()) != sent:  # updates the labels of the rows, too
                sent = shown
                parts.append(shown)
        parts += [
            _look(kind, conditions, change).partial(board)
            for row, change in changed.items()
            if row in board.shown
        ]
        if added:
            new |= added
            link = part("new", board.view, base + len(new), MOST_NEW)
            parts.append(partial("new", link, swap="innerHTML"))
        if parts or not changes:
            yield _event("".join(parts), f"{after}-{base + len(new)}")
        del changes, changed, unseen  # a board that is closed meanwhile is garbage for some time
        await service.live_updates.rest(_pause(service.live_updates, after))


def _pause(updates: LiveUpdates, after: int) -> float:
    """Return the seconds until the next look of a board: it is the shortest if that is behind."""
    return PAUSE if updates.is_behind(after) else max(PAUSE, PAUSE_PER_BOARD * updates.subscribers)


class Look:
    """A change as boards of one kind show it; rendered by the first of them that has its row.

    It does not refer to the change, which refers to it: both are freed at once.
    """

    def __init__(self, state: domain.Conversation, *, fits: bool) -> None:
        """Show this state."""
        self.fits = fits
        self._state = state
        self._html = ""

    def partial(self, board: Board) -> str:
        """Return the row."""
        if not self._html:
            give_way()
            one = labelled(describe(self._state, now=board.view.now), board.labels)
            row = part("row", board.view, one, board.several, self.fits, changed=True)
            self._html = partial(row_id(one.organization_id, one.csid), row)
        return self._html


def _look(kind: Hashable, conditions: Sequence[Condition], change: Change) -> Look:
    if kind not in change.shared:
        give_way()
        change.shared[kind] = Look(change.state, fits=hold(conditions, change.row, change.rows))
    look: Look = change.shared[kind]
    return look


def partial(target: str, html: str, swap: str = "outerHTML") -> str:
    """Return HTML that htmx puts where the target is."""
    return f'<hx-partial hx-target="#{target}" hx-swap="{swap}">{html}</hx-partial>'


def _event(html: str, key: str, name: str = "") -> bytes:
    """Return an event; without content it only keeps the connection and the id."""
    lines = "".join(f"data: {line}\n" for line in html.splitlines())
    title = f"event: {name}\n" if name else ""
    return f"id: {key}\n{title}{lines}\n".encode()
