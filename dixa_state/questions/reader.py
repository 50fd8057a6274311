"""The reader: answers questions from the views, and from the events for other moments."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

from dixa_state.domain.conversation import Conversation
from dixa_state.questions.names import with_known_names, with_known_organization
from dixa_state.questions.question import PagedQuestion, Question
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import Connection, Progress, Views
from dixa_state.views.projector import Projector
from dixa_state.views.ranges import read_range, split
from dixa_state.views.rows import has_views, rows
from dixa_state.views.sqlite import temporary_views
from dixa_state.views.tables import VIEW_VERSION, Row

A = TypeVar("A")
T = TypeVar("T")
Q = TypeVar("Q", bound=Question[Any])


class Reader:
    """Answers questions from the views of one moment."""

    def __init__(self, tracker: ConversationTracker, views: Views) -> None:
        """Read these views, and the tracker's events for what was at another moment."""
        self.tracker = tracker
        self.views = views

    def ask(self, question: Question[A]) -> A:
        """Return the answer to a question, with its names as they are spelled.

        Raises `UnknownNameError` for a name that is not known, and what `Question.answer` raises.
        """
        return self.spelled(question).answer(self)

    def every(self, question: PagedQuestion[T]) -> Iterator[T]:
        """Yield the items of all pages of an answer."""
        return self.spelled(question).every(self)

    def spelled(self, question: Q) -> Q:
        """Return a question with its names as they are spelled, its organization by the id.

        Raises `UnknownNameError`, `AmbiguousError` for an organization's name that several have.
        """
        return with_known_names(self, with_known_organization(self, question))

    def refresh(self) -> None:
        """Update the views to the newest event, unless a projector is at work on them."""
        Projector(self.tracker, self.views).catch_up()

    def close(self) -> None:
        """Close the connections of the views."""
        self.views.close()

    def now(self) -> datetime:
        """Return the time, by the clock of the tracker."""
        return self.tracker.now()

    def position(self) -> int:
        """Return the position that the views have reached."""
        return self.views.progress().position

    def newest(self) -> int:
        """Return the position of the newest event in the store."""
        return self.tracker.event_recorder.max_notification_id() or 0

    @contextmanager
    def moment(
        self, as_of: datetime | None = None, known_at: datetime | None = None
    ) -> Iterator[tuple[Connection, Progress]]:
        """Open the moment that a question is answered from; its rows are of this version.

        Those of another moment are made from the events, in a database that goes afterwards. Raises
        `UnfoldableEventError` for an event that cannot be folded then.
        """
        if as_of is None and known_at is None:
            with self.views.transaction() as connection:
                yield connection, self.views.require_progress(connection)
            return
        position = self.newest()
        with temporary_views(self._rows_at(position, as_of, known_at)) as connection:
            yield connection, Progress(0, VIEW_VERSION, position)

    def _rows_at(
        self, position: int, as_of: datetime | None, known_at: datetime | None
    ) -> Iterator[Row]:
        for part in split(self.tracker.event_recorder, position):
            for events in read_range(self.tracker, part):
                stream = str(events[0].originator_id)
                folded = self.tracker.fold(events, as_of=as_of, known_at=known_at)
                if has_views(stream) and (state := folded.require_state()):
                    yield from rows(stream, state)

    def state_at(
        self,
        stream: str,
        position: int,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> Conversation | None:
        """Return the state of a conversation by the events up to a position; None without any.

        Raises `UnfoldableEventError` for an event that cannot be folded, if a moment is given.
        """
        stored = self.tracker.event_recorder.select_stream(stream)
        events = [one for one in stored if one.id <= position]
        folded = self.tracker.fold(events, as_of=as_of, known_at=known_at)
        # Rows of now leave out what the projector skipped, and so do the later pages of their list.
        now = as_of is None and known_at is None
        state = folded.state if now else folded.require_state()
        return state if isinstance(state, Conversation) else None
