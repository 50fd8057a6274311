"""Lifecycle transitions and their evidence, of one conversation or of all, and their counts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Literal, cast

from pydantic import Field

from dixa_state.domain import conversation as domain
from dixa_state.domain import lifecycle
from dixa_state.domain.lifecycle import Status
from dixa_state.domain.states import decode_transition
from dixa_state.questions.conditions import Condition, OneOf, select
from dixa_state.questions.conversation import User
from dixa_state.questions.filters import between, is_set, of_conversation, one_of
from dixa_state.questions.paging import Cursor, Item, Keyed, Listing, WholeQuestion
from dixa_state.questions.question import (
    Answer,
    AsOf,
    Csid,
    KnownAt,
    Moment,
    OfConversation,
    Page,
    PagedQuestion,
    Question,
    Time,
    require_past,
)
from dixa_state.questions.reader import Reader
from dixa_state.views.generations import Connection
from dixa_state.views.rows import rows
from dixa_state.views.tables import AssignmentRow, group, micros


class Holder(Answer):
    """The agent who had a conversation at some time."""

    id: str | None = Field(description="Dixa's id.")
    name: str | None = Field(description="The name that Dixa displays.")
    email: str | None = Field(description="The email address.")


class Transition(OfConversation):
    """One change of status of a conversation, with its evidence."""

    sequence: int = Field(description="Its transitions, counted from 1 in event-time order.")
    from_status: Status | None = Field(alias="from", description="The status before; null first.")
    to_status: Status = Field(alias="to", description="The status after.")
    at: Time = Field(description="When it happened.")
    received_at: Time = Field(description="When the webhook that reports it was received.")
    event_id: str = Field(description="The webhook's id.")
    event: str = Field(description="The event, for example conversation.closed.")
    actor: User | None = Field(description="Who did it, where Dixa says so.")
    holder: Holder | None = Field(
        description="The agent who had the conversation then, whoever did it."
    )
    irregular: str | None = Field(description="Why the lifecycle does not foresee it, if so.")
    inferred: bool = Field(description="Known from a snapshot: a webhook was missed.")
    late: bool = Field(description="Its webhook was received after later ones.")
    seconds_in_previous: float | None = Field(description="Seconds in the status before.")


class TransitionFilters(Question[Page[Any]]):
    """The filters on transitions."""

    from_status: Status | None = Field(
        None, alias="from", description="Only transitions from this status."
    )
    to_status: Status | None = Field(
        None, alias="to", description="Only transitions to this status."
    )
    since: Moment | None = Field(None, description="Only transitions at or after this time.")
    until: Moment | None = Field(None, description="Only transitions before this time.")
    irregular: bool = Field(
        default=False, description="Only transitions that the lifecycle does not foresee."
    )
    starts_midlife: bool = Field(
        default=False, description="Only transitions where our history starts midlife."
    )
    inferred: bool = Field(default=False, description="Only transitions known from a snapshot.")
    late: bool = Field(default=False, description="Only transitions whose webhook came late.")

    def conditions(self, csid: int | None = None) -> list[Condition]:
        """Return the conditions on the table of transitions."""
        before, after = self.from_status, self.to_status
        return [
            *of_conversation(self.organization, csid),
            *one_of(("before",), (before,) if before else ()),
            *one_of(("after",), (after,) if after else ()),
            *between("since", "since", self.since, self.until),
            *is_set("irregular", "text", wanted=self.irregular),
            *is_set("starts_midlife", wanted=self.starts_midlife),
            *is_set("inferred", wanted=self.inferred),
            *is_set("late", wanted=self.late),
        ]


class Transitions(TransitionFilters, PagedQuestion[Transition]):
    """List lifecycle transitions and their evidence."""

    csid: Csid | None = Field(None, description="Only of the conversation of this number.")
    sort: Literal["at", "-at"] = Field("at", description="`at`: oldest first, or `-at`.")

    def answer(self, reader: Reader) -> Page[Transition]:
        """Return a page of the list."""
        listing = Listing(
            "transitions",
            ("since", "stream", "sequence"),
            self.conditions(self.csid),
            descending=self.sort == "-at",
        )
        with reader.moment() as (connection, at):
            page = listing.page_of(reader, connection, at.position, self)
            held = _assignments(connection, page.items)
        return page.mapped(lambda item: _transition(item, held[item.stream]))


class ConversationTransitions(TransitionFilters, WholeQuestion[Transition]):
    """List the lifecycle transitions of one conversation and their evidence, oldest first."""

    csid: Csid
    as_of: AsOf = None
    known_at: KnownAt = None

    def answer(self, reader: Reader) -> Page[Transition]:
        """Return a page of the list."""
        return self.slice(reader)

    def keyed(self, reader: Reader, position: int) -> Iterable[Keyed[Transition]]:
        """Return every transition that fits, by its sequence."""
        require_past(reader.now(), as_of=self.as_of, known_at=self.known_at)
        state = reader.tracker.conversation(
            self.csid,
            organization=self.organization,
            as_of=self.as_of,
            known_at=self.known_at,
            up_to=position,
        )
        listing = Listing("transitions", ("since", "sequence"), self.conditions())
        found, held = listing.pick("", state, Cursor(0, None)), assignments_of(state)
        return [((item.row.sequence,), _transition(item, held)) for item in found]


class TransitionCount(Answer):
    """The transitions from one status to another; the list with the same filters has as many."""

    from_status: Status | None = Field(alias="from", description="The status before; null first.")
    to_status: Status = Field(alias="to", description="The status after.")
    count: int = Field(description="How many there were.")
    median: float | None = Field(description="Median seconds in the status before.")


class TransitionMatrix(TransitionFilters):
    """Count lifecycle transitions by where from and where to, with the median time before them."""

    def answer(self, reader: Reader) -> Page[TransitionCount]:
        """Return the counts, all on one page."""
        with reader.moment() as (connection, at):
            found = select(connection, _MATRIX, self.conditions())
        counted = [
            TransitionCount(from_status=before, to_status=after, count=count, median=median)
            for before, after, count, median in found
        ]
        return Page(counted, None, at.position)


# The median by nearest rank, as of all durations; both databases divide whole numbers alike.
_MATRIX = """
SELECT before, after, many, seconds FROM (
    SELECT t.before, t.after, (t.since - earlier.since) / 1000000.0 AS seconds,
        count(*) OVER (PARTITION BY t.before, t.after) AS many,
        row_number() OVER (
            PARTITION BY t.before, t.after ORDER BY t.since - earlier.since
        ) AS place
    FROM transitions AS t
    LEFT JOIN transitions AS earlier
        ON earlier.stream = t.stream AND earlier.sequence = t.sequence - 1
    WHERE {where}
) AS ranked WHERE place = (many + 1) / 2 ORDER BY before IS NOT NULL, before, after
"""


def describe_transition(
    organization_id: str | None,
    csid: int,
    transition: lifecycle.Transition,
    held: Iterable[AssignmentRow] = (),
) -> Transition:
    """Return a transition as JSON has it; `held` are the assignments of the conversation."""
    return Transition(
        organization_id=organization_id,
        csid=csid,
        sequence=transition.sequence,
        from_status=transition.before,
        to_status=transition.after,
        at=transition.at,
        received_at=transition.received_at,
        event_id=transition.event_id,
        event=transition.topic,
        actor=transition.actor,
        holder=_holder(held, micros(transition.at)),
        irregular=transition.irregular,
        inferred=transition.inferred,
        late=transition.late,
        seconds_in_previous=transition.seconds_in_previous,
    )


def assignments_of(state: domain.Conversation) -> list[AssignmentRow]:
    """Return the assignments of a conversation as the views have them."""
    return cast("list[AssignmentRow]", group(rows("", state))["assignments"])


def _transition(item: Item, held: Iterable[AssignmentRow]) -> Transition:
    transition = decode_transition(bytes(item.row.move))
    return describe_transition(item.row.organization_id, item.row.csid, transition, held)


def _assignments(
    connection: Connection, items: Iterable[Item]
) -> Mapping[str, list[AssignmentRow]]:
    """Return the assignments of the conversations on a page: from their rows, or as folded."""
    states = {item.stream: item.state for item in items if item.state}
    folded = {stream: assignments_of(state) for stream, state in states.items()}
    held: dict[str, list[AssignmentRow]] = defaultdict(list, folded)
    streams = {item.stream for item in items} - held.keys()
    if streams:
        sql = f"SELECT {', '.join(AssignmentRow._fields)} FROM assignments AS t WHERE {{where}}"  # noqa: S608
        among = OneOf(("stream",), tuple(sorted(streams)))
        for row in map(AssignmentRow._make, select(connection, sql, [among])):
            held[row.stream].append(row)
    return held


def _holder(held: Iterable[AssignmentRow], at: int) -> Holder | None:
    for row in held:
        if row.since <= at and (row.until is None or at < row.until):
            return Holder(id=row.agent_id, name=row.agent_name, email=row.agent_email)
    return None
