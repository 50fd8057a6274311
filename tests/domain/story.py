"""The history of one conversation on one day, a line per event.

    state = after(at("08:00", Created()), at("09:00", Closed(), shows=Snapshot(status="CLOSED")))

Events are given in order of arrival; ids, versions, positions and times of receipt follow.
"""

from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from dixa_state.domain.conversation import Conversation, initial
from dixa_state.domain.events import (
    Abandoned,
    AnyFact,
    Closed,
    Created,
    Event,
    FollowUpAdded,
    FollowUpExpired,
    NoteAdded,
    Queue,
    Reopened,
    Snapshot,
    User,
    believed,
    mark_late,
)
from dixa_state.domain.evidence import GRACE
from dixa_state.domain.fold import evolve
from dixa_state.domain.lifecycle import Status

ORGANIZATION = "aurora"
CSID = 33356

ANNA = User(id="anna", name="Anna", user_type="Member")
OMAR = User(id="omar", name="Omar", user_type="Member")
BOT = User(id="bot", name="Autoreply", user_type="Bot")
METTE = User(id="mette", name="Mette", user_type="Contact")
PER = User(id="per", name="Per", user_type="Contact")
SUPPORT = Queue("support", "Support")
LOGISTICS = Queue("logistics", "Logistics")

TRAVEL = timedelta(seconds=1)
TOPICS: dict[type[AnyFact], str] = {
    Created: "conversation.created",
    Reopened: "conversation.open",
    FollowUpAdded: "conversation.pending",
    FollowUpExpired: "conversation.pending_expired",
    Closed: "conversation.closed",
    Abandoned: "conversation.abandoned",
    NoteAdded: "conversation.note_added",
}


def clock(time: str) -> datetime:
    """A time of the day, such as 08:00 or 08:00:05.250."""
    return datetime.fromisoformat(f"2026-03-02T{time}").replace(tzinfo=UTC)


def wall(time: datetime | None) -> str | None:
    """The time as `clock` reads it, without a zero at the end."""
    if time is None:
        return None
    if time.microsecond:
        return time.strftime("%H:%M:%S.%f")[:-3]
    return time.strftime("%H:%M:%S") if time.second else time.strftime("%H:%M")


def at(
    time: str,
    fact: AnyFact,
    *,
    shows: Snapshot | None = None,
    by: User | None = None,
    received: str | None = None,
) -> Event:
    """An event named after its fact and time, such as `Closed@09:00`."""
    return Event(
        organization_id=ORGANIZATION,
        event_id=f"{type(fact).__name__}@{time}",
        topic=TOPICS.get(type(fact), "conversation.other"),
        at=clock(time),
        fact=fact,
        actor=by,
        snapshot=shows,
        received_at=clock(received) if received else clock(time) + TRAVEL,
        version=0,
        position=0,
    )


def seen(time: str, **shows: object) -> Event:
    """An event about nothing that a snapshot shows, which shows these fields."""
    return at(time, NoteAdded(), shows=Snapshot(**shows))


def named(event_id: str, event: Event) -> Event:
    """The event under another id, where the order of ids counts."""
    return replace(event, event_id=event_id)


def arrived(*events: Event) -> list[Event]:
    """The events as their stream holds them, if they arrived in this order."""
    numbered = []
    received_at = clock("00:00")
    for number, event in enumerate(events, 1):
        received_at = max(received_at, event.received_at)
        numbered.append(replace(event, version=number, position=number, received_at=received_at))
    return mark_late(numbered)


def after(
    *events: Event,
    as_of: str | None = None,
    known_at: str | None = None,
    grace: timedelta = GRACE,
) -> Conversation:
    """The state after these events, which arrived in this order."""
    kept = believed(
        arrived(*events),
        as_of=clock(as_of) if as_of else None,
        known_at=clock(known_at) if known_at else None,
    )
    ordered = sorted(kept, key=lambda event: event.order)
    return evolve(initial(ORGANIZATION, CSID), *ordered, grace=grace)


def transitions(state: Conversation) -> list[tuple[Status | None, Status, str | None]]:
    """The transitions: from, to, and when."""
    return [
        (transition.before, transition.after, wall(transition.at))
        for transition in state.life.transitions
    ]


def assignments(state: Conversation) -> list[tuple[str | None, str | None, str | None, str]]:
    """The assignments: to whom, from when, until when, and how."""
    return [
        (assignment.agent.name, wall(assignment.since), wall(assignment.until), assignment.how)
        for assignment in state.assignments
    ]


def visits(state: Conversation) -> list[tuple[str | None, str | None, str | None, str | None]]:
    """The queue visits: where, from when, until when, and how they ended."""
    return [
        (
            visit.queue.name if visit.queue else None,
            wall(visit.enqueued_at),
            wall(visit.left_at),
            visit.outcome,
        )
        for visit in state.visits
    ]
