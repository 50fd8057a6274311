"""The lifecycle: the statuses, the rules for transitions between them, and the transitions."""

from datetime import datetime, timedelta
from typing import Literal, get_args

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import Event, User, is_later
from dixa_state.domain.losses import Loss, prove_loss

Status = Literal["open", "pending", "closed", "abandoned"]
STATUSES: tuple[Status, ...] = get_args(Status)
ENDED: tuple[Status, ...] = ("closed", "abandoned")
RUNNING: tuple[Status, ...] = tuple(status for status in STATUSES if status not in ENDED)

Irregularity = Literal["unexpected_from", "abandoned_with_assignee", "history_starts_midlife"]


class TransitionRule(Struct, gc=False, frozen=True):
    """The status that an event leads to, and those from which that is regular (None: the start).

    `repeat` is what the event means where the conversation has that status already: that a webhook
    was lost, or more exactly that a reopening was. `proves_loss` is whether an irregular transition
    means that one was.
    """

    to: Status
    regular_from: frozenset[Status | None]
    repeat: Literal["nothing", "loss", "reopening"] = "loss"
    proves_loss: bool = True


CREATED = TransitionRule("open", frozenset({None}), repeat="nothing", proves_loss=False)
REOPENED = TransitionRule("open", frozenset(STATUSES) - {"open"})
FOLLOW_UP_ADDED = TransitionRule("pending", frozenset({"open"}))
FOLLOW_UP_EXPIRED = TransitionRule("open", frozenset({"pending"}))
CLOSED = TransitionRule("closed", frozenset(RUNNING), repeat="reopening")
ABANDONED = TransitionRule("abandoned", frozenset(RUNNING), repeat="reopening")


class Transition(Struct, gc=False, frozen=True):
    """One change of status: from where, to where, when, and on what evidence.

    `sequence` counts from 1 in event-time order. `inferred` means that no webhook reported the
    change itself: the event named here is the evidence, and `at` is an upper bound.
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
        """Return whether a conversation that had ended went on."""
        return self.before in ENDED and self.after not in ENDED

    @property
    def starts_midlife(self) -> bool:
        """Return whether this is where our history starts, but not that of the conversation."""
        return self.irregular == "history_starts_midlife"


class Summary(Struct, gc=False, frozen=True):
    """Sums over the transitions, so that no event walks through all of them.

    `irregular` does not count a history that starts midlife. `ended_at` is the last close or
    abandonment. `inexact` are the statuses that began or ended at a time that is only an upper
    bound. `doubtful` means that a repeated status proved an unknown transition.
    """

    irregular: int = 0
    inferred: int = 0
    reopens: int = 0
    reopened_at: datetime | None = None
    ended_at: datetime | None = None
    first_closed_at: datetime | None = None
    last_closed_at: datetime | None = None
    first_closed_bound: bool = False
    last_closed_bound: bool = False
    inexact: frozenset[Status] = frozenset()
    doubtful: bool = False


class Lifecycle(Struct, gc=False, frozen=True):
    """The status and how it came about; `reported_at` is when an event last reported the status.

    `had` are the statuses that the conversation has had, `losses` the lost webhooks about them.
    `undo_summary` and `undo_losses` are what was before the last transition, which may turn out to
    be the beginning of another one.
    """

    status: Status | None = None
    transitions: tuple[Transition, ...] = ()
    reported_at: datetime | None = None
    had: frozenset[Status] = frozenset()
    losses: tuple[Loss, ...] = ()
    summary: Summary = Summary()
    undo_summary: Summary = Summary()
    undo_losses: int = 0

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


def interpret_status(life: Lifecycle, status: Status) -> Status:
    """Return what a status in a snapshot means: Dixa calls an abandoned conversation closed."""
    return "abandoned" if (life.status, status) == ("abandoned", "closed") else status


def is_one_ending(life: Lifecycle, event: Event, rule: TransitionRule, grace: timedelta) -> bool:
    """Return whether CLOSED and ABANDONED were both sent for one ending, in either order."""
    other = {"closed": ABANDONED, "abandoned": CLOSED}.get(life.status or "")
    return rule is other and not is_later(event, life.reported_at, grace)


def apply_rule(
    life: Lifecycle, event: Event, rule: TransitionRule, grace: timedelta, *, with_agent: bool
) -> Lifecycle:
    """Apply an event about the status; `with_agent` where its own snapshot shows an assignee."""
    at, later = event.at, is_later(event, life.reported_at, grace)
    if is_one_ending(life, event, rule, grace):
        if rule.to == "closed":  # abandoned is the more specific word
            return replace(life, reported_at=event.at)
        at, later = min(at, life.since or at), True
        life = _without_last(life)
    if life.status == rule.to:
        if rule.repeat == "nothing" or not later:
            return replace(life, reported_at=event.at)
        return _repeated(life, event, rule, at)
    return _with_transition(life, event, rule, at=at, irregular=_judge(life, rule, with_agent))


def infer_status(life: Lifecycle, event: Event, status: Status, grace: timedelta) -> Lifecycle:
    """Apply the status in a snapshot where it is credible, since no event reported it."""
    if life.status == interpret_status(life, status):
        return life
    had = life.had.intersection(ENDED if status == "closed" else [status])
    if had and not is_later(event, life.reported_at, grace):
        return life  # it may be a moment stale, which a status that it never had cannot be
    midlife: Irregularity | None = None if life.transitions else "history_starts_midlife"
    return _with_transition(life, event, TransitionRule(status, frozenset()), irregular=midlife)


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
    return _without_last(life)


def _judge(life: Lifecycle, rule: TransitionRule, with_agent: bool) -> Irregularity | None:  # noqa: FBT001 — private
    if life.status not in rule.regular_from:
        return "unexpected_from" if life.transitions else "history_starts_midlife"
    if rule.to == "abandoned" and with_agent:
        return "abandoned_with_assignee"
    return None


def _repeated(life: Lifecycle, event: Event, rule: TransitionRule, at: datetime) -> Lifecycle:
    """Record that a webhook was lost before this event, with the reopening that this implies."""
    loss = prove_loss(event, "repeat", "status", life.reported_at)
    if rule.repeat == "loss":  # the status in between is unknown, so none is made up
        doubtful = replace(life.summary, doubtful=True)
        return replace(life, reported_at=event.at, losses=life.losses + loss, summary=doubtful)
    reopened = _with_transition(life, event, _LOST_REOPENING, at=at)
    return _with_transition(replace(reopened, losses=life.losses + loss), event, rule, at=at)


_LOST_REOPENING = TransitionRule("open", frozenset())


def _with_transition(
    life: Lifecycle,
    event: Event,
    rule: TransitionRule,
    *,
    irregular: Irregularity | None = None,
    at: datetime | None = None,
) -> Lifecycle:
    """Add a transition; it is inferred where the rule is that of no event."""
    at, since, inferred = at or event.at, life.since, not rule.regular_from
    transition = Transition(
        sequence=life.transitions[-1].sequence + 1 if life.transitions else 1,
        before=life.status,
        after=rule.to,
        at=at,
        received_at=event.received_at,
        event_id=event.event_id,
        topic=event.topic,
        actor=None if inferred else event.actor,
        irregular=irregular,
        inferred=inferred,
        late=event.late,
        seconds_in_previous=None if since is None else (at - since).total_seconds(),
    )
    return replace(
        life,
        status=rule.to,
        transitions=(*life.transitions, transition),
        reported_at=event.at,
        had=_had(life, rule),
        losses=life.losses + _losses(life, event, rule, irregular),
        summary=_summarised(life.summary, transition),
        undo_summary=life.summary,
        undo_losses=len(life.losses),
    )


def _losses(
    life: Lifecycle, event: Event, rule: TransitionRule, irregular: Irregularity | None
) -> tuple[Loss, ...]:
    if irregular == "unexpected_from" and rule.proves_loss:
        return prove_loss(event, "unexpected", "status", life.reported_at)
    if not rule.regular_from:
        return prove_loss(event, "inferred", "status", life.reported_at)
    return ()


def _had(life: Lifecycle, rule: TransitionRule) -> frozenset[Status]:
    """Add the status; the first event shows which one it had before our history, too."""
    before = frozenset() if life.transitions else rule.regular_from
    had = {rule.to, *(status for status in before if status is not None)}
    return life.had if had <= life.had else life.had | had


def _summarised(summary: Summary, transition: Transition) -> Summary:
    closed, bound = transition.after == "closed", transition.inferred or transition.starts_midlife
    first = closed and summary.first_closed_at is None
    return Summary(
        irregular=summary.irregular
        + (transition.irregular is not None and not transition.starts_midlife),
        inferred=summary.inferred + transition.inferred,
        reopens=summary.reopens + transition.is_reopen,
        reopened_at=transition.at if transition.is_reopen else summary.reopened_at,
        ended_at=transition.at if transition.after in ENDED else summary.ended_at,
        first_closed_at=transition.at if first else summary.first_closed_at,
        last_closed_at=transition.at if closed else summary.last_closed_at,
        first_closed_bound=(bound or summary.doubtful) if first else summary.first_closed_bound,
        last_closed_bound=bound if closed else summary.last_closed_bound,
        inexact=_inexact(summary.inexact, transition),
        doubtful=summary.doubtful,
    )


def _inexact(known: frozenset[Status], transition: Transition) -> frozenset[Status]:
    if transition.inferred:
        return known | {transition.after, transition.before or transition.after}
    if transition.irregular == "unexpected_from" and transition.before is not None:
        return known | {transition.before}  # it ended with the webhook that was lost
    return known


def _without_last(life: Lifecycle) -> Lifecycle:
    return replace(
        life,
        status=life.transitions[-1].before,
        transitions=life.transitions[:-1],
        losses=life.losses[: life.undo_losses],
        summary=life.undo_summary,
    )
