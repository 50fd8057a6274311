"""The fold: from the events of a conversation, in whatever order they came, to its state.

Webhooks are facts about the past, so nothing here decides or refuses: the fold is total. It works
in event-time order, which makes the state independent of when, and how often, the webhooks came.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import assert_never

from msgspec.structs import replace

from dixa_state.domain import lifecycle
from dixa_state.domain.conversation import (
    Conversation,
    assign_to,
    belong_to,
    move,
    put_in_queue,
    set_attributes,
    set_tags,
    take_from,
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
    TagAdded,
    TagRemoved,
    TransferredToAgent,
    TransferredToQueue,
    TypingStarted,
    Unassigned,
    Unrecognised,
)
from dixa_state.domain.evidence import GRACE, describe, observe
from dixa_state.domain.lifecycle import Status, status_from_dixa
from dixa_state.domain.messages import add_message
from dixa_state.domain.queueing import enter, transfer
from dixa_state.domain.ratings import rate
from dixa_state.domain.sla import evaluate


def fold(state: Conversation, events: Iterable[Event], *, grace: timedelta = GRACE) -> Conversation:
    """Sort the events into event-time order and evolve the state by each."""
    for event in sorted(events, key=lambda event: event.order):
        state = evolve(state, event, grace=grace)
    return state


def evolve(state: Conversation, event: Event, *, grace: timedelta = GRACE) -> Conversation:
    """Enter one event: first what its snapshot shows of other fields, then what it tells."""
    shown = event.snapshot
    state = replace(
        state,
        first_event_at=state.first_event_at or event.at,
        last_event_at=event.at,
        newest=event.order,
        version=state.version + 1,
        position=max(state.position, event.position),
        late=state.late + event.late,
        **(describe(state, shown) if shown is not None else {}),
    )
    if shown is not None:
        state = observe(state, event, shown, grace)
    return _tell(state, event, event.fact, grace)


def _tell(  # noqa: C901, PLR0911, PLR0912 — one arm per fact is the point
    state: Conversation, event: Event, fact: AnyFact, grace: timedelta
) -> Conversation:
    match fact:  # the most frequent first: each arm that is passed by takes time
        case MessageAdded():
            added = add_message(state.messages, event.at, fact)
            return replace(state, messages=added)
        case SlaEvaluated() | SlaEvaluationBegan():
            return replace(state, sla=evaluate(state.sla, event, fact))
        case DeliveryReported():
            return replace(
                state, deliveries_failed=state.deliveries_failed + (fact.fate == "failed")
            )
        case Assigned():
            return assign_to(state, event, fact.agent, "assigned", grace)
        case Enqueued():
            queued = put_in_queue(state, event, fact.queue)
            return replace(queued, visits=enter(state.visits, queued.queue, event.at))
        case Created():
            created = replace(state, created_at=state.created_at or event.at)
            return move(created, event, lifecycle.CREATED, grace, shown=_shown_status(event))
        case Closed():
            return move(state, event, lifecycle.CLOSED, grace)
        case Reopened():
            return move(state, event, lifecycle.REOPENED, grace)
        case FollowUpAdded():
            return move(state, event, lifecycle.FOLLOW_UP_ADDED, grace)
        case FollowUpExpired():
            shown = _shown_status(event)
            still = shown if shown != "pending" else None  # what expired cannot still be pending
            return move(state, event, lifecycle.FOLLOW_UP_EXPIRED, grace, shown=still)
        case Abandoned():
            named = put_in_queue(state, event, fact.queue)
            return move(named, event, lifecycle.ABANDONED, grace)
        case TransferredToQueue():
            led_to = fact.queue or None  # UNSET is false
            left = transfer(state.visits, led_to, event.at)
            counted = replace(state, transfers=state.transfers + 1, visits=left)
            return put_in_queue(counted, event, fact.queue)
        case TransferredToAgent():
            counted = replace(state, transfers=state.transfers + 1)
            return assign_to(counted, event, fact.agent, "transferred", grace)
        case Unassigned():
            return take_from(state, event, fact.agent, grace)
        case NoteAdded():
            return replace(state, notes=state.notes + 1)
        case TagAdded():
            return set_tags(state, event, state.tags | ({fact.tag} if fact.tag else set()))
        case TagRemoved():
            return set_tags(state, event, state.tags - {fact.tag})
        case CustomAttributesUpdated():
            return set_attributes(state, event, state.custom_attributes | fact.values)
        case EndUserReplaced():
            before = replace(state, requester=state.requester or fact.old)
            return belong_to(before, event, fact.new or state.requester)
        case Rated():
            return replace(state, ratings=rate(state.ratings, event.at, fact))
        case TypingStarted():
            return replace(state, typing=state.typing + 1)
        case Unrecognised() | EndUserBanned() | EndUserUnbanned() | IpBanned() | IpUnbanned():
            return state
        case _:
            assert_never(fact)


def _shown_status(event: Event) -> Status | None:
    return status_from_dixa(event.snapshot.status) if event.snapshot else None
