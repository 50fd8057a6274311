"""SLA evaluations: the targets set for a conversation, and whether they were met."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from dixa_state.domain.events import Event, SlaEvaluated, SlaStatus

SlaSummary = Literal["breached", "pending", "achieved", "voided", "none"]
_WORST_FIRST: tuple[SlaStatus, ...] = ("breached", "pending", "achieved", "voided")


class StatusChange(Struct, frozen=True):
    """A status that an evaluation had from `at` on."""

    status: SlaStatus
    at: datetime
    event_id: str


class SlaEvaluation(Struct, frozen=True):
    """One evaluation: its status verbatim, the deadline when Dixa gave one, and its history."""

    id: str | None
    policy: str | None
    metric: str | None
    status: SlaStatus
    deadline: datetime | None
    since: datetime
    history: tuple[StatusChange, ...]

    @property
    def key(self) -> tuple[str | None, ...]:
        """What identifies the evaluation: the id, or else the policy and the metric."""
        return _key(self.id, self.policy, self.metric)


def record_evaluation(
    evaluations: tuple[SlaEvaluation, ...], event: Event, fact: SlaEvaluated
) -> tuple[SlaEvaluation, ...]:
    """Record what an event reports of an evaluation; the order is that of first mention."""
    change = StatusChange(fact.status, event.at, event.event_id)
    key = _key(fact.id, fact.policy, fact.metric)
    for index, known in enumerate(evaluations):
        if known.key == key:
            return (*evaluations[:index], _changed(known, fact, change), *evaluations[index + 1 :])
    began = SlaEvaluation(
        fact.id, fact.policy, fact.metric, fact.status, fact.deadline, event.at, (change,)
    )
    return (*evaluations, began)


def summarise(evaluations: Iterable[SlaEvaluation]) -> SlaSummary:
    """Return the SLA status of a conversation: the worst of its evaluations, or none."""
    present = {evaluation.status for evaluation in evaluations}
    return next((status for status in _WORST_FIRST if status in present), "none")


def _changed(known: SlaEvaluation, fact: SlaEvaluated, change: StatusChange) -> SlaEvaluation:
    return replace(
        known,
        policy=fact.policy or known.policy,
        metric=fact.metric or known.metric,
        status=fact.status,
        deadline=fact.deadline or known.deadline,
        since=known.since if fact.status == known.status else change.at,
        history=(*known.history, change),
    )


def _key(
    evaluation_id: str | None, policy: str | None, metric: str | None
) -> tuple[str | None, ...]:
    return (evaluation_id,) if evaluation_id else (policy, metric)
