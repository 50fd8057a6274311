"""The service: what can be asked, each question answered from the views of one moment."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from time import monotonic
from typing import Any, Literal, NamedTuple, TypeVar

from dixa_state.dixa.streams import MAX_CSID, conversation_stream
from dixa_state.domain.bans import Ban
from dixa_state.domain.conversation import Conversation
from dixa_state.domain.lifecycle import Transition
from dixa_state.domain.states import decode_ban, decode_conversation, decode_transition
from dixa_state.errors import StoreUnavailableError
from dixa_state.questions.changes import BANS as CHANGED_BANS
from dixa_state.questions.changes import CONVERSATIONS as CHANGED_CONVERSATIONS
from dixa_state.questions.changes import MAX_CHANGES, changed_states
from dixa_state.questions.conditions import Parameters, where
from dixa_state.questions.endusers import EndUser, find_enduser
from dixa_state.questions.filters import (
    NOBODY,
    Filters,
    Narrowed,
    SlaFilters,
    TransitionFilters,
    conversation_conditions,
    narrowing,
    require_past,
    sla_conditions,
    sort_as_of,
    sorting,
    transition_conditions,
)
from dixa_state.questions.naming import told_apart
from dixa_state.questions.paging import (
    LIMIT,
    Cursor,
    Item,
    Listing,
    Page,
    limited,
    paged,
    read_key,
)
from dixa_state.questions.search import Search
from dixa_state.questions.searching import search_conditions
from dixa_state.questions.stats import Day, Stats, daily_counts, measured_stats
from dixa_state.store.events import decode_state
from dixa_state.tracker import ConversationTracker
from dixa_state.views.generations import Connection, Progress, Views
from dixa_state.views.tables import SlaEvaluationRow, micros

T = TypeVar("T")
By = Literal["queue", "agent", "channel", "tag"]
_BATCH = 200
_GLANCE = 0.1
"""Seconds until another look at the views: another thread may have taken the news of a change."""


class Move(NamedTuple):
    """A transition, with the conversation that it is of."""

    organization_id: str | None
    csid: int
    transition: Transition


class Health(NamedTuple):
    """Where the store and the views are; `last_event_age` in seconds since it was received."""

    store_position: int
    views_position: int
    lag: int
    poison: int
    last_event_age: float | None


class Share(NamedTuple):
    """How SLA evaluations ended for one value of what they are broken down by."""

    value: str | None
    achieved: int
    breached: int
    pending: int
    voided: int

    @property
    def attainment(self) -> float | None:
        """The share kept of those decided: achieved / (achieved + breached)."""
        decided = self.achieved + self.breached
        return self.achieved / decided if decided else None


def fitting_transitions(state: Conversation, filters: TransitionFilters) -> list[Move]:
    """Pick transitions of one conversation, by the conditions of the list over all of them."""
    listing = Listing("transitions", ("since", "sequence"), transition_conditions(filters))
    return [_move(item) for item in listing.pick("", state, Cursor(0, None))]


class Queries:
    """Answers from the views of a store."""

    def __init__(self, tracker: ConversationTracker, views: Views) -> None:
        """Read the views, and the event store for what was at another moment."""
        self._tracker = tracker
        self._views = views

    def wait_for(self, position: int, timeout: float = 5.0) -> None:
        """Wait until the views have reached a position, woken when they move.

        Raises `StoreUnavailableError` if they have not after `timeout` seconds.
        """
        deadline = monotonic() + timeout
        while (reached := self._views.progress().position) < position:
            left = deadline - monotonic()
            if left <= 0:
                raise StoreUnavailableError(
                    f"views: expected position {position} within {timeout} s, got {reached}"
                )
            self._views.changed(min(left, _GLANCE))

    def position(self) -> int:
        """Tell the position that the views have reached."""
        return self._views.progress().position

    def health(self) -> Health:
        """Tell how far store and views are, and what could not be folded."""
        newest = self._tracker.event_recorder.max_notification_id() or 0
        stored = self._tracker.event_recorder.select_notifications(newest, 1) if newest else []
        age = self._tracker.now() - decode_state(stored[0].state).received_at if stored else None
        with self._moment() as (connection, at):
            poison = connection.run(self._views.statement("poison_count"))[0][0]
        seconds = None if age is None else max(age.total_seconds(), 0.0)
        return Health(newest, at.position, max(newest - at.position, 0), poison, seconds)

    def changed_since(self, position: int, limit: int = MAX_CHANGES) -> list[Conversation]:
        """Give conversations whose newest event came after a position, in the order of those.

        Each is as it is now. To follow on, ask again with the position of the last one: a change
        shows when the views have reached it, and never before one of a smaller position.
        """
        with self._moment() as (connection, _):
            found = changed_states(connection, CHANGED_CONVERSATIONS, position, limit)
        return [decode_conversation(state) for state in found]

    def bans_changed_since(self, position: int, limit: int = MAX_CHANGES) -> list[Ban]:
        """Give bans whose newest event came after a position, as `changed_since` does."""
        with self._moment() as (connection, _):
            found = changed_states(connection, CHANGED_BANS, position, limit)
        return [decode_ban(state) for state in found]

    def enduser(self, key: str, organization: str | None = None) -> EndUser:
        """Tell of an end user what bans and conversations do, by their id.

        Raises `NotFoundError` if neither does, and `AmbiguousError` if those of several
        organizations do and none is named.
        """
        with self._moment() as (connection, _):
            return find_enduser(connection, key, organization)

    def conversation(
        self,
        csid: int,
        *,
        organization: str | None = None,
        as_of: datetime | None = None,
        known_at: datetime | None = None,
    ) -> Conversation:
        """Return the state of a conversation: its row in the views, or else its stream folded.

        Raises what `ConversationTracker.conversation` raises.
        """
        if as_of is None and known_at is None and 1 <= csid <= MAX_CSID:
            found = self._views.complete_states(csid, self._tracker.grace)
            if organization is not None:
                state = found.get(conversation_stream(organization, csid))
            else:
                state = next(iter(found.values())) if len(found) == 1 else None
            if state is not None:
                return decode_conversation(state)
        return self._tracker.conversation(
            csid, organization=organization, as_of=as_of, known_at=known_at
        )

    def conversations(
        self,
        filters: Filters = Filters(),  # noqa: B008 — frozen
        *,
        sort: str = "-last_event_at",
        limit: int = LIMIT,
        page_key: str | None = None,
        as_of: datetime | None = None,
    ) -> Page[Conversation]:
        """List conversations, as they are or as of a moment.

        A list as of a moment is sorted by creation. Raises `InvalidInputError` for values that
        cannot be, and for a page key of another query.
        """
        conditions = conversation_conditions(filters)
        if as_of is not None:
            require_past(as_of, self._tracker.now())
            sort = sort_as_of(sort)
        column, descending = sorting(sort)
        listing = Listing("conversations", (column, "stream"), conditions, descending=descending)
        asked = ["conversations", sort, filters, as_of]
        with self._moment() as (connection, at):
            cursor = _cursor(at, listing, asked, page_key)
            if as_of is None:
                found = self._page(connection, listing, cursor, limited(limit))
            else:
                then = narrowing(filters, as_of, self._tracker.grace)
                found = self._page_as_of(connection, listing, cursor, limited(limit), narrowed=then)
        return paged(found, cursor, asked, limit, lambda item: item.known_state)

    def search(
        self,
        search: Search,
        *,
        organization: str | None = None,
        sort: str = "-last_event_at",
        limit: int = LIMIT,
        page_key: str | None = None,
    ) -> Page[Conversation]:
        """List the conversations that a search finds, those that moved last first.

        All pages are of the moment of the first one: what still runs is measured to then. Raises
        `InvalidInputError` for values that cannot be, and for a page key of another query.
        """
        column, descending = sorting(sort)
        asked = ["search", sort, organization, search]
        order = Listing("conversations", (column, "stream"), (), descending=descending)
        with self._moment() as (connection, at):
            cursor = _cursor(at, order, asked, page_key)
            now = micros(self._tracker.now()) if cursor.now is None else cursor.now
            conditions = search_conditions(search, now, organization)
            listing = Listing(order.table, order.columns, conditions, descending=descending)
            found = self._page(connection, listing, cursor, limited(limit))
        at_first = cursor._replace(now=now)
        return paged(found, at_first, asked, limit, lambda item: item.known_state)

    def transitions(
        self,
        filters: TransitionFilters = TransitionFilters(),  # noqa: B008 — frozen
        *,
        limit: int = LIMIT,
        page_key: str | None = None,
    ) -> Page[Move]:
        """List lifecycle transitions, oldest first."""
        conditions = transition_conditions(filters)
        listing = Listing("transitions", ("since", "stream", "sequence"), conditions)
        return self._list(listing, ["transitions", filters], limit, page_key, _move)

    def sla(
        self,
        filters: SlaFilters = SlaFilters(),  # noqa: B008 — frozen
        *,
        limit: int = LIMIT,
        page_key: str | None = None,
    ) -> Page[SlaEvaluationRow]:
        """List SLA evaluations, in the order in which they began."""
        conditions = sla_conditions(filters)
        listing = Listing("sla_evaluations", ("began_at", "stream", "number"), conditions)
        return self._list(listing, ["sla", filters], limit, page_key, lambda item: item.row)

    def attainment(self, by: By | None, filters: SlaFilters = SlaFilters()) -> list[Share]:  # noqa: B008
        """Give the shares of SLAs kept, broken down; each count is that of the list with its value.

        By tag, a conversation counts for each of its tags.
        """
        columns = {
            None: "NULL, NULL",
            "queue": "t.queue_id, t.queue_name",
            "agent": "t.assignee_id, t.assignee_name",
            "channel": "t.channel, t.channel",
            "tag": "running.tag, running.tag",
        }
        parameters = Parameters()
        condition = where(sla_conditions(filters), parameters)
        tags = (
            "LEFT JOIN (SELECT DISTINCT stream, tag FROM tags WHERE until IS NULL) AS running "
            "ON running.stream = t.stream"
        )
        sql = (
            f"SELECT {columns[by]}, t.status, count(*) FROM sla_evaluations AS t "  # noqa: S608
            f"{tags if by == 'tag' else ''} WHERE {condition} GROUP BY 1, 2, 3"
        )
        with self._moment() as (connection, _):
            found = connection.run(sql, **parameters.values)
        if by == "tag" and filters.tag:
            found = [row for row in found if (row[0] or NOBODY) in filters.tag]
        values = told_apart({row[:2] for row in found})
        shares: dict[str | None, Counter[str]] = defaultdict(Counter)
        for key, name, status, count in found:
            shares[values[key, name]][status] += count
        return [
            Share(name, *(counts[status] for status in Share._fields[1:]))
            for name, counts in sorted(shares.items(), key=lambda item: (item[0] is None, item[0]))
        ]

    def bans(self) -> list[Ban]:
        """List every end user and IP address that ever was banned."""
        with self._moment() as (connection, _):
            found = connection.run("SELECT state FROM bans ORDER BY stream")
        return [decode_ban(bytes(state)) for (state,) in found]

    def stats(self, organization: str | None = None) -> Stats:
        """Count and measure, over all conversations or those of one organization."""
        with self._moment() as (connection, at):
            return measured_stats(connection, at.position, organization, self._tracker.now())

    def daily(self, filters: TransitionFilters = TransitionFilters()) -> list[Day]:  # noqa: B008 — frozen
        """Count transitions by day (UTC), those that fit or all."""
        with self._moment() as (connection, _):
            return daily_counts(connection, transition_conditions(filters))

    def every(self, ask: Callable[..., Page[T]]) -> Iterator[T]:
        """Go through all pages of a listing: `ask` is given the key of each as `page_key`."""
        page = ask()
        yield from page.items
        while page.next_key is not None:
            page = ask(page_key=page.next_key)
            yield from page.items

    def _list(
        self,
        listing: Listing,
        asked: list[Any],
        limit: int,
        page_key: str | None,
        shape: Callable[[Item], T],
    ) -> Page[T]:
        with self._moment() as (connection, at):
            cursor = _cursor(at, listing, asked, page_key)
            found = self._page(connection, listing, cursor, limited(limit))
        return paged(found, cursor, asked, limit, shape)

    @contextmanager
    def _moment(self) -> Iterator[tuple[Connection, Progress]]:
        """Open the moment that a question is answered from, if we can read the rows of it."""
        with self._views.transaction() as connection:
            yield connection, self._views.require_progress(connection)

    def _page(
        self, connection: Connection, listing: Listing, cursor: Cursor, limit: int
    ) -> list[Item]:
        """Give the next rows, and one more to tell whether there is another page.

        Conversations that have moved on since the first page are folded as they were then.
        """
        moved = self._moved(connection, cursor)
        found = listing.select(connection, cursor, limit + 1)
        for stream in moved:
            state = self._state_then(stream, cursor.position)
            found += listing.pick(stream, state, cursor)
        return sorted(found, key=lambda item: item.key, reverse=listing.descending)[: limit + 1]

    def _page_as_of(
        self,
        connection: Connection,
        listing: Listing,
        cursor: Cursor,
        limit: int,
        *,
        narrowed: Narrowed,
    ) -> list[Item]:
        """Fold conversations as they were, in order, until a page is full.

        Those that have moved on since the first page keep the place that they had on it.
        """
        found: list[Item] = []
        for stream in self._moved(connection, cursor):
            for at_first in listing.place(stream, self._state_then(stream, cursor.position)):
                state = self._state_then(stream, cursor.position, narrowed.as_of)
                found += listing.pick(stream, state, cursor, at_first)
        at, unmoved = cursor, 0
        while unmoved <= limit:
            candidates = listing.select(connection, at, _BATCH, narrowed=narrowed)
            for candidate in candidates:
                state = self._state_then(candidate.stream, cursor.position, narrowed.as_of)
                picked = listing.pick(candidate.stream, state, cursor, candidate.key)
                found, unmoved = found + picked, unmoved + len(picked)
            if len(candidates) < _BATCH:
                break
            at = at._replace(after=candidates[-1].key)
        return sorted(found, key=lambda item: item.key, reverse=listing.descending)[: limit + 1]

    def _moved(self, connection: Connection, cursor: Cursor) -> list[str]:
        if cursor.after is None:
            return []  # the first page is of this very moment
        sql = "SELECT stream FROM conversations WHERE position > :position"
        return [stream for (stream,) in connection.run(sql, position=cursor.position)]

    def _state_then(
        self, stream: str, position: int, as_of: datetime | None = None
    ) -> Conversation | None:
        stored = self._tracker.event_recorder.select_stream(stream)
        kept = [event for event in stored if event.id <= position]
        folded = self._tracker.fold(kept, as_of=as_of)
        # Rows of now leave out what the projector skipped, and so do the later pages of their list.
        state = folded.state if as_of is None else folded.require_state()
        return state if isinstance(state, Conversation) else None


def _cursor(at: Progress, listing: Listing, asked: list[Any], key: str | None) -> Cursor:
    return Cursor(at.position, None) if key is None else read_key(key, asked, listing.kinds)


def _move(item: Item) -> Move:
    transition = decode_transition(bytes(item.row.move))
    return Move(item.row.organization_id, item.row.csid, transition)
