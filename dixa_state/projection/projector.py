"""The projector: follows the event store, a page of events and one transaction at a time."""

from collections.abc import Callable, Sequence
from itertools import groupby
from threading import Event as Signal
from typing import NamedTuple

from eventsourcing.persistence import Notification

from dixa_state.domain.states import decode_ban, decode_conversation
from dixa_state.errors import StoreUnavailableError
from dixa_state.projection.folding import Folded, State, fold_further, fold_stream, is_shown
from dixa_state.projection.rows import Row, changed_rows
from dixa_state.projection.views import LIVE, Connection, Progress, Views
from dixa_state.tracker import ConversationTracker

PAGE = 500
"""Events a transaction: enough to share a commit, few enough not to hold up writers."""

_IDLE = 1.0


class Page(NamedTuple):
    """What a page of events comes to, ready to be written."""

    at: Progress
    last: int
    folded: dict[str, Folded]


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
        at = self._views.progress(self._name)
        stored = self._recorder.select_notifications(
            at.position, self._page, inclusive_of_start=False
        )
        if not stored:
            return None
        page = self._fold(at, stored)
        with self._views.transaction(write=True) as connection:
            if self._views.read_progress(connection, self._name, hold=True) == at:
                self._write(connection, page)
        return page.last

    def _lead(self, stop: Signal, progress: Callable[[int | None], None]) -> None:
        with self._views.leading("projector") as lead:
            while lead and not stop.is_set():
                lead.keep()
                position = self.step()
                progress(position)
                if position is None:
                    self._views.changed(_IDLE)
        if lead is None:
            progress(None)
            stop.wait(_IDLE / 4)

    def _fold(self, at: Progress, stored: Sequence[Notification]) -> Page:
        by_stream = sorted(stored, key=_stream)
        folded = {}
        with self._views.transaction() as connection:
            if self._views.read_progress(connection, self._name) != at:
                return Page(at, stored[-1].id, {})  # others went on, perhaps to other tables
            for stream, events in groupby(by_stream, key=_stream):
                if is_shown(stream):
                    folded[stream] = self._fold_stream(connection, at, stream, list(events))
        return Page(at, stored[-1].id, folded)

    def _fold_stream(
        self, connection: Connection, at: Progress, stream: str, events: list[Notification]
    ) -> Folded:
        read, grace = self._tracker.read, self._tracker.grace
        kind = "state" if stream.startswith("conversation/") else "ban_state"
        found = connection.run(self._views.statement(kind, at.generation), stream=stream)
        before: State | None = None
        if found:
            decode = decode_conversation if kind == "state" else decode_ban
            before = decode(bytes(found[0][0]))
            further = fold_further(before, stream, events, read, grace)
            if further is not None:
                return further._replace(before=before)
        whole = self._recorder.select_stream(stream)
        known = [event for event in whole if event.id <= events[-1].id]
        return fold_stream(stream, known, read, grace)._replace(before=before)

    def _write(self, connection: Connection, page: Page) -> None:
        gone: list[Row] = []
        new: list[Row] = []
        generation = page.at.generation
        for stream, folded in page.folded.items():
            if folded.state is not None:
                taken, brought = changed_rows(stream, folded.before, folded.state)
                gone += taken
                new += brought
        self._views.replace(connection, generation, gone, new)
        for folded in page.folded.values():
            for poison in folded.poison:
                connection.run(self._views.statement("poison", generation), **poison._asdict())
        connection.run(self._views.statement("advance"), name=self._name, position=page.last)


def _stream(event: Notification) -> str:
    return str(event.originator_id)
