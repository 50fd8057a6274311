from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dixa_state.dixa.catalog import CATALOG, TYPES, UNRECOGNISED, EventType, lookup

# A topic names stored events for ever: lines may be added here, never changed or removed.
RELEASED_TOPICS = {
    "ConversationCreated": "conversation.created",
    "ConversationCustomAttributeUpdated": "conversation.custom_attribute_updated",
    "ConversationOpen": "conversation.open",
    "ConversationPending": "conversation.pending",
    "ConversationPendingExpired": "conversation.pending_expired",
    "ConversationClosed": "conversation.closed",
    "ConversationAbandoned": "conversation.abandoned",
    "ConversationEnqueued": "conversation.enqueued",
    "ConversationAssigned": "conversation.assigned",
    "ConversationUnassigned": "conversation.unassigned",
    "ConversationNoteAdded": "conversation.note_added",
    "ConversationMessageAdded": "conversation.message_added",
    "ConversationTagAdded": "conversation.tag_added",
    "ConversationTagRemoved": "conversation.tag_removed",
    "ConversationRated": "conversation.rated",
    "ConversationTransferred": "conversation.transferred",
    "ConversationEndUserReplaced": "conversation.end_user_replaced",
    "TypingStarted": "typing.started",
    "SLAEvaluationPending": "sla.pending",
    "SLAEvaluationBreached": "sla.breached",
    "SLAEvaluationAchieved": "sla.achieved",
    "SLAEvaluationVoided": "sla.voided",
    "AgentBannedEnduser": "enduser.banned",
    "AgentUnbannedEnduser": "enduser.unbanned",
    "AgentBannedIp": "ip.banned",
    "AgentUnbannedIp": "ip.unbanned",
    "ConversationMessageDeliverySent": "conversation.message_delivery_sent",
    "ConversationMessageDeliveryDelivered": "conversation.message_delivery_delivered",
    "ConversationMessageDeliverySeen": "conversation.message_delivery_seen",
    "ConversationMessageDeliveryFailed": "conversation.message_delivery_failed",
    "ConversationMessageDeliveryInfo": "conversation.message_delivery_info",
    "ConversationMessageDeliverySpamComplaint": "conversation.message_delivery_spam_complaint",
}
ALIASES = {
    "CONVERSATION_TRANSFERRED_TO_AGENT": "conversation.transferred",
    "CONVERSATION_TRANSFERRED_TO_QUEUE": "conversation.transferred",
    "SLA_PENDING": "sla.pending",
    "SLA_BREACHED": "sla.breached",
    "SLA_ACHIEVED": "sla.achieved",
    "SLA_VOIDED": "sla.voided",
    "BANNED_ENDUSER": "enduser.banned",
    "UNBANNED_ENDUSER": "enduser.unbanned",
    "BANNED_IP": "ip.banned",
    "UNBANNED_IP": "ip.unbanned",
}
NAMES = [
    (name, event_type) for event_type in CATALOG for name in (event_type.key, *event_type.aliases)
]

every_name = pytest.mark.parametrize(("name", "event_type"), NAMES, ids=[name for name, _ in NAMES])


def test_dixa_offers_thirty_two_events_to_subscribe_to() -> None:
    assert len({event_type.key for event_type in CATALOG}) == 32


def test_topics_stay_as_they_were_released() -> None:
    assert {event_type.key: event_type.topic for event_type in CATALOG} == RELEASED_TOPICS
    assert UNRECOGNISED == "unrecognised"


def test_no_two_events_share_a_topic() -> None:
    topics = Counter([UNRECOGNISED, *(event_type.topic for event_type in CATALOG)])

    assert set(topics.values()) == {1}


def test_a_topic_is_a_name_and_never_an_import_path() -> None:
    for event_type in CATALOG:
        assert event_type.topic.islower()
        assert not event_type.topic.startswith("dixa_state")
        assert ":" not in event_type.topic


def test_aliases_lead_to_the_event_that_they_stand_for() -> None:
    assert {alias: found.topic for alias in ALIASES if (found := lookup(alias))} == ALIASES
    assert sum(len(event_type.aliases) for event_type in CATALOG) == len(ALIASES)


@every_name
def test_a_name_is_found_in_any_case_and_with_or_without_underscores(
    name: str, event_type: EventType
) -> None:
    bare = name.replace("_", "")

    for spelled in (name, bare, "_".join(name)):
        assert lookup(spelled) == event_type
        assert lookup(spelled.lower()) == event_type
        assert lookup(spelled.upper()) == event_type
        assert lookup(spelled.swapcase()) == event_type


def test_an_event_is_about_a_conversation_unless_it_is_a_ban() -> None:
    others = {
        event_type.key: event_type.subject
        for event_type in CATALOG
        if event_type.subject != "conversation"
    }

    assert others == {
        "AgentBannedEnduser": "enduser",
        "AgentUnbannedEnduser": "enduser",
        "AgentBannedIp": "ip",
        "AgentUnbannedIp": "ip",
    }


@pytest.mark.parametrize(
    "fqn",
    ["", "_", "CONVERSATION", "CONVERSATION_CLOSED_TWICE", "CONVERSATION CLOSED", "closed", "\0"],
)
def test_an_unknown_fqn_is_not_found(fqn: str) -> None:
    assert lookup(fqn) is None


@given(st.text())
def test_whatever_text_is_looked_up_gives_an_event_of_the_catalogue_or_none(fqn: str) -> None:
    assert lookup(fqn) in (None, *CATALOG)


def test_every_topic_can_be_read() -> None:
    assert set(TYPES) == {UNRECOGNISED, *RELEASED_TOPICS.values()}
