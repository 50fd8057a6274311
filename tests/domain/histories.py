"""Random histories: some in which anything happens, some in which Dixa does everything right."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st
from msgspec import UNSET, Struct
from msgspec.structs import replace
from story import ANNA, BOT, LOGISTICS, METTE, OMAR, PER, SUPPORT, TRAVEL, at, clock

from dixa_state.domain.events import (
    Abandoned,
    AnyFact,
    Assigned,
    BanReported,
    Closed,
    Created,
    CustomAttributesUpdated,
    DeliveryReported,
    EndUserReplaced,
    Enqueued,
    Event,
    FollowUpAdded,
    FollowUpExpired,
    MessageAdded,
    NoteAdded,
    Queue,
    Rated,
    Reopened,
    SlaEvaluated,
    Snapshot,
    TagAdded,
    TagRemoved,
    TransferredToAgent,
    TransferredToQueue,
    TypingStarted,
    Unassigned,
    Unrecognised,
    User,
    mark_late,
)

MILLISECOND = timedelta(milliseconds=1)
GAPS = tuple(
    timedelta(milliseconds=gap) for gap in (0, 0, 1, 500, 4_000, 9_999, 10_000, 10_001, 3_600_000)
)
LIFECYCLE = Created, Reopened, FollowUpAdded, FollowUpExpired, Closed, Abandoned

AGENTS = ANNA, OMAR, User(id="anna"), User(name="Anna")
QUEUES = SUPPORT, LOGISTICS, Queue("support"), Queue(name="Support")
TAGS = "tent", "pole", None
FACTS: tuple[AnyFact, ...] = (
    *(kind() for kind in LIFECYCLE * 3),
    *(kind(agent=agent) for kind in (Assigned, TransferredToAgent) for agent in (*AGENTS, UNSET)),
    *(Unassigned(agent=agent) for agent in (*AGENTS, None)),
    *(
        kind(queue=queue)
        for kind in (Enqueued, TransferredToQueue, Abandoned)
        for queue in (*QUEUES, None, UNSET)
    ),
    *(
        MessageAdded(direction=direction, author=author)
        for direction in ("inbound", "outbound", None)
        for author in (ANNA, METTE, BOT, None)
    ),
    *(kind(tag=tag) for kind in (TagAdded, TagRemoved) for tag in TAGS),
    *(EndUserReplaced(new=new, old=old) for new in (METTE, PER, None) for old in (METTE, None)),
    *(CustomAttributesUpdated(values=values) for values in ({}, {"order": "1"}, {"size": None})),
    *(Rated(type=kind, score=score) for kind in ("Csat", None) for score in (0, 5, None)),
    *(
        SlaEvaluated(status=status, id=name, policy="Gold")
        for status in ("pending", "breached", "achieved", "voided")
        for name in ("e1", None)
    ),
    *(DeliveryReported(fate=fate) for fate in ("sent", "failed")),
    NoteAdded(author=ANNA),
    TypingStarted(agent=ANNA),
    Unrecognised(fqn="CONVERSATION_MERGED"),
    BanReported(banned=True, user=METTE),
    BanReported(banned=False),
    BanReported(banned=True, address="203.0.113.7"),
    BanReported(banned=False),
)


def snapshots() -> st.SearchStrategy[Snapshot]:
    """What a body may show: anything, and often nothing."""
    return st.builds(
        Snapshot,
        status=st.sampled_from(["OPEN", "PENDING", "CLOSED", "AWAITING_PENDING", "?", None]),
        direction=st.sampled_from(["INBOUND", "OUTBOUND", None]),
        created_at=st.sampled_from([None, clock("07:59"), clock("08:01")]),
        requester=st.sampled_from([METTE, PER, None]),
        assignee=st.sampled_from([*AGENTS, None, UNSET]),
        queue=st.sampled_from([*QUEUES, None, UNSET]),
        subject=st.sampled_from(["Tent", "Poles", None]),
        tags=st.sampled_from([frozenset(), frozenset({"tent"}), frozenset({"tent", "pole"}), None]),
        tag_ids=st.sampled_from([{}, {"tent": "t1"}, {"tent": "t2", "pole": "p1"}]),
        custom_attributes=st.sampled_from([{}, {"order": "2"}, None]),
        attribute_ids=st.sampled_from([{}, {"order": "a1"}, {"order": "a2"}]),
    )


def _placed(drawn: list[tuple[timedelta, AnyFact, Snapshot | None, User | None]]) -> list[Event]:
    """One after the other, under ids in another order."""
    events = []
    moment = clock("08:00")
    for number, (gap, fact, shows, by) in enumerate(drawn):
        moment += gap
        event_id = f"{number * 7919 % 101:03}"
        events.append(replace(at("08:00", fact, shows=shows, by=by), at=moment, event_id=event_id))
    return events


def delivered(events: list[Event]) -> list[Event]:
    """The events as they are stored when they arrive in this order, a second apart."""
    start = clock("12:00")
    return mark_late(
        replace(event, version=number, position=number * 3, received_at=start + number * TRAVEL)
        for number, event in enumerate(events, 1)
    )


def histories(*, min_size: int = 0) -> st.SearchStrategy[list[Event]]:
    """Anything at all, in any order of arrival."""
    drawn = st.tuples(
        st.sampled_from(GAPS),
        st.sampled_from(FACTS),
        st.none() | snapshots(),
        st.sampled_from([ANNA, None]),
    )
    placed = st.lists(drawn, min_size=min_size, max_size=14).map(_placed)
    return placed.flatmap(st.permutations).map(delivered)


class Truth(Struct, frozen=True):
    """A conversation as it really is."""

    status: str = "open"
    assignee: User | None = None
    queue: Queue | None = None

    def shown(self) -> Snapshot:
        """How Dixa shows it: abandoned is closed there."""
        status = "CLOSED" if self.status == "abandoned" else self.status.upper()
        return Snapshot(status=status, assignee=self.assignee, queue=self.queue)


class Lived(Struct, frozen=True):
    """A history in which every webhook came, and the truth after it."""

    events: list[Event]
    truth: Truth
    held: int


Deed = tuple[AnyFact, dict[str, Any]]


def _deeds(truth: Truth) -> list[list[Deed]]:
    """What can happen next, as the webhooks of it: one action may send several webhooks."""
    deeds: list[list[Deed]] = [[(MessageAdded(direction="inbound"), {})], [(NoteAdded(), {})]]
    if truth.status in ("closed", "abandoned"):
        return [*deeds, [(Reopened(), {"status": "open"})]]
    if truth.status == "pending":
        deeds.append([(FollowUpExpired(), {"status": "open"})])
        deeds.append([(Reopened(), {"status": "open"})])
    else:
        deeds.append([(FollowUpAdded(), {"status": "pending"})])
    deeds.append([(Closed(), {"status": "closed"})])
    deeds.append([(Enqueued(queue=LOGISTICS), {"queue": LOGISTICS})])
    if truth.assignee is None:
        deeds.append([(Abandoned(queue=truth.queue), {"status": "abandoned"})])
        deeds.extend([(Assigned(agent=agent), {"assignee": agent})] for agent in (ANNA, OMAR))
        return deeds
    other = OMAR if truth.assignee == ANNA else ANNA
    deeds.append([(Unassigned(agent=truth.assignee), {"assignee": None})])
    deeds.append(
        [
            (TransferredToAgent(agent=other), {"assignee": other}),
            (Unassigned(agent=truth.assignee), {}),
            (Assigned(agent=other), {}),
        ]
    )
    return deeds


@st.composite
def lives(
    draw: st.DrawFn, *, around: Callable[[st.DrawFn, Event, Truth], list[Event]] | None = None
) -> Lived:
    """A conversation that does what conversations do, reported without a gap, with true snapshots.

    `around` gives more events around each one, from it and the truth before it.
    """
    truth, moment, held = Truth(), clock("08:00"), 0
    events = [replace(at("08:00", Created(), shows=truth.shown()), event_id="000")]
    gaps = [timedelta(minutes=1)] if around else [gap for gap in GAPS if gap]
    for _ in range(draw(st.integers(0, 9))):
        deed = draw(st.sampled_from(_deeds(truth)))
        moment += draw(st.sampled_from(gaps))
        for fact, changes in deed:
            before, truth = truth, replace(truth, **changes)
            held += "assignee" in changes and truth.assignee is not None
            event = replace(at("08:00", fact, shows=truth.shown()), at=moment)
            events.append(event)
            events.extend(around(draw, event, before) if around else _beside(draw, event))
            moment += MILLISECOND
    numbered = [
        replace(event, event_id=f"{number * 7919 % 101:03}") for number, event in enumerate(events)
    ]
    return Lived(numbered, truth, held)


def _beside(draw: st.DrawFn, event: Event) -> list[Event]:
    """Perhaps another event in the same millisecond."""
    fact = draw(st.sampled_from([None, MessageAdded(direction="outbound"), NoteAdded()]))
    return [replace(event, fact=fact)] if fact else []


def blurred(draw: st.DrawFn, event: Event, before: Truth) -> list[Event]:
    """Another event a moment before, that shows what is to come, and one after, that is stale."""
    moments = st.sampled_from([timedelta(0), MILLISECOND, timedelta(seconds=10)])
    ahead = replace(event, fact=NoteAdded(), at=event.at - draw(moments))
    stale = replace(event, fact=NoteAdded(), at=event.at + draw(moments), snapshot=before.shown())
    return [ahead, stale]


def later(lived: Lived, moment: timedelta) -> Event:
    """A last event this much later, that shows the truth."""
    newest: datetime = max(event.at for event in lived.events)
    last = at("08:00", NoteAdded(), shows=lived.truth.shown())
    return replace(last, at=newest + moment, event_id="last")
