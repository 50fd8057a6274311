"""The projector: follows the event store, a page of events and one transaction at a time."""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, islice
from threading import Event as Signal
from typing import NamedTuple

from eventsourcing.persistence import Notification

from dixa_state.domain.states import decode_ban, decode_conversation
from dixa_state.errors import StoreUnavailableError
from dixa_state.tracker import ConversationTracker
from dixa_state.views.fold import Folded, State, fold_further, fold_stream, is_shown
from dixa_state.views.generations import LIVE, Connection, Progress, Views
from dixa_state.views.rows import changed_rows
from dixa_state.views.tables import Row

PAGE = 1_000
"""Events a transaction: enough to share a commit, few enough not to hold up writers."""

_SLICE = 100
_MOST_BYTES = 8 << 20
"""A page ends with the slice that reaches this: a webhook may be a megabyte."""

_IDLE = 1.0
_REST = 0.0002
"""Seconds of rest for each event of a page: the more comes in, the more the next page gathers. That
costs less an event, and those who receive webhooks have the processor for themselves meanwhile."""

_MOST_KEPT = 500


class News(NamedTuple):
    """A page of events by stream, and the states that the views have of these."""

    at: Progress
    last: int
    events: dict[str, list[Notification]]
    before: dict[str, State]


class Page(NamedTuple):
    """What a page of events comes to, ready to be written: the lock is held for that alone."""

    at: Progress
    to: Progress
    folded: dict[str, Folded]
    gone: list[Row]
    new: list[Row]


class _Kept:
    """The states that were written last: most events are about conversations that just moved.

    They are those of the views as long as nobody else has written.
    """

    def __init__(self) -> None:
        self._at: Progress | None = None
        self._states: dict[str, State] = {}

    def states(self, at: Progress, streams: Iterable[str]) -> dict[str, State]:
        """Give those of these streams that are known, if the views are where they were left."""
        if at != self._at:
            self._states.clear()
        return {stream: self._states[stream] for stream in streams if stream in self._states}

    def enter(self, page: Page, *, led: bool) -> None:
        """Enter what a page has written; what was not written for longest is forgotten."""
        self._at = page.to if led else None
        for stream, folded in page.folded.items():
            self._states.pop(stream, None)
            if folded.state is not None:
                self._states[stream] = folded.state
        for stream in list(islice(self._states, max(len(self._states) - _MOST_KEPT, 0))):
            del self._states[stream]


class Projector:
    """Keeps the views of a store up to date.

    A crash repeats a page, never half of it: rows and position change in one transaction, and that
    transaction begins by making sure that no other projector has been there in the meantime.
    """

    def __init__(
        self, tracker: ConversationTracker, views: Views, *, name: str = LIVE, page: int = PAGE
    ) -> None:
        """Follow the tracker's event store; `page` is how many events share a transaction.

        `name` is the generation that is kept up to date: the live one, or one being built.
        """
        self._tracker = tracker
        self._recorder = tracker.event_recorder
        self._views = views
        self._name = name
        self._page = page
        self._kept = _Kept()

    def run(
        self,
        stop: Signal,
        progress: Callable[[int | None], None] = lambda _position: None,
        trouble: Callable[[StoreUnavailableError], None] = lambda _error: None,
    ) -> None:
        """Project until told to stop; wait for the lead while another projector has it.

        Goes on by itself when the store comes back after it was away. `progress` is told the
        position that was reached, or None where there was nothing to do; `trouble`, that the store
        is away.
        """
        while not stop.is_set():
            try:
                self._lead(stop, progress)
            except StoreUnavailableError as error:
                trouble(error)
                stop.wait(_IDLE)

    def catch_up(self, progress: Callable[[int], None] = lambda _position: None) -> bool:
        """Bring the views up to date now; false if another projector is at it already."""
        with self._views.leading("projector") as lead:
            while lead and (position := self.step()):
                progress(position)
                lead.keep()
            return lead is not None

    def step(self) -> int | None:
        """Project one page and give the position reached; None if there was nothing to do."""
        news = self._read()
        if news is None:
            return None
        page = self._fold(news)
        with self._views.transaction(write=True) as connection:
            led = self._views.read_progress(connection, self._name, hold=True) == page.at
            if led:
                self._write(connection, page)
        self._kept.enter(page, led=led)
        return page.to.position

    def _lead(self, stop: Signal, progress: Callable[[int | None], None]) -> None:
        with self._views.leading("projector") as lead:
            reached = 0
            while lead and not stop.is_set():
                lead.keep()
                position = self.step()
                progress(position)
                if position is None:
                    self._views.changed(_IDLE)
                elif position - reached < self._page:  # else there is more already
                    stop.wait(_REST * (position - reached))
                reached = position or reached
        if lead is None:
            progress(None)
            stop.wait(_IDLE / 4)

    def _read(self) -> News | None:
        with self._views.transaction() as connection:
            at = self._views.require_progress(connection, self._name)
            stored = self._next(at.position)
            if not stored:
                return None
            events = {
                stream: list(some)
                for stream, some in groupby(sorted(stored, key=_stream), key=_stream)
                if is_shown(stream)
            }
            before = self._kept.states(at, events)
            unknown = [stream for stream in events if stream not in before]
            before |= _states(connection, at.prefix, unknown)
        return News(at, stored[-1].id, events, before)

    def _next(self, position: int) -> list[Notification]:
        """Read the events after a position, as many as a page may hold."""
        stored: list[Notification] = []
        size = 0
        while len(stored) < self._page and size < _MOST_BYTES:
            last = stored[-1].id if stored else position
            limit = min(_SLICE, self._page - len(stored))
            more = self._recorder.select_notifications(last, limit, inclusive_of_start=False)
            stored += more
            size += sum(len(event.state) for event in more)
            if len(more) < limit:
                break
        return stored

    def _fold(self, news: News) -> Page:
        folded = {stream: self._fold_stream(stream, news) for stream in news.events}
        to = news.at.moved(news.last, self._tracker.grace)
        page = Page(news.at, to, folded, [], [])
        for stream, done in folded.items():
            if done.state is not None:
                gone, new = changed_rows(stream, news.before.get(stream), done.state)
                page.gone.extend(gone)
                page.new.extend(new)
        return page

    def _fold_stream(self, stream: str, news: News) -> Folded:
        read, grace = self._tracker.read, self._tracker.grace
        events, before = news.events[stream], news.before.get(stream)
        if before is not None:
            further = fold_further(before, stream, events, read, grace)
            if further is not None:
                return further
        whole = self._recorder.select_stream(stream)
        known = [event for event in whole if event.id <= events[-1].id]
        return fold_stream(stream, known, read, grace)

    def _write(self, connection: Connection, page: Page) -> None:
        generation = page.at.generation
        self._views.replace(connection, generation, page.gone, page.new)
        for folded in page.folded.values():
            for poison in folded.poison:
                connection.run(self._views.statement("poison", generation), **poison._asdict())
        self._views.advance(connection, self._name, page.at, page.to)


def _states(connection: Connection, prefix: str, streams: Sequence[str]) -> dict[str, State]:
    """Read the states of streams from the tables that hold them."""
    found: dict[str, State] = {}
    conversations = [stream for stream in streams if stream.startswith("conversation/")]
    if conversations:
        rows = connection.states(f"{prefix}conversations", conversations)
        found |= {stream: decode_conversation(bytes(state)) for stream, state in rows}
    if len(conversations) < len(streams):
        others = [stream for stream in streams if not stream.startswith("conversation/")]
        rows = connection.states(f"{prefix}bans", others)
        found |= {stream: decode_ban(bytes(state)) for stream, state in rows}
    return found


def _stream(event: Notification) -> str:
    return str(event.originator_id)
