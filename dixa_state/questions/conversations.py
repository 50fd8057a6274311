"""Lists of conversations, as they are or as of a moment."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from operator import attrgetter
from typing import Annotated, Literal

from pydantic import Field

from dixa_state.domain import conversation as domain
from dixa_state.domain.lifecycle import Status
from dixa_state.errors import InvalidInputError
from dixa_state.questions.conditions import Beside, Condition, HasValue, Parameters, where
from dixa_state.questions.conversation import Conversation, SlaSummary, describe
from dixa_state.questions.filters import (
    as_stored,
    between,
    in_capitals,
    is_set,
    of_conversation,
    one_of,
    tagged,
    worded,
)
from dixa_state.questions.paging import Listing, Narrowed
from dixa_state.questions.question import (
    MAX_VALUES,
    NONE,
    AsOf,
    Assignees,
    Csid,
    KnownAt,
    Moment,
    Page,
    PagedQuestion,
    Queues,
    Tags,
    Text,
    Texts,
    require_past,
)
from dixa_state.questions.reader import Reader
from dixa_state.questions.sla import DERIVED, DerivedState, in_states
from dixa_state.views.tables import micros

Sort = Literal[
    "-last_event_at",
    "last_event_at",
    "-created_at",
    "created_at",
    "-csid",
    "csid",
    "waiting",
    "-waiting",
    "open_since",
    "-open_since",
    "deadline",
    "-deadline",
]
_COLUMNS = {"waiting": "waiting_since", "open_since": "open_since", "deadline": "deadline"}
"""The columns of sorts that only list conversations with a value."""


class Conversations(PagedQuestion[Conversation]):
    """List conversations that fit every filter, each by one of its values.

    A list as of a moment is sorted by creation.
    """

    status: Annotated[
        tuple[Status, ...], Field(max_length=MAX_VALUES, description="The status.")
    ] = ()
    channel: Texts = Field((), description="Such as EMAIL or WIDGET_CHAT, or `none`.")
    direction: Texts = Field((), description="INBOUND or OUTBOUND.")
    queue: Queues = ()
    assignee: Assignees = ()
    requester: Texts = Field((), description="The id or email of an end user.")
    tag: Tags = ()
    sla: Annotated[
        tuple[Literal[SlaSummary, DerivedState], ...],
        Field(
            max_length=MAX_VALUES,
            description="The worst status of its SLA evaluations; or what one of them is, as the "
            "list of SLA evaluations has it: `due_soon` (within an hour), `overdue`, "
            "`breached_open`, `breached_late`.",
        ),
    ] = ()
    text: Text | None = Field(None, description="Beginnings of words in subject or requester.")
    created_since: Moment | None = Field(None, description="Created at or after this time.")
    created_until: Moment | None = Field(None, description="Created before this time.")
    updated_since: Moment | None = Field(None, description="Newest event at or after this time.")
    updated_until: Moment | None = Field(None, description="Newest event before this time.")
    closed_since: Moment | None = Field(None, description="Ended last at or after this time.")
    closed_until: Moment | None = Field(None, description="Ended last before this time.")
    reopened_since: Moment | None = Field(None, description="Reopened at or after this time.")
    waiting: bool = Field(default=False, description="Only those that wait in a queue.")
    irregular: bool = Field(default=False, description="Only with an irregular transition.")
    missed: bool = Field(default=False, description="Only with proof of a lost webhook.")
    starts_midlife: bool = Field(
        default=False, description="Only with a life before the events that we have."
    )
    csid: Csid | None = Field(None, description="Only of the conversation of this number.")
    sort: Sort = Field(
        "-last_event_at",
        description="What to sort by; `-` for descending. By `waiting` (in a queue), "
        "`open_since` or `deadline` (the next of its SLA evaluations), only what has one.",
    )
    as_of: AsOf = None
    known_at: KnownAt = None

    def answer(self, reader: Reader) -> Page[Conversation]:
        """Return a page of the list."""
        make = partial(describe, now=reader.now(), as_of=self.as_of, known_at=self.known_at)
        return self.states(reader).mapped(make)

    def states(self, reader: Reader) -> Page[domain.Conversation]:
        """Return a page of the list as states."""
        sort, narrowed = self.sort, None
        moment = self.as_of or self.known_at
        if moment is not None:
            require_past(reader.now(), as_of=self.as_of, known_at=self.known_at)
            sort = _sort_as_of(sort)
            narrowed = self.narrowed(reader.tracker.grace)
        found = by_sort(sort, narrowed=narrowed).page(
            reader, self, lambda now: self.conditions(micros(moment) if moment else now)
        )
        return found.mapped(attrgetter("state"))

    def conditions(self, now: int) -> list[Condition]:
        """Return the conditions on the table of conversations, the coarse ones first.

        `now` is in microseconds.
        """
        people = ("assignee_id", "assignee_name", "assignee_email")
        return [
            *of_conversation(self.organization, self.csid),
            *one_of(("status",), self.status),
            *one_of(("channel",), in_capitals(self.channel), or_none=True),
            *one_of(("direction",), in_capitals(self.direction)),
            *_with_sla(self.sla, now),
            *one_of(("queue_id", "queue_name"), self.queue, or_none=True),
            *one_of(people, self.assignee, or_none=True),
            *one_of(("requester_id", "requester_email"), self.requester),
            *tagged(self.tag),
            *worded("text", self.text),
            *between("created_since", "created_at", self.created_since, self.created_until),
            *between("updated_since", "last_event_at", self.updated_since, self.updated_until),
            *between("closed_since", "closed_at", self.closed_since, self.closed_until),
            *between("reopened_since", "reopened_at", self.reopened_since, None),
            *is_set("waiting_since", "text", wanted=self.waiting),
            *is_set("irregular", "count", wanted=self.irregular),
            *is_set("missed", "count", wanted=self.missed),
            *is_set("starts_midlife", wanted=self.starts_midlife),
            *with_place(self.sort),
        ]

    def narrowed(self, grace: timedelta) -> Narrowed:
        """Leave out conversations that cannot fit, by the intervals that their fields had.

        A field may have been inferred for a moment, within the grace, that the intervals know
        nothing of; so they are taken that much wider, and the folded state has the last word. They
        do not know all names that an agent or a queue had either, so only that there was one. Of
        what was known at a moment they know nothing at all.
        """
        parameters = Parameters()
        clauses = [where(of_conversation(self.organization, self.csid), parameters)]
        if self.as_of is not None and self.known_at is None:
            clauses += self._intervals(self.as_of, grace, parameters)
        return Narrowed(" AND ".join(clauses), parameters.values, self.as_of, self.known_at)

    def _intervals(
        self, as_of: datetime, grace: timedelta, parameters: Parameters
    ) -> Iterator[str]:
        moment, margin = micros(as_of), grace // timedelta(microseconds=1)
        low, high = parameters.bind(moment - margin), parameters.bind(moment + margin)
        then = (
            f"i.stream = t.stream AND i.since <= {high} AND (i.until IS NULL OR i.until >= {low})"
        )
        for table, column, values in (
            ("transitions", "after", _before_corrections(self.status)),
            ("tags", "tag", tuple(as_stored(tag) for tag in self.tag)),
            ("assignments", None, self.assignee),
            ("queue_intervals", None, self.queue),
        ):
            if values and NONE not in values:
                fits = f" AND i.{column} IN {parameters.bind_all(values)}" if column else ""
                yield f"EXISTS (SELECT 1 FROM {table} AS i WHERE {then}{fits})"  # noqa: S608


def _with_sla(states: tuple[str, ...], now: int) -> list[Condition]:
    """Return the condition that a conversation is in one of these states, or an evaluation is."""
    derived = tuple(state for state in states if state in DERIVED)
    plain = one_of(("sla_status",), tuple(state for state in states if state not in derived))
    if not derived:
        return plain
    ways = [("sla_evaluations", tuple(in_states((state,), now))) for state in derived]
    if plain:
        ways.append(("conversations", tuple(plain)))
    return [Beside(tuple(ways))]


def by_sort(
    sort: Sort, conditions: Sequence[Condition] = (), narrowed: Narrowed | None = None
) -> Listing:
    """Return the listing of conversations in an order."""
    name = sort.removeprefix("-")
    columns = (_COLUMNS.get(name, name), "stream")
    return Listing("conversations", columns, conditions, sort.startswith("-"), narrowed)


def with_place(sort: Sort) -> list[Condition]:
    """Return the condition that a conversation has a place in an order."""
    name = sort.removeprefix("-")
    return [HasValue(_COLUMNS[name])] if name in _COLUMNS else []


def _sort_as_of(sort: Sort) -> Sort:
    """Return the order of a list as of a moment: views do not know the newest event of then."""
    if sort == "-last_event_at":
        return "-created_at"
    if sort not in ("-created_at", "created_at", "-csid", "csid"):
        raise InvalidInputError(
            f"sort: expected created_at or csid for a list as of a moment, got {sort!r}"
        )
    return sort


def _before_corrections(statuses: tuple[str, ...]) -> tuple[str, ...]:
    """Add what an inferred close may have turned out to be: abandonment."""
    return (*statuses, "abandoned") if "closed" in statuses else statuses
