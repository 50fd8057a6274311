"""The lifecycle: the statuses, the moves between them, and how a move is judged."""

from datetime import datetime, timedelta
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import Event, User

Status = Literal["open", "pending", "closed", "abandoned"]
STATUSES: tuple[Status, ...] = get_args(Status)

Irregularity = Literal["unexpected_from", "abandoned_with_assignee", "history_starts_midlife"]


class Move(Struct, frozen=True):
    """Where an event leads, and from where that is regular (None: from nothing)."""

    to: Status
    regular_from: frozenset[Status | None]


CREATED = Move(to="open", regular_from=frozenset({None}))
REOPENED = Move(to="open", regular_from=frozenset({"closed", "abandoned", "pending"}))
FOLLOW_UP_ADDED = Move(to="pending", regular_from=frozenset({"open"}))
FOLLOW_UP_EXPIRED = Move(to="open", regular_from=frozenset({"pending"}))
CLOSED = Move(to="closed", regular_from=frozenset({"open", "pending"}))
ABANDONED = Move(to="abandoned", regular_from=frozenset({"open", "pending"}))


class Transition(Struct, frozen=True):
    """One change of status: from where, to where, when, and on what evidence.

    `sequence` counts from 1 in event-time order. `inferred` says that no webhook told of the change
    itself: the snapshot of the event named here gave it away.
    """

    sequence: int
    before: Status | None
    after: Status
    at: datetime
    received_at: datetime
    event_id: str
    topic: str
    actor: User | None
    irregular: Irregularity | None
    inferred: bool
    late: bool
    seconds_in_previous: float | None

    @property
    def is_reopen(self) -> bool:
        """Whether a conversation that had ended was opened again."""
        return self.after == "open" and self.before in ("closed", "abandoned")


class Lifecycle(Struct, frozen=True):
    """The status and how it came about; `told_at` is when an event last spoke about the status."""

    status: Status | None = None
    transitions: tuple[Transition, ...] = ()
    told_at: datetime | None = None

    @property
    def since(self) -> datetime | None:
        """Since when the status holds."""
        return self.transitions[-1].at if self.transitions else None


def status_from_dixa(text: str | None) -> Status | None:
    """Read the status in a snapshot; None where it says nothing about the lifecycle.

    Webhooks write `OPEN`, the REST API `Open`. `AWAITING_PENDING` is a moment on the way to pending
    that no event reports, so it moves nothing.
    """
    return None if text is None else _FROM_DIXA.get(text.casefold())


_FROM_DIXA: dict[str, Status] = {"open": "open", "pending": "pending", "closed": "closed"}


def move(life: Lifecycle, event: Event, way: Move, *, assigned: bool) -> Lifecycle:
    """Follow an event about the status; a repeat of the same status is no transition."""
    told = replace(life, told_at=event.at)
    if life.status == way.to:
        return told
    return _with_transition(told, event, way.to, irregular=_judge(life, way, assigned=assigned))


def observe(life: Lifecycle, event: Event, status: Status) -> Lifecycle:
    """Follow the status in a snapshot that is to be believed against the one told by events."""
    if life.status == meant(life, status):
        return life
    told = replace(life, told_at=event.at)
    midlife: Irregularity | None = None if life.transitions else "history_starts_midlife"
    return _with_transition(told, event, status, irregular=midlife, inferred=True)


def meant(life: Lifecycle, shown: Status) -> Status:
    """Read what a snapshot shows: Dixa has no status for abandoned, it says closed."""
    return "abandoned" if (life.status, shown) == ("abandoned", "closed") else shown


def without_guess(life: Lifecycle, event: Event, to: Status, grace: timedelta) -> Lifecycle:
    """Take back the inference that this event explains: its change was seen a moment before it.

    One action at Dixa sends several webhooks, and the first may show what the next one tells.
    """
    last = life.transitions[-1] if life.transitions else None
    if last is None or not last.inferred or event.at - last.at > grace:
        return life
    if last.after != ("closed" if to == "abandoned" else to):
        return life
    return replace(life, status=last.before, transitions=life.transitions[:-1])


def _judge(life: Lifecycle, way: Move, *, assigned: bool) -> Irregularity | None:
    if life.status not in way.regular_from:
        return "unexpected_from" if life.transitions else "history_starts_midlife"
    if way.to == "abandoned" and assigned:
        return "abandoned_with_assignee"
    return None


def _with_transition(
    life: Lifecycle,
    event: Event,
    after: Status,
    *,
    irregular: Irregularity | None,
    inferred: bool = False,
) -> Lifecycle:
    since = life.since
    transition = Transition(
        sequence=len(life.transitions) + 1,
        before=life.status,
        after=after,
        at=event.at,
        received_at=event.received_at,
        event_id=event.event_id,
        topic=event.topic,
        actor=None if inferred else event.actor,
        irregular=irregular,
        inferred=inferred,
        late=event.late,
        seconds_in_previous=None if since is None else (event.at - since).total_seconds(),
    )
    return replace(life, status=after, transitions=(*life.transitions, transition))
