"""The lifecycle: the statuses, the rules for transitions between them, and the transitions."""

from datetime import datetime, timedelta
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import Event, User

Status = Literal["open", "pending", "closed", "abandoned"]
STATUSES: tuple[Status, ...] = get_args(Status)

Irregularity = Literal["unexpected_from", "abandoned_with_assignee", "history_starts_midlife"]


class TransitionRule(Struct, frozen=True):
    """The status that an event leads to, and those from which that is regular (None: the start)."""

    to: Status
    regular_from: frozenset[Status | None]


CREATED = TransitionRule(to="open", regular_from=frozenset({None}))
REOPENED = TransitionRule(to="open", regular_from=frozenset({"closed", "abandoned", "pending"}))
FOLLOW_UP_ADDED = TransitionRule(to="pending", regular_from=frozenset({"open"}))
FOLLOW_UP_EXPIRED = TransitionRule(to="open", regular_from=frozenset({"pending"}))
CLOSED = TransitionRule(to="closed", regular_from=frozenset({"open", "pending"}))
ABANDONED = TransitionRule(to="abandoned", regular_from=frozenset({"open", "pending"}))


class Transition(Struct, frozen=True):
    """One change of status: from where, to where, when, and on what evidence.

    `sequence` counts from 1 in event-time order. `inferred` means that no webhook reported the
    change itself: the snapshot of the event named here is the evidence.
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
    """The status and how it came about; `reported_at` is when an event last reported the status."""

    status: Status | None = None
    transitions: tuple[Transition, ...] = ()
    reported_at: datetime | None = None

    @property
    def since(self) -> datetime | None:
        """Since when the status holds."""
        return self.transitions[-1].at if self.transitions else None


def status_from_dixa(text: str | None) -> Status | None:
    """Read the status in a snapshot; None where it says nothing about the lifecycle.

    Webhooks write `OPEN`, the REST API `Open`. `AWAITING_PENDING` is a moment on the way to pending
    that no event reports, so it changes nothing.
    """
    return None if text is None else _FROM_DIXA.get(text.casefold())


_FROM_DIXA: dict[str, Status] = {"open": "open", "pending": "pending", "closed": "closed"}


def apply_rule(life: Lifecycle, event: Event, rule: TransitionRule, *, assigned: bool) -> Lifecycle:
    """Apply an event about the status; a repeat of the same status is no transition."""
    reported = replace(life, reported_at=event.at)
    if life.status == rule.to:
        return reported
    return _with_transition(
        reported, event, rule.to, irregular=_judge(life, rule, assigned=assigned)
    )


def infer_status(life: Lifecycle, event: Event, status: Status) -> Lifecycle:
    """Apply the status in a credible snapshot, which no event about the status reported."""
    if life.status == interpret_status(life, status):
        return life
    reported = replace(life, reported_at=event.at)
    midlife: Irregularity | None = None if life.transitions else "history_starts_midlife"
    return _with_transition(reported, event, status, irregular=midlife, inferred=True)


def interpret_status(life: Lifecycle, status: Status) -> Status:
    """Return what a status in a snapshot means: Dixa calls an abandoned conversation closed."""
    return "abandoned" if (life.status, status) == ("abandoned", "closed") else status


def retract_inferred(life: Lifecycle, event: Event, to: Status, grace: timedelta) -> Lifecycle:
    """Retract the inferred transition that this event explains.

    One action at Dixa sends several webhooks, and the snapshot of the first may already contain the
    change that the next one reports.
    """
    last = life.transitions[-1] if life.transitions else None
    if last is None or not last.inferred or event.at - last.at > grace:
        return life
    if last.after != ("closed" if to == "abandoned" else to):
        return life
    return replace(life, status=last.before, transitions=life.transitions[:-1])


def _judge(life: Lifecycle, rule: TransitionRule, *, assigned: bool) -> Irregularity | None:
    if life.status not in rule.regular_from:
        return "unexpected_from" if life.transitions else "history_starts_midlife"
    if rule.to == "abandoned" and assigned:
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
        sequence=life.transitions[-1].sequence + 1 if life.transitions else 1,
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
