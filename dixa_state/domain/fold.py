"""The fold: from the events of a conversation, in whatever order they came, to its state.

Webhooks are facts about the past, so nothing here decides or refuses: the fold is total. It works
in event-time order, which makes the state independent of when, and how often, the webhooks came.
"""

from datetime import timedelta
from typing import assert_never

from msgspec import UNSET

from dixa_state.domain import events as facts
from dixa_state.domain import lifecycle
from dixa_state.domain.conversation import (
    Conversation,
    Draft,
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
from dixa_state.domain.events import AnyFact, Event
from dixa_state.domain.evidence import GRACE, apply_snapshot
from dixa_state.domain.lifecycle import status_from_dixa
from dixa_state.domain.messages import add_message
from dixa_state.domain.queueing import enter_queue
from dixa_state.domain.ratings import add_rating
from dixa_state.domain.sla import Attribution, record_evaluation


def evolve(state: Conversation, *events: Event, grace: timedelta = GRACE) -> Conversation:
    """Apply events in event-time order: of each its snapshot, as evidence, and then its fact."""
    draft = Draft.of(state, grace)
    for event in events:
        if event.snapshot is not None and event.snapshot is not draft.agreed:
            apply_snapshot(draft, event, event.snapshot)
        _apply_fact(draft, event, event.fact)
        if event.fact.about:
            draft.agreed = None
    return draft.finish(events)


def _apply_fact(  # noqa: C901, PLR0912, PLR0915 — one arm per fact is the point
    draft: Draft, event: Event, fact: AnyFact
) -> None:
    match fact:  # the most frequent first: each arm that does not match costs time
        case facts.MessageAdded():
            draft.messages = add_message(draft.messages, event.at, fact)
        case facts.SlaEvaluated() | facts.SlaEvaluationBegan():
            draft.sla = record_evaluation(draft.sla, event, fact, _attribution(draft, event))
        case facts.DeliveryReported():
            draft.deliveries_failed += fact.fate == "failed"
        case facts.Assigned():
            set_assignee(draft, event, fact.agent, "assigned")
        case facts.Enqueued():
            set_queue(draft, event, fact.queue)
            draft.visits = enter_queue(draft.visits, draft.queue, event.at, "enqueued", draft.grace)
        case facts.Created():
            draft.created_at = draft.created_at or event.at
            change_status(draft, event, lifecycle.CREATED, status_from_dixa(event.shown.status))
        case facts.Closed():
            change_status(draft, event, lifecycle.CLOSED)
        case facts.Reopened():
            change_status(draft, event, lifecycle.REOPENED)
        case facts.FollowUpAdded():
            change_status(draft, event, lifecycle.FOLLOW_UP_ADDED)
        case facts.FollowUpExpired():
            status = status_from_dixa(event.shown.status)
            if status == "pending":
                status = None  # a stale snapshot: what expired cannot still be pending
            change_status(draft, event, lifecycle.FOLLOW_UP_EXPIRED, status)
        case facts.Abandoned():
            set_queue(draft, event, fact.queue)
            change_status(draft, event, lifecycle.ABANDONED)
        case facts.TransferredToQueue():
            transfer_to_queue(draft, event, fact.queue)
        case facts.TransferredToAgent():
            transfer_to_agent(draft, event, fact.agent)
        case facts.Unassigned():
            unassign(draft, event, fact.agent)
        case facts.NoteAdded():
            draft.notes += 1
        case facts.TagAdded():
            set_tag(draft, event, fact.tag, added=True)
        case facts.TagRemoved():
            set_tag(draft, event, fact.tag, added=False)
        case facts.CustomAttributesUpdated():
            set_attributes(draft, event, draft.custom_attributes | fact.values)
        case facts.EndUserReplaced():
            new = fact.new or draft.requester
            draft.requester = draft.requester or fact.old
            set_requester(draft, event, new)
        case facts.Rated():
            reopens = draft.life.summary.reopens
            draft.ratings = add_rating(draft.ratings, event.at, fact, reopens)
        case facts.TypingStarted():
            draft.typing += 1
        case facts.BanReported() | facts.Unrecognised():
            pass
        case _:
            assert_never(fact)


def _attribution(state: Draft, event: Event) -> Attribution:
    """Return what an SLA outcome is counted for: what its own event shows, or what is known."""
    shown = event.shown
    assignee = state.assignee if shown.assignee is UNSET else shown.assignee
    queue = state.queue if shown.queue is UNSET else shown.queue
    tags = state.tags if shown.tags is None else shown.tags
    return Attribution(queue or None, assignee or None, shown.channel or state.channel, tags)
