"""Every event type that Dixa is known to send, and what its `data` is read as.

The key is what Dixa's API lists; the body carries it as an fqn, such as CONVERSATION_CLOSED. Only
six spellings of an fqn are confirmed by samples, so case and underscores are ignored. The topic is
the name under which we store and show the event; once released, it stays.

Source: Dixa's documentation, pages *Webhook events* and *Webhook payloads*, and its OpenAPI
description.
"""

from functools import partial
from typing import Literal, NamedTuple, get_args

from dixa_state.dixa import data
from dixa_state.dixa.data import AgentData, EventData, Make, QueueData, StatusData, TagData
from dixa_state.dixa.fields import spelling
from dixa_state.domain import events

Subject = Literal["conversation", "enduser", "ip", "unknown"]

UNRECOGNISED = "unrecognised"
"""The topic of events with an fqn that is not in the catalogue."""


class EventType(NamedTuple):
    """One kind of webhook: Dixa's names for it, ours, what it is read as and is about."""

    key: str
    topic: str
    fact: Make
    data: type[EventData] = EventData
    subject: Subject = "conversation"
    aliases: tuple[str, ...] = ()


def _delivery(fate: events.DeliveryFate) -> EventType:
    key = f"ConversationMessageDelivery{fate.title().replace('_', '')}"
    fact = partial(events.DeliveryReported, fate=fate)
    return EventType(key, f"conversation.message_delivery_{fate}", fact, data.DeliveryData)


def _sla(status: events.SlaStatus) -> EventType:
    kind = events.SlaEvaluationBegan if status == "pending" else events.SlaEvaluated
    return EventType(
        f"SLAEvaluation{status.title()}",
        f"sla.{status}",
        partial(kind, status=status),
        data.SlaData,
        aliases=(f"SLA_{status.upper()}",),
    )


def _ban(subject: Subject, *, banned: bool) -> EventType:
    verb = "banned" if banned else "unbanned"
    name = f"{verb.title()}{subject.title()}"
    fact = partial(events.BanReported, banned=banned)
    kind = data.EndUserBanData if subject == "enduser" else data.IpBanData
    return EventType(f"Agent{name}", f"{subject}.{verb}", fact, kind, subject, (name,))


CATALOG: tuple[EventType, ...] = (
    EventType("ConversationCreated", "conversation.created", events.Created),
    EventType(
        "ConversationCustomAttributeUpdated",
        "conversation.custom_attribute_updated",
        events.CustomAttributesUpdated,
        data.AttributesData,
    ),
    EventType("ConversationOpen", "conversation.open", events.Reopened, StatusData),
    EventType("ConversationPending", "conversation.pending", events.FollowUpAdded, StatusData),
    EventType(
        "ConversationPendingExpired",
        "conversation.pending_expired",
        events.FollowUpExpired,
        data.FollowUpExpiredData,
    ),
    EventType("ConversationClosed", "conversation.closed", events.Closed, StatusData),
    EventType("ConversationAbandoned", "conversation.abandoned", events.Abandoned, QueueData),
    EventType("ConversationEnqueued", "conversation.enqueued", events.Enqueued, QueueData),
    EventType("ConversationAssigned", "conversation.assigned", events.Assigned, AgentData),
    EventType(
        "ConversationUnassigned", "conversation.unassigned", events.Unassigned, data.UnassignedData
    ),
    EventType("ConversationNoteAdded", "conversation.note_added", events.NoteAdded, data.NoteData),
    EventType(
        "ConversationMessageAdded",
        "conversation.message_added",
        events.MessageAdded,
        data.MessageData,
    ),
    EventType("ConversationTagAdded", "conversation.tag_added", events.TagAdded, TagData),
    EventType("ConversationTagRemoved", "conversation.tag_removed", events.TagRemoved, TagData),
    EventType("ConversationRated", "conversation.rated", events.Rated, data.RatedData),
    EventType(
        "ConversationTransferred",
        "conversation.transferred",
        events.TransferredToQueue,
        data.TransferData,
        aliases=("CONVERSATION_TRANSFERRED_TO_AGENT", "CONVERSATION_TRANSFERRED_TO_QUEUE"),
    ),
    EventType(
        "ConversationEndUserReplaced",
        "conversation.end_user_replaced",
        events.EndUserReplaced,
        data.ReplacedData,
    ),
    EventType("TypingStarted", "typing.started", events.TypingStarted, data.TypingData),
    *(_sla(status) for status in get_args(events.SlaStatus)),
    _ban("enduser", banned=True),
    _ban("enduser", banned=False),
    _ban("ip", banned=True),
    _ban("ip", banned=False),
    *(_delivery(fate) for fate in get_args(events.DeliveryFate)),
)
UNKNOWN = EventType("", UNRECOGNISED, events.Unrecognised, data.UnknownData, "unknown")
"""Stands for every event that is not in the catalogue."""

TYPES = {event_type.topic: event_type for event_type in (*CATALOG, UNKNOWN)}
"""The event types by topic."""

_BY_SPELLING = {
    spelling(name): event_type
    for event_type in CATALOG
    for name in (event_type.key, *event_type.aliases)
}


def lookup(fqn: str) -> EventType | None:
    """Return the event type of an fqn, whatever its case and underscores; None if unknown."""
    return _BY_SPELLING.get(spelling(fqn))
