"""The fold: from the events of a conversation, in whatever order they came, to its state.

Webhooks are facts about the past, so nothing here decides or refuses: the fold is total. It works
in event-time order, which makes the state independent of when, and how often, the webhooks came.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import assert_never

from msgspec import UNSET
from msgspec.structs import replace

from dixa_state.domain import lifecycle
from dixa_state.domain.conversation import (
    Conversation,
    change_status,
    set_assignee,
    set_attributes,
    set_queue,
    set_requester,
    set_tag,
    transfer_to_agent,
    transfer_to_queue,
    unassign,
)
from dixa_state.domain.events import (
    Abandoned,
    AnyFact,
    Assigned,
    Closed,
    Created,
    CustomAttributesUpdated,
    DeliveryReported,
    EndUserBanned,
    EndUserReplaced,
    EndUserUnbanned,
    Enqueued,
    Event,
    FollowUpAdded,
    FollowUpExpired,
    IpBanned,
    IpUnbanned,
    MessageAdded,
    NoteAdded,
    Rated,
    Reopened,
    SlaEvaluated,
    SlaEvaluationBegan,
    Snapshot,
    TagAdded,
    TagRemoved,
    TransferredToAgent,
    TransferredToQueue,
    TypingStarted,
    Unassigned,
    Unrecognised,
)
from dixa_state.domain.evidence import GRACE, apply_snapshot, undisputed_fields
from dixa_state.domain.lifecycle import Status, status_from_dixa
from dixa_state.domain.messages import add_message
from dixa_state.domain.queueing import enter_queue
from dixa_state.domain.ratings import add_rating
from dixa_state.domain.sla import Attribution, record_evaluation


def fold(state: Conversation, events: Iterable[Event], *, grace: timedelta = GRACE) -> Conversation:
    """Sort the events into event-time order and evolve the state by each."""
    for event in sorted(events, key=lambda event: event.order):
        state = evolve(state, event, grace=grace)
    return state


def evolve(state: Conversation, event: Event, *, grace: timedelta = GRACE) -> Conversation:
    """Apply one event: first its snapshot as evidence on other fields, then its fact."""
    snapshot = event.snapshot
    state = replace(
        state,
        first_event_at=state.first_event_at or event.at,
        last_event_at=event.at,
        newest=event.order,
        version=state.version + 1,
        position=max(state.position, event.position),
        late=state.late + event.late,
        **(undisputed_fields(state, snapshot) if snapshot is not None else {}),
    )
    if snapshot is not None:
        state = apply_snapshot(state, event, snapshot, grace)
    return _apply_fact(state, event, event.fact, grace)


def _apply_fact(  # noqa: C901, PLR0911, PLR0912 — one arm per fact is the point
    state: Conversation, event: Event, fact: AnyFact, grace: timedelta
) -> Conversation:
    match fact:  # the most frequent first: each arm that does not match costs time
        case MessageAdded():
            return replace(state, messages=add_message(state.messages, event.at, fact))
        case SlaEvaluated() | SlaEvaluationBegan():
            return replace(
                state, sla=record_evaluation(state.sla, event, fact, _attribution(state, event))
            )
        case DeliveryReported():
            return replace(
                state, deliveries_failed=state.deliveries_failed + (fact.fate == "failed")
            )
        case Assigned():
            return set_assignee(state, event, fact.agent, "assigned", grace)
        case Enqueued():
            queued = set_queue(state, event, fact.queue, grace)
            visits = enter_queue(state.visits, queued.queue, event.at, "enqueued", grace)
            return replace(queued, visits=visits)
        case Created():
            created = replace(state, created_at=state.created_at or event.at)
            status = _snapshot_status(event)
            return change_status(created, event, lifecycle.CREATED, grace, snapshot_status=status)
        case Closed():
            return change_status(state, event, lifecycle.CLOSED, grace)
        case Reopened():
            return change_status(state, event, lifecycle.REOPENED, grace)
        case FollowUpAdded():
            return change_status(state, event, lifecycle.FOLLOW_UP_ADDED, grace)
        case FollowUpExpired():
            status = _snapshot_status(event)
            if status == "pending":
                status = None  # a stale snapshot: what expired cannot still be pending
            expired = lifecycle.FOLLOW_UP_EXPIRED
            return change_status(state, event, expired, grace, snapshot_status=status)
        case Abandoned():
            named = set_queue(state, event, fact.queue, grace)
            return change_status(named, event, lifecycle.ABANDONED, grace)
        case TransferredToQueue():
            return transfer_to_queue(state, event, fact.queue, grace)
        case TransferredToAgent():
            return transfer_to_agent(state, event, fact.agent, grace)
        case Unassigned():
            return unassign(state, event, fact.agent, grace)
        case NoteAdded():
            return replace(state, notes=state.notes + 1)
        case TagAdded():
            return set_tag(state, event, fact.tag, grace, added=True)
        case TagRemoved():
            return set_tag(state, event, fact.tag, grace, added=False)
        case CustomAttributesUpdated():
            return set_attributes(state, event, state.custom_attributes | fact.values, grace)
        case EndUserReplaced():
            before = replace(state, requester=state.requester or fact.old)
            return set_requester(before, event, fact.new or state.requester, grace)
        case Rated():
            reopens = state.life.summary.reopens
            return replace(state, ratings=add_rating(state.ratings, event.at, fact, reopens))
        case TypingStarted():
            return replace(state, typing=state.typing + 1)
        case Unrecognised() | EndUserBanned() | EndUserUnbanned() | IpBanned() | IpUnbanned():
            return state
        case _:
            assert_never(fact)


def _attribution(state: Conversation, event: Event) -> Attribution:
    """Return what an SLA outcome is counted for: what its own event shows, or what is known."""
    shown = event.snapshot or Snapshot()
    assignee = state.assignee if shown.assignee is UNSET else shown.assignee
    queue = state.queue if shown.queue is UNSET else shown.queue
    tags = state.tags if shown.tags is None else shown.tags
    return Attribution(queue or None, assignee or None, shown.channel or state.channel, tags)


def _snapshot_status(event: Event) -> Status | None:
    return status_from_dixa(event.snapshot.status) if event.snapshot else None
