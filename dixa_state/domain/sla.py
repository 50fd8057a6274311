"""SLA evaluations: the targets set for a conversation, and whether they were met."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import Event, Queue, SlaEvaluated, SlaStatus, User

SlaSummary = Literal["breached", "pending", "achieved", "voided", "none"]
_WORST_FIRST: tuple[SlaStatus, ...] = ("breached", "pending", "achieved", "voided")


class StatusChange(Struct, gc=False, frozen=True):
    """A status that was reported of an evaluation."""

    status: SlaStatus
    at: datetime
    event_id: str


class Attribution(Struct, gc=False, frozen=True):
    """The queue, agent, channel and tags that an outcome counts for: those at its own event."""

    queue: Queue | None
    assignee: User | None
    channel: str | None
    tags: frozenset[str]


class SlaEvaluation(Struct, gc=False, frozen=True):
    """One evaluation: its status, the deadline when Dixa gave one, and what was reported of it.

    `history` has the first report of each status, since a status may be repeated without end. A
    breach sticks: `breached_late_at` is when another outcome followed it. `attribution` is that of
    the outcome; None as long as there is none, when it counts for who has the conversation.
    """

    id: str | None
    policy: str | None
    metric: str | None
    status: SlaStatus
    deadline: datetime | None
    since: datetime
    history: tuple[StatusChange, ...]
    attribution: Attribution | None = None
    breached_late_at: datetime | None = None


Evaluations = tuple[SlaEvaluation, ...]


def record_evaluation(
    evaluations: Evaluations, event: Event, fact: SlaEvaluated, attribution: Attribution
) -> Evaluations:
    """Record what an event reports of an evaluation; the order is that of first mention."""
    index = _find(evaluations, fact)
    if index is None:
        return (*evaluations, _begun(event, fact, attribution))
    known = evaluations[index]
    if fact.status == "pending" and known.status != "pending":
        return evaluations if fact.id else (*evaluations, _begun(event, fact, attribution))
    changed = _changed(known, event, fact, attribution)
    return (*evaluations[:index], changed, *evaluations[index + 1 :])


def summarise(evaluations: Iterable[SlaEvaluation]) -> SlaSummary:
    """Return the SLA status of a conversation: the worst of its evaluations, or none."""
    present = {evaluation.status for evaluation in evaluations}
    return next((status for status in _WORST_FIRST if status in present), "none")


def _begun(event: Event, fact: SlaEvaluated, attribution: Attribution) -> SlaEvaluation:
    return SlaEvaluation(
        fact.id,
        fact.policy,
        fact.metric,
        fact.status,
        fact.deadline,
        event.at,
        (StatusChange(fact.status, event.at, event.event_id),),
        None if fact.status == "pending" else attribution,
    )


def _changed(
    known: SlaEvaluation, event: Event, fact: SlaEvaluated, attribution: Attribution
) -> SlaEvaluation:
    history = known.history
    if not any(change.status == fact.status for change in history):
        history = (*history, StatusChange(fact.status, event.at, event.event_id))
    known = replace(
        known,
        policy=fact.policy or known.policy,
        metric=fact.metric or known.metric,
        deadline=fact.deadline or known.deadline,
        history=history,
    )
    if fact.status == known.status:
        return known
    if known.status == "breached":
        return replace(known, breached_late_at=known.breached_late_at or event.at)
    return replace(known, status=fact.status, since=event.at, attribution=attribution)


def _find(evaluations: Evaluations, fact: SlaEvaluated) -> int | None:
    """Return the place of the evaluation that an event is about; without an id, of the newest."""
    if fact.id:
        # a list of ids first, since a conversation may have thousands: 5 times as fast as a loop
        ids = [known.id for known in evaluations]
        return ids.index(fact.id) if fact.id in ids else None
    for index in range(len(evaluations) - 1, -1, -1):
        known = evaluations[index]
        if not known.id and (known.policy, known.metric) == (fact.policy, fact.metric):
            return index
    return None
