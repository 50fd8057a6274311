"""Bodies that are not as Dixa's samples have them: other spellings, missing parts, wrong types."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from dixa_state.dixa.body import identify, read_event
from dixa_state.dixa.data import ConversationData
from dixa_state.dixa.fields import attributes_from, queue_from, text_from, user_from
from dixa_state.domain import events
from dixa_state.domain.events import Event, Queue, Snapshot, User

DATA = Path(__file__).parent.parent / "data"
RECEIVED = datetime(2026, 3, 2, 13, tzinfo=UTC)

Body = dict[str, Any]

IDA = User(
    "ecaacea3-18ce-5d04-8767-788cc6344f63",
    "Ida Holm",
    "ida@aurora.example",
    user_type="Member",
    roles=("Agent",),
)
OMAR = User(
    "9fb1c2ca-39d3-5613-83af-c177862664bc",
    "Omar Lind",
    "omar@aurora.example",
    user_type="Member",
    roles=("Agent",),
)
METTE = User(
    "0ab6b04f-f733-524b-b4da-009e7c30b101",
    "Mette Sand",
    "mette.sand@example.com",
    "+4520000001",
    "Contact",
)
SUPPORT = Queue("043fd835-7533-533e-aa05-ea32d363e711", "Support")
LOGISTICS = Queue("aafef812-1fe2-5696-9a3f-094f9bb26b55", "Logistics")


def shown(user: User) -> Body:
    return {
        "id": user.id,
        "name": user.name,
        "email": user.email,
        "phone": user.phone,
        "roles": list(user.roles),
        "user_type": user.user_type,
    }


def shown_queue(queue: Queue) -> Body:
    return {"id": queue.id, "name": queue.name}


def read_body(body: Body) -> Event:
    raw = json.dumps(body).encode()
    admitted = identify(raw)
    return read_event(raw, topic=admitted.topic, received_at=RECEIVED, version=1, position=1)


def example(name: str) -> Body:
    body: Body = json.loads((DATA / f"{name}.json").read_bytes())
    return body


def read(
    name: str,
    told: Body | None = None,
    *,
    fqn: str | None = None,
    conversation: Body | None = None,
) -> Event:
    """Read an example with this told besides the conversation, and this changed in it."""
    body = example(name)
    data = body["data"]
    if told is not None:
        body["data"] = data = {**told, "conversation": data.get("conversation")}
    if conversation is not None:
        data["conversation"] |= conversation
    return read_body({**body, "event_fqn": fqn or body["event_fqn"]})


def snapshot(**changes: object) -> Snapshot:
    found = read("conversation_custom_attribute_updated", conversation=changes).snapshot
    assert found is not None
    return found


def snapshot_without(*names: str) -> Snapshot:
    body = example("conversation_custom_attribute_updated")
    for name in names:
        del body["data"]["conversation"][name]
    found = read_body(body).snapshot
    assert found is not None
    return found


def user_spellings(user: User, *names: str) -> list[Body]:
    return [{name: place} for name in names for place in (shown(user), user.id)]


AGENT_NAMES = ("agent", "assignee", "Agent", "newAgent", "new_agent", "assignedTo", "assigned_to")
AGENT_IDS = ("agentId", "agent_id", "AGENT_ID", "assigneeId", "assignee_id", "newAgentId")


def agent_spellings(agent: User) -> list[Body]:
    return [
        *user_spellings(agent, *AGENT_NAMES),
        *({name: agent.id} for name in AGENT_IDS),
        {"destinationType": "Agent", "destinationId": agent.id},
        {"destination_type": "AGENT", "destination_id": agent.id, "destination_label": None},
        {"agent": None, "assignee": shown(agent)},
        {"agent": True, "agentId": agent.id},
        {"agent": {}, "agent_id": agent.id},
        {"agentId": agent.id, "agent_id": None},
        {"agent": {"id": agent.id, "email": agent.email}},
    ]


@pytest.mark.parametrize("told", [*agent_spellings(IDA), {}], ids=str)
def test_an_assignment_reads_the_same_in_every_spelling(told: Body) -> None:
    assert read("conversation_assigned", told).fact == events.Assigned(agent=IDA)


@pytest.mark.parametrize("told", agent_spellings(OMAR), ids=str)
def test_an_assignment_is_believed_before_the_snapshot(told: Body) -> None:
    fact = read("conversation_assigned", told).fact

    assert isinstance(fact, events.Assigned)
    assert isinstance(fact.agent, User)
    assert fact.agent.id == OMAR.id


def test_an_agent_that_only_an_id_names_is_that_id() -> None:
    fact = read("conversation_assigned", {"agentId": OMAR.id}).fact

    assert fact == events.Assigned(agent=User(id=OMAR.id))


def test_an_assignment_that_shows_nobody_anywhere_is_unknown() -> None:
    body = example("conversation_assigned")
    del body["data"]["agent"]
    del body["data"]["conversation"]["assignee"]

    assert read_body(body).fact == events.Assigned(agent=UNSET)


@pytest.mark.parametrize(
    "told",
    [
        *user_spellings(IDA, *AGENT_NAMES[:3], "oldAgent", "old_agent", "previousAgent"),
        {"agentId": IDA.id},
        {"assignee_id": IDA.id},
        {"oldAgentId": IDA.id},
    ],
    ids=str,
)
def test_an_unassignment_names_who_it_was_taken_from(told: Body) -> None:
    fact = read("conversation_unassigned", told).fact

    assert isinstance(fact, events.Unassigned)
    assert fact.agent is not None
    assert fact.agent.id == IDA.id


@pytest.mark.parametrize("told", agent_spellings(OMAR), ids=str)
@pytest.mark.parametrize("fqn", ["CONVERSATION_TRANSFERRED", "CONVERSATION_TRANSFERRED_TO_AGENT"])
def test_a_transfer_to_an_agent_reads_the_same_in_every_spelling(fqn: str, told: Body) -> None:
    event = read("conversation_transferred_to_agent", told, fqn=fqn)

    assert event.topic == "conversation.transferred"
    assert isinstance(event.fact, events.TransferredToAgent)
    assert isinstance(event.fact.agent, User)
    assert event.fact.agent.id == OMAR.id


QUEUE_SPELLINGS: list[Body] = [
    {"queue": shown_queue(LOGISTICS)},
    {"queue": LOGISTICS.id},
    {"queueId": LOGISTICS.id},
    {"queue_id": LOGISTICS.id},
    {"newQueue": shown_queue(LOGISTICS)},
    {"new_queue": {"id": LOGISTICS.id}},
    {"toQueue": LOGISTICS.id},
    {"destinationType": "Queue", "destinationId": LOGISTICS.id, "destinationLabel": "Logistics"},
    {"destination_type": "QUEUE", "destination_id": LOGISTICS.id},
    {"queue": {}, "queueId": LOGISTICS.id},
    {"queue": True, "queueId": LOGISTICS.id},
]


@pytest.mark.parametrize("told", [*QUEUE_SPELLINGS, {}], ids=str)
@pytest.mark.parametrize("fqn", ["CONVERSATION_TRANSFERRED", "CONVERSATION_TRANSFERRED_TO_QUEUE"])
def test_a_transfer_to_a_queue_reads_the_same_in_every_spelling(fqn: str, told: Body) -> None:
    event = read("conversation_transferred_to_queue", told, fqn=fqn)

    assert event.topic == "conversation.transferred"
    assert event.fact == events.TransferredToQueue(queue=LOGISTICS)


@pytest.mark.parametrize(
    ("fqn", "told", "fact"),
    [
        ("CONVERSATION_TRANSFERRED_TO_AGENT", {}, events.TransferredToAgent(agent=OMAR)),
        (
            "CONVERSATION_TRANSFERRED",
            {"destinationType": "Agent"},
            events.TransferredToAgent(agent=OMAR),
        ),
        (
            "CONVERSATION_TRANSFERRED",
            {"destinationType": "Queue"},
            events.TransferredToQueue(queue=LOGISTICS),
        ),
        ("CONVERSATION_TRANSFERRED", {}, events.TransferredToQueue(queue=LOGISTICS)),
    ],
)
def test_a_transfer_that_does_not_say_where_to_falls_back_on_the_snapshot(
    fqn: str, told: Body, fact: events.AnyFact
) -> None:
    event = read(
        "conversation_transferred_to_agent", told, fqn=fqn, conversation={"assignee": shown(OMAR)}
    )

    assert event.fact == fact


@pytest.mark.parametrize("told", [*QUEUE_SPELLINGS, {}], ids=str)
def test_a_queue_reads_the_same_in_every_spelling(told: Body) -> None:
    in_logistics = {"queue": shown_queue(LOGISTICS)}

    enqueued = read("conversation_enqueued", told, conversation=in_logistics)
    abandoned = read("conversation_abandoned", told, conversation=in_logistics)

    assert enqueued.fact == events.Enqueued(queue=LOGISTICS)
    assert abandoned.fact == events.Abandoned(queue=LOGISTICS)


def test_a_queue_that_only_an_id_names_is_that_id() -> None:
    fact = read("conversation_enqueued", {"queueId": LOGISTICS.id}).fact

    assert fact == events.Enqueued(queue=Queue(id=LOGISTICS.id))


@pytest.mark.parametrize(
    "told",
    [
        {"oldUser": shown(IDA), "newUser": shown(METTE)},
        {"old_user": shown(IDA), "new_user": shown(METTE)},
        {"oldEndUser": shown(IDA), "newEndUser": shown(METTE)},
        {"old_enduser": shown(IDA), "new_enduser": shown(METTE)},
        {"previousUser": shown(IDA), "user": shown(METTE)},
        {"old_requester": shown(IDA), "new_requester": shown(METTE)},
        {"oldUserId": IDA.id, "newUserId": METTE.id},
        {"old_user_id": IDA.id, "new_user_id": METTE.id},
        {"oldEndUserId": IDA.id, "newEndUserId": METTE.id},
        {"oldUser": IDA.id, "newUser": METTE.id},
        {"oldUser": shown(IDA)},
    ],
    ids=str,
)
def test_a_replaced_end_user_reads_the_same_in_every_spelling(told: Body) -> None:
    event = read("conversation_end_user_replaced", told, conversation={"requester": shown(METTE)})

    assert isinstance(event.fact, events.EndUserReplaced)
    assert event.fact.new == METTE
    assert event.fact.old is not None
    assert event.fact.old.id == IDA.id


def test_a_new_end_user_is_believed_before_the_snapshot() -> None:
    told = {"newUserId": METTE.id}

    assert read("conversation_end_user_replaced", told).fact == events.EndUserReplaced(
        new=User(id=METTE.id)
    )


def test_a_replaced_end_user_that_is_not_told_is_the_requester_shown() -> None:
    event = read("conversation_end_user_replaced", {}, conversation={"requester": shown(METTE)})

    assert event.fact == events.EndUserReplaced(new=METTE)


@pytest.mark.parametrize(
    "told",
    [
        *user_spellings(IDA, "agent", "author"),
        {"agentId": IDA.id},
        {"agent_id": IDA.id},
        {"authorId": IDA.id},
    ],
    ids=str,
)
def test_who_types_reads_the_same_in_every_spelling(told: Body) -> None:
    event = read("typing_started", told)

    assert isinstance(event.fact, events.TypingStarted)
    assert event.fact.agent is not None
    assert event.fact.agent.id == IDA.id
    assert event.actor == event.fact.agent


@pytest.mark.parametrize(
    "told",
    [
        *user_spellings(METTE, "enduser", "endUser", "end_user", "user", "contact", "requester"),
        {"enduserId": METTE.id},
        {"end_user_id": METTE.id},
        {"userId": METTE.id},
        {"contact_id": METTE.id},
        {"enduser": None, "user": shown(METTE)},
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["agent_banned_enduser", "agent_unbanned_enduser"])
def test_a_banned_end_user_reads_the_same_in_every_spelling(name: str, told: Body) -> None:
    by = {"agent": shown(IDA)}
    body = example(name)
    raw = json.dumps(body | {"data": told | by}).encode()

    event = read_body(body | {"data": told | by})

    assert isinstance(event.fact, events.EndUserBanned | events.EndUserUnbanned)
    assert event.fact.user is not None
    assert event.fact.user.id == METTE.id
    assert event.actor == IDA
    assert identify(raw).stream == f"enduser/{body['organization']['id']}/{METTE.id}"


@pytest.mark.parametrize(
    ("told", "address"),
    [
        ({"ip": "203.0.113.7"}, "203.0.113.7"),
        ({"ip": " 203.0.113.7 "}, "203.0.113.7"),
        ({"ipAddress": "203.0.113.7"}, "203.0.113.7"),
        ({"ip_address": "203.0.113.7"}, "203.0.113.7"),
        ({"address": "203.0.113.7"}, "203.0.113.7"),
        ({"ip": {"address": "203.0.113.7"}}, "203.0.113.7"),
        ({"ip": {"ip": "203.0.113.7"}}, "203.0.113.7"),
        ({"ip": {"ipAddress": "203.0.113.7"}}, "203.0.113.7"),
        ({"ip": {"value": "203.0.113.7"}}, "203.0.113.7"),
        ({"ipAddress": {"address": "203.0.113.7", "version": 4}}, "203.0.113.7"),
        ({"ip": None, "ip_address": "203.0.113.7"}, "203.0.113.7"),
        ({"ip": "2001:DB8::1"}, "2001:db8::1"),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["agent_banned_ip", "agent_unbanned_ip"])
def test_a_banned_address_reads_the_same_in_every_spelling(
    name: str, told: Body, address: str
) -> None:
    body = example(name) | {"data": {**told, "agent_id": IDA.id}}

    event = read_body(body)

    assert isinstance(event.fact, events.IpBanned | events.IpUnbanned)
    assert event.fact.address == address
    assert event.actor == User(id=IDA.id)
    assert identify(json.dumps(body).encode()).stream.split("/")[2] == address


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("agent_banned_enduser", {}),
        ("agent_banned_enduser", {"enduser": None}),
        ("agent_banned_enduser", {"enduser": {}}),
        ("agent_banned_enduser", {"enduser": {"id": []}}),
        ("agent_banned_enduser", {"enduser": ""}),
        ("agent_banned_ip", {}),
        ("agent_banned_ip", {"ip": None}),
        ("agent_banned_ip", {"ip": " "}),
        ("agent_banned_ip", {"ip": {}}),
        ("agent_banned_ip", {"ip": []}),
        ("agent_banned_ip", {"ip": True}),
    ],
)
def test_a_ban_of_nobody_that_can_be_told_goes_to_the_organization(name: str, told: Body) -> None:
    body = example(name) | {"data": told}

    assert read_body(body).fact in (events.EndUserBanned(user=None), events.IpBanned(address=None))
    assert (
        identify(json.dumps(body).encode()).stream == f"organization/{body['organization']['id']}"
    )


DEADLINE = "2026-03-02T08:15:00.300Z"
EVALUATION: Body = {"id": "e1", "policy": "Chat", "metric": "FirstResponse", "deadline": DEADLINE}


@pytest.mark.parametrize(
    "told",
    [
        EVALUATION,
        {"sla_evaluation": EVALUATION},
        {"slaEvaluation": EVALUATION},
        {"SLAEvaluation": EVALUATION},
        {"evaluation": EVALUATION},
        {"sla": EVALUATION},
        {"sla": EVALUATION | {"policy": {"id": "p1", "name": "Chat"}}},
        {"sla": EVALUATION | {"policy": {"id": "Chat", "name": None}}},
        {"sla": EVALUATION | {"policy": None, "policy_name": "Chat"}},
        {"sla": EVALUATION | {"policy": {}, "policyName": "Chat"}},
        {"sla": EVALUATION | {"metric": {"name": "FirstResponse"}}},
        {
            "evaluationId": "e1",
            "slaPolicy": {"name": "Chat"},
            "metricType": "FirstResponse",
            "dueAt": DEADLINE,
        },
        {
            "sla_evaluation_id": "e1",
            "sla_policy": "Chat",
            "sla_metric": "FirstResponse",
            "due_at": "2026-03-02T09:15:00.300+01:00",
        },
        {
            "sla_id": "e1",
            "policyName": "Chat",
            "type": "FirstResponse",
            "breachAt": DEADLINE,
        },
        {
            "id": "e1",
            "name": "Chat",
            "metric_type": "FirstResponse",
            "target_time": DEADLINE,
        },
        {
            "id": "e1",
            "policy_id": "Chat",
            "metric": "FirstResponse",
            "deadline": "soon",
            "deadlineAt": DEADLINE,
        },
    ],
    ids=str,
)
@pytest.mark.parametrize("status", ["pending", "breached", "achieved", "voided"])
def test_an_sla_evaluation_reads_the_same_in_every_spelling(
    status: events.SlaStatus, told: Body
) -> None:
    kind = events.SlaEvaluationBegan if status == "pending" else events.SlaEvaluated
    assert read(f"sla_evaluation_{status}", told).fact == kind(
        status=status,
        id="e1",
        policy="Chat",
        metric="FirstResponse",
        deadline=datetime(2026, 3, 2, 8, 15, 0, 300_000, tzinfo=UTC),
    )


@pytest.mark.parametrize("told", [{}, {"sla": None}, {"sla": []}, {"sla": {}}, {"deadline": 5}])
def test_an_sla_evaluation_that_tells_nothing_is_known_by_its_outcome(told: Body) -> None:
    assert read("sla_evaluation_breached", told).fact == events.SlaEvaluated(status="breached")


ORDER_NUMBER: Body = {"id": "34e7", "identifier": "order_number", "name": "Order no", "value": "A1"}


@pytest.mark.parametrize(
    "told",
    [
        {"custom_attributes": [ORDER_NUMBER]},
        {"customAttributes": [ORDER_NUMBER]},
        {"attributes": [ORDER_NUMBER]},
        {"attributes": [{"name": "order_number", "value": "A1"}]},
        {"attributes": [{"id": "order_number", "value": "A1"}]},
        {"attributes": [{"identifier": None, "name": "order_number", "value": "A1"}]},
        {"attributes": [None, ORDER_NUMBER, {"value": "nameless"}, "text"]},
        {"attributes": {"order_number": "A1"}},
        {"custom_attribute": ORDER_NUMBER},
        {"customAttribute": ORDER_NUMBER},
        {"attribute": ORDER_NUMBER},
        {"attributes": 5, "attribute": ORDER_NUMBER},
        {},
        {"attributes": None},
        {"attributes": "text"},
    ],
    ids=str,
)
def test_custom_attributes_read_the_same_in_every_spelling(told: Body) -> None:
    event = read(
        "conversation_custom_attribute_updated",
        told,
        conversation={"custom_attributes": [ORDER_NUMBER]},
    )

    assert event.fact == events.CustomAttributesUpdated(values={"order_number": "A1"})


def test_custom_attributes_that_show_nowhere_are_no_change() -> None:
    body = example("conversation_custom_attribute_updated")
    del body["data"]["custom_attributes"]
    del body["data"]["conversation"]["custom_attributes"]

    assert read_body(body).fact == events.CustomAttributesUpdated(values={})


@pytest.mark.parametrize("value", [None, True, 7, 7.5, "seven", ["a", "b"], {"nested": {}}])
def test_a_custom_attribute_may_have_any_value(value: object) -> None:
    told = {"attributes": [{"identifier": "order_number", "value": value}]}

    assert read("conversation_custom_attribute_updated", told).fact == (
        events.CustomAttributesUpdated(values={"order_number": value})
    )


RATED = events.Rated(type="Csat", score=5, comment="Quick help")


@pytest.mark.parametrize(
    ("told", "nested"),
    [
        ({"type": "Csat", "score": 5, "comment": "Quick help"}, {}),
        ({"ratingType": "Csat", "ratingScore": 5, "ratingComment": "Quick help"}, {}),
        ({"rating_type": "Csat", "rating": 5, "message": "Quick help"}, {}),
        ({"comment": "Quick help"}, {"type": "Csat", "score": 5}),
        ({}, {"type": "Csat", "score": 5, "comment": "Quick help"}),
        ({"type": None, "score": None, "comment": "Quick help"}, {"type": "Csat", "score": 5}),
        ({"type": "Csat", "score": 5, "comment": "Quick help"}, {"type": "Nps", "score": 0}),
        ({"type": [], "score": "?", "comment": "Quick help"}, {"type": "Csat", "score": 5}),
    ],
    ids=str,
)
def test_a_rating_reads_the_same_in_the_data_or_nested_in_the_conversation(
    told: Body, nested: Body
) -> None:
    assert read("conversation_rated", told, conversation=nested).fact == RATED


def test_a_score_of_zero_is_a_score() -> None:
    event = read("conversation_rated", {"score": 0}, conversation={"score": 5})

    assert event.fact == events.Rated(score=0)


@pytest.mark.parametrize(
    "score",
    [None, True, "5", [], {}, float("1e308") * 10, float("nan"), 10**400],
    ids=lambda score: repr(score)[:9],
)
def test_a_score_that_is_no_number_is_hidden(score: object) -> None:
    raw = json.dumps(example("conversation_rated") | {"data": {"conversation": {"csid": 7}}})
    told = json.dumps(score).replace("Infinity", "1e400")
    raw = raw.replace('{"csid": 7}', f'{{"csid": 7}}, "type": "Nps", "score": {told}')

    event = read_event(
        raw.encode(), topic="conversation.rated", received_at=RECEIVED, version=1, position=1
    )

    assert event.fact == events.Rated(type="Nps")


@pytest.mark.parametrize(
    "told",
    [
        {"tag": "vip"},
        {"tag": {"id": "2cef", "name": "vip"}},
        {"tag": {"id": "vip"}},
        {"tagName": "vip"},
        {"tag_name": "vip"},
        {"tag": None, "tagName": "vip"},
    ],
    ids=str,
)
def test_a_tag_reads_the_same_in_every_spelling(told: Body) -> None:
    assert read("conversation_tag_added", told).fact == events.TagAdded(tag="vip")
    assert read("conversation_tag_removed", told).fact == events.TagRemoved(tag="vip")


@pytest.mark.parametrize("tag", [None, "", True, [], {}, {"name": {}}, {"name": True}])
def test_a_tag_that_is_no_text_is_hidden(tag: object) -> None:
    assert read("conversation_tag_added", {"tag": tag}).fact == events.TagAdded(tag=None)


@pytest.mark.parametrize(
    "told",
    [
        {"message_id": "m1"},
        {"messageId": "m1"},
        {"id": "m1"},
        {"message": {"id": "m1"}},
        {"message": {"message_id": "m1"}},
        {"message": {"text": "Hello"}, "message_id": "m1"},
        {"message": "Hello", "messageId": "m1"},
    ],
    ids=str,
)
def test_a_delivered_message_reads_the_same_in_every_spelling(told: Body) -> None:
    assert read("conversation_message_delivery_seen", told).fact == (
        events.DeliveryReported(fate="seen", message_id="m1")
    )


@pytest.mark.parametrize(
    "told",
    [
        {"message_id": "m1", "direction": "outbound", "author": shown(IDA)},
        {"messageId": "m1", "direction": "OUTBOUND", "user": shown(IDA)},
        {"id": "m1", "direction": "Outbound", "sender": shown(IDA)},
    ],
    ids=str,
)
def test_a_message_reads_the_same_in_every_spelling(told: Body) -> None:
    assert read("conversation_message_added", told).fact == (
        events.MessageAdded(direction="outbound", author=IDA, message_id="m1")
    )


@pytest.mark.parametrize(
    "told",
    [
        {"pendingByUser": shown(IDA)},
        {"pending_by_user": shown(IDA)},
        {"pendingBy": shown(IDA)},
    ],
    ids=str,
)
def test_an_expired_follow_up_names_who_had_added_it(told: Body) -> None:
    assert read("conversation_pending_expired", told).fact == events.FollowUpExpired(user=IDA)
    assert read("conversation_pending_expired", {}).fact == events.FollowUpExpired(user=None)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("conversation_closed", {"author": shown(IDA)}),
        ("conversation_closed", {"actor": shown(IDA)}),
        ("conversation_closed", {"closedBy": shown(IDA)}),
        ("conversation_closed", {"user": shown(IDA)}),
        ("conversation_closed", {"agent": shown(IDA)}),
        ("conversation_open", {"opened_by": shown(IDA)}),
        ("conversation_pending", {"pendingByUser": shown(IDA)}),
        ("conversation_assigned", {"agent": shown(OMAR), "assignedBy": shown(IDA)}),
        ("conversation_unassigned", {"agent": shown(OMAR), "unassigned_by": shown(IDA)}),
        ("conversation_transferred_to_agent", {"agent": shown(OMAR), "transferredBy": shown(IDA)}),
        ("typing_started", {"agent": shown(IDA)}),
        ("agent_banned_enduser", {"enduser": shown(METTE), "banned_by": shown(IDA)}),
        ("agent_unbanned_enduser", {"user": shown(METTE), "unbannedBy": shown(IDA)}),
        ("agent_banned_ip", {"ip": "203.0.113.7", "user": shown(IDA)}),
        ("agent_unbanned_ip", {"ip": "203.0.113.7", "agent": shown(IDA)}),
    ],
)
def test_the_actor_reads_the_same_in_every_spelling(name: str, told: Body) -> None:
    assert read(name, told).actor == IDA


@pytest.mark.parametrize("name", ["conversation_assigned", "conversation_transferred_to_agent"])
def test_the_agent_who_gets_a_conversation_is_not_the_actor(name: str) -> None:
    assert read(name, {"agent": shown(OMAR)}).actor is None


def test_a_conversation_in_the_rest_apis_spelling_reads_the_same() -> None:
    body = example("conversation_created")
    conversation = body["data"]["conversation"]
    spelled = {
        **{name: conversation[name] for name in ("status", "channel", "direction", "tags")},
        "id": conversation["csid"],
        "contactPoint": conversation["contact_point"],
        "createdAt": conversation["created_at"],
        "requester": {
            "id": METTE.id,
            "displayName": METTE.name,
            "email": METTE.email,
            "phoneNumber": METTE.phone,
            "userType": METTE.user_type,
        },
        "assignee": None,
        "queue": None,
        "customAttributes": {},
    }

    found = read_body(body | {"data": {"conversation": spelled}}).snapshot

    assert found is not None
    assert found.custom_attributes == {}
    assert found == read("conversation_created", conversation={"custom_attributes": {}}).snapshot


@pytest.mark.parametrize("name", ["assignee", "queue"])
def test_null_shows_that_there_is_none(name: str) -> None:
    assert getattr(snapshot(**{name: None}), name) is None


@pytest.mark.parametrize("name", ["assignee", "queue"])
def test_a_missing_part_shows_nothing(name: str) -> None:
    assert getattr(snapshot_without(name), name) is UNSET


@pytest.mark.parametrize("name", ["assignee", "queue"])
@pytest.mark.parametrize(
    "value", [True, 0, 1.5, "", "text", [], [{}], {}, {"id": None}, {"id": []}, {"other": 1}]
)
def test_a_part_of_a_wrong_type_shows_nothing(name: str, value: object) -> None:
    assert getattr(snapshot(**{name: value}), name) is UNSET


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        ([], []),
        ([{"id": "1", "name": "vip", "is_deactivated": False}], ["vip"]),
        (["vip", {"name": "new"}], ["new", "vip"]),
        ([{"name": "vip"}, {"name": "vip"}], ["vip"]),
        (None, None),
        ("vip", None),
        ({"name": "vip"}, None),
        (5, None),
        ([None], None),
        ([["vip"]], None),
        ([{"name": "vip"}, {"name": None}], None),
        ([{"id": "1"}], None),
        ([{"name": {}}], None),
        ([""], None),
    ],
    ids=str,
)
def test_tags_show_as_names_or_not_at_all(tags: object, names: list[str] | None) -> None:
    shown = snapshot(tags=tags).tags
    assert (shown if shown is None else sorted(shown)) == names


@pytest.mark.parametrize(
    ("tags", "ids"),
    [
        ([{"id": "t1", "name": "tent"}, {"id": None, "name": "pole"}], {"tent": "t1"}),
        ([{"id": 7, "name": "tent"}, "pole"], {"tent": "7"}),
        ([{"id": "t1"}, {"name": "pole"}], {}),
        ("tent", {}),
        (None, {}),
    ],
)
def test_tags_show_their_ids_where_they_have_both(tags: object, ids: dict[str, str]) -> None:
    assert snapshot(tags=tags).tag_ids == ids


@pytest.mark.parametrize(
    ("attributes", "ids"),
    [
        ([{"id": "a1", "identifier": "order", "value": 1}], {"order": "a1"}),
        ([{"id": "a1", "value": 1}, {"id": 5, "name": "size"}, "x"], {"a1": "a1"}),
        ({"id": "a1", "name": "order", "value": 1}, {"order": "a1"}),
        ({"order": 1}, {}),
        (None, {}),
    ],
)
def test_custom_attributes_show_their_ids(attributes: object, ids: dict[str, str]) -> None:
    assert snapshot(custom_attributes=attributes).attribute_ids == ids


def test_missing_tags_show_nothing() -> None:
    assert snapshot_without("tags").tags is None


@pytest.mark.parametrize(
    ("attributes", "values"),
    [
        ([], {}),
        ({}, {}),
        ([ORDER_NUMBER], {"order_number": "A1"}),
        ({"order_number": "A1"}, {"order_number": "A1"}),
        (ORDER_NUMBER, {"order_number": "A1"}),
        ([{"identifier": "order_number"}], {"order_number": None}),
        ({"value": "A1"}, {"value": "A1"}),
        (None, None),
        (5, None),
        ("text", None),
        ([5], None),
        ([{"value": "nameless"}], None),
    ],
    ids=str,
)
def test_custom_attributes_show_as_a_map_or_not_at_all(
    attributes: object, values: Body | None
) -> None:
    assert snapshot(custom_attributes=attributes).custom_attributes == values


@pytest.mark.parametrize(
    "name", ["status", "channel", "direction", "contact_point", "created_at", "subject"]
)
@pytest.mark.parametrize("value", [None, True, [], {}, [["text"]]])
def test_a_text_of_a_wrong_type_shows_nothing(name: str, value: object) -> None:
    assert getattr(snapshot(**{name: value}), name) is None
    assert getattr(snapshot_without(name), name) is None


@pytest.mark.parametrize("value", ["soon", "", 5, "2026-02-30T00:00:00Z"])
def test_a_time_of_creation_that_is_none_shows_nothing(value: object) -> None:
    assert snapshot(created_at=value).created_at is None


@pytest.mark.parametrize("value", [None, True, 5, "text", [], {}, {"id": None, "name": []}])
def test_a_requester_without_anything_to_tell_them_by_shows_nothing(value: object) -> None:
    assert snapshot(requester=value).requester is None
    assert snapshot_without("requester").requester is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", []), ("email", {}), ("phone", True), ("roles", "Agent"), ("roles", [None])],
)
def test_a_wrong_part_of_a_user_leaves_the_rest(field: str, value: object) -> None:
    found = snapshot(requester=shown(METTE) | {field: value}).requester

    assert found is not None
    assert found.id == METTE.id
    assert getattr(found, field) in (None, ())


def test_an_id_that_came_as_a_number_is_a_text() -> None:
    found = snapshot(requester={"id": 12}, queue={"id": 7, "name": "Support"})

    assert found.requester == User(id="12")
    assert found.queue == Queue("7", "Support")
    assert read("conversation_assigned", {"agentId": 12}).fact == (
        events.Assigned(agent=User(id="12"))
    )


@pytest.mark.parametrize("conversation", [None, 70431, "70431", [], True])
def test_a_conversation_of_a_wrong_type_shows_nothing(conversation: object) -> None:
    body = example("agent_banned_enduser")
    body["data"]["conversation"] = conversation

    assert read_body(body).snapshot is None


def test_a_conversation_that_shows_nothing_but_its_number_is_an_empty_snapshot() -> None:
    body = example("conversation_closed") | {"data": {"conversation": {"csid": 70431}}}

    assert read_body(body).snapshot == Snapshot()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(sorted(ConversationData.__struct_fields__)), json_values))
def test_no_conversation_is_too_odd_to_be_read(conversation: Body) -> None:
    body = example("conversation_open")
    body["data"]["conversation"] = {**conversation, "csid": 70431}
    body = json.loads(json.dumps(body).replace("NaN", "0").replace("Infinity", "0"))

    assert isinstance(read_body(body).snapshot, Snapshot)


@given(json_values)
def test_any_value_in_the_place_of_a_user_a_queue_a_text_or_attributes_can_be_read(
    value: object,
) -> None:
    user, queue, text = user_from(value), queue_from(value), text_from(value)

    assert user is None or user.key
    assert queue is None or queue.key
    assert text is None or text
    assert isinstance(attributes_from(value), dict | None)
