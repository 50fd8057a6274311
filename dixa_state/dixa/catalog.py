"""Every event type that Dixa is known to send.

The subscription key is what Dixa's API lists; the fqn is what the body carries. Only six fqn
spellings are confirmed by published samples, so an fqn is matched with case and underscores
ignored. The topic is the name under which we store and show the event; once released, it stays.

Source: Dixa's documentation, pages *Webhook events* and *Webhook payloads*, and its OpenAPI
description.
"""

from typing import Literal, NamedTuple

Subject = Literal["conversation", "enduser", "ip"]

UNRECOGNISED = "unrecognised"
"""The topic of events with an fqn that is not in the catalogue."""


class EventType(NamedTuple):
    """One kind of webhook: Dixa's names for it, ours, and what it is about."""

    key: str
    fqn: str
    topic: str
    subject: Subject = "conversation"
    aliases: tuple[str, ...] = ()


CATALOG: tuple[EventType, ...] = (
    EventType("ConversationCreated", "CONVERSATION_CREATED", "conversation.created"),
    EventType(
        "ConversationCustomAttributeUpdated",
        "CONVERSATION_CUSTOM_ATTRIBUTE_UPDATED",
        "conversation.custom_attribute_updated",
    ),
    EventType("ConversationOpen", "CONVERSATION_OPEN", "conversation.open"),
    EventType("ConversationPending", "CONVERSATION_PENDING", "conversation.pending"),
    EventType(
        "ConversationPendingExpired",
        "CONVERSATION_PENDING_EXPIRED",
        "conversation.pending_expired",
    ),
    EventType("ConversationClosed", "CONVERSATION_CLOSED", "conversation.closed"),
    EventType("ConversationAbandoned", "CONVERSATION_ABANDONED", "conversation.abandoned"),
    EventType("ConversationEnqueued", "CONVERSATION_ENQUEUED", "conversation.enqueued"),
    EventType("ConversationAssigned", "CONVERSATION_ASSIGNED", "conversation.assigned"),
    EventType("ConversationUnassigned", "CONVERSATION_UNASSIGNED", "conversation.unassigned"),
    EventType("ConversationNoteAdded", "CONVERSATION_NOTE_ADDED", "conversation.note_added"),
    EventType(
        "ConversationMessageAdded", "CONVERSATION_MESSAGE_ADDED", "conversation.message_added"
    ),
    EventType("ConversationTagAdded", "CONVERSATION_TAG_ADDED", "conversation.tag_added"),
    EventType("ConversationTagRemoved", "CONVERSATION_TAG_REMOVED", "conversation.tag_removed"),
    EventType("ConversationRated", "CONVERSATION_RATED", "conversation.rated"),
    EventType(
        "ConversationTransferred",
        "CONVERSATION_TRANSFERRED",
        "conversation.transferred",
        aliases=("CONVERSATION_TRANSFERRED_TO_AGENT", "CONVERSATION_TRANSFERRED_TO_QUEUE"),
    ),
    EventType(
        "ConversationEndUserReplaced",
        "CONVERSATION_END_USER_REPLACED",
        "conversation.end_user_replaced",
    ),
    EventType("TypingStarted", "TYPING_STARTED", "typing.started"),
    EventType(
        "SLAEvaluationPending", "SLA_EVALUATION_PENDING", "sla.pending", aliases=("SLA_PENDING",)
    ),
    EventType(
        "SLAEvaluationBreached",
        "SLA_EVALUATION_BREACHED",
        "sla.breached",
        aliases=("SLA_BREACHED",),
    ),
    EventType(
        "SLAEvaluationAchieved",
        "SLA_EVALUATION_ACHIEVED",
        "sla.achieved",
        aliases=("SLA_ACHIEVED",),
    ),
    EventType(
        "SLAEvaluationVoided", "SLA_EVALUATION_VOIDED", "sla.voided", aliases=("SLA_VOIDED",)
    ),
    EventType(
        "AgentBannedEnduser",
        "AGENT_BANNED_ENDUSER",
        "enduser.banned",
        "enduser",
        ("BANNED_ENDUSER",),
    ),
    EventType(
        "AgentUnbannedEnduser",
        "AGENT_UNBANNED_ENDUSER",
        "enduser.unbanned",
        "enduser",
        ("UNBANNED_ENDUSER",),
    ),
    EventType("AgentBannedIp", "AGENT_BANNED_IP", "ip.banned", "ip", ("BANNED_IP",)),
    EventType("AgentUnbannedIp", "AGENT_UNBANNED_IP", "ip.unbanned", "ip", ("UNBANNED_IP",)),
    *(
        EventType(
            f"ConversationMessageDelivery{fate.title().replace('_', '')}",
            f"CONVERSATION_MESSAGE_DELIVERY_{fate.upper()}",
            f"conversation.message_delivery_{fate}",
        )
        for fate in ("sent", "delivered", "seen", "failed", "info", "spam_complaint")
    ),
)


def spelling(name: str) -> str:
    """Reduce a name to what counts when names are compared: its letters, without case."""
    return name.replace("_", "").casefold()


_BY_NAME = {
    name: event_type
    for event_type in CATALOG
    for name in (event_type.key, event_type.fqn, *event_type.aliases)
}
_BY_SPELLING = {spelling(name): event_type for name, event_type in _BY_NAME.items()}


def lookup(fqn: str) -> EventType | None:
    """Find the event type of an fqn, whatever its case and underscores; None if unknown."""
    return _BY_NAME.get(fqn) or _BY_SPELLING.get(spelling(fqn))
