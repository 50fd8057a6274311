"""What the data of an event says, in every spelling that is accepted: tables, and what is odd."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from dixa_state.dixa.body import identify, read_event
from dixa_state.dixa.fields import attributes_from, queue_from, text_from, user_from
from dixa_state.domain import events
from dixa_state.domain.events import AnyFact, Event, Queue, Snapshot, User

DATA = Path(__file__).parent.parent / "data"
RECEIVED = datetime(2026, 3, 2, 13, tzinfo=UTC)
FILES = [{"name": "tent.jpg", "size": 5}, {"fileName": "receipt.pdf"}]
DEADLINE = "2026-03-02T08:15:00.300Z"
ADDRESS = "203.0.113.7"

Body = dict[str, Any]

IDA = {"id": "a1", "name": "Ida Holm", "user_type": "Member", "roles": ["Agent"]}
METTE = {"id": "e1", "name": "Mette Sand", "phone": "+4520000001", "user_type": "Contact"}
AGENT, CUSTOMER, QUEUE = User("a1"), User("e1"), Queue("q1")
ATTRIBUTE = {"id": "34e7", "identifier": "order", "name": "Order no", "value": "A1"}
EVALUATION = {"id": "v1", "policy": "Chat", "metric": "FirstResponse", "deadline": DEADLINE}


def example(name: str) -> Body:
    body: Body = json.loads((DATA / f"{name}.json").read_bytes())
    return body


def read_body(body: Body) -> Event:
    raw = json.dumps(body).encode()
    topic = identify(raw).topic
    return read_event(raw, topic=topic, received_at=RECEIVED, version=1, position=1)


def read(name: str, data: Body, *, fqn: str | None = None, shown: Body | None = None) -> Event:
    """Read an example with this data, and this alone shown of its conversation."""
    body = example(name)
    conversation = {"csid": 7, **(shown or {})}
    fqn = fqn or body["event_fqn"]
    return read_body(body | {"event_fqn": fqn, "data": {"conversation": conversation, **data}})


def user_places(*names: str, user: str = "a1") -> list[Body]:
    """Spell a user in these places: as an object, as an id, under the name of an id."""
    return [
        place
        for name in names
        for place in ({name: {"id": user}}, {name: user}, {f"{name}_id": user}, {f"{name}Id": user})
    ]


AGENTS: list[Body] = [
    *user_places("agent", "assignee", "newAgent", "assigned_to", "to_agent"),
    {"destinationType": "Agent", "destinationId": "a1"},
    {"destination_type": "AGENT", "destination_id": "a1", "destination_label": None},
    {"agent": None, "assignee": {"id": "a1"}},
    {"agent": True, "agentId": "a1"},
    {"agent": {}, "agent_id": "a1"},
    {"agentId": "a1", "agent_id": None},
]
QUEUES: list[Body] = [
    *user_places("queue", "newQueue", "to_queue", user="q1"),
    {"destinationType": "Queue", "destinationId": "q1"},
    {"queue": {}, "queueId": "q1"},
    {"queue": True, "queueId": "q1"},
]
EVALUATIONS: list[Body] = [
    EVALUATION,
    *({name: EVALUATION} for name in ("sla_evaluation", "slaEvaluation", "evaluation", "sla")),
    {"sla": EVALUATION | {"policy": {"id": "p1", "name": "Chat"}}},
    {"sla": EVALUATION | {"policy": {"id": "Chat", "name": None}}},
    {"sla": EVALUATION | {"policy": None, "policy_name": "Chat"}},
    {"sla": EVALUATION | {"metric": {"name": "FirstResponse"}}},
    {
        "evaluationId": "v1",
        "slaPolicy": {"name": "Chat"},
        "metricType": "FirstResponse",
        "dueAt": DEADLINE,
    },
    {
        "sla_id": "v1",
        "policyId": "Chat",
        "type": "FirstResponse",
        "due_at": "2026-03-02T09:15:00.300+01:00",
    },
    {
        "sla_evaluation_id": "v1",
        "name": "Chat",
        "sla_metric": "FirstResponse",
        "deadline": "soon",
        "breachAt": DEADLINE,
    },
    {
        "id": "v1",
        "sla_policy_name": "Chat",
        "metric": {"type": "FirstResponse"},
        "target_time": DEADLINE,
    },
    *(
        {"sla": EVALUATION | {"deadline": None, name: DEADLINE}}
        for name in (
            "due_date",
            "breach_time",
            "breaches_at",
            "expires_at",
            "target_at",
            "deadline_at",
        )
    ),
    *(
        {"sla": EVALUATION | {"deadline": epoch}}
        for epoch in (1_772_439_300.3, 1_772_439_300_300, "1772439300.3", "1772439300300")
    ),
]
DUE = datetime(2026, 3, 2, 8, 15, 0, 300_000, tzinfo=UTC)
SLA: Body = {"id": "v1", "policy": "Chat", "metric": "FirstResponse", "deadline": DUE}

SPELLINGS: list[tuple[str, AnyFact, list[Body]]] = [
    ("conversation_assigned", events.Assigned(agent=AGENT), AGENTS),
    (
        "conversation_unassigned",
        events.Unassigned(agent=AGENT),
        user_places("agent", "assignee", "oldAgent", "previous_agent"),
    ),
    ("conversation_transferred_to_agent", events.TransferredToAgent(agent=AGENT), AGENTS),
    ("conversation_transferred_to_queue", events.TransferredToQueue(queue=QUEUE), QUEUES),
    ("conversation_enqueued", events.Enqueued(queue=QUEUE), QUEUES),
    ("conversation_abandoned", events.Abandoned(queue=QUEUE), QUEUES),
    (
        "conversation_end_user_replaced",
        events.EndUserReplaced(new=CUSTOMER, old=AGENT),
        [
            {f"{old}{name}": "a1", f"{new}{name}": {"id": "e1"}}
            for old, new in (("old", "new"), ("old_", "new_"), ("previous", ""))
            for name in ("User", "user", "UserId", "user_id")
        ]
        + [{f"old{name}": {"id": "a1"}, f"new{name}": "e1"} for name in ("EndUser", "_requester")],
    ),
    ("typing_started", events.TypingStarted(agent=AGENT), user_places("agent", "author")),
    (
        "conversation_pending_expired",
        events.FollowUpExpired(user=AGENT),
        user_places("pendingByUser", "pending_by"),
    ),
    (
        "agent_banned_enduser",
        events.BanReported(banned=True, user=CUSTOMER),
        user_places("enduser", "endUser", "user", "contact", "requester", user="e1")
        + user_places("banned_user", "bannedEnduser", "customer", user="e1"),
    ),
    (
        "agent_unbanned_ip",
        events.BanReported(banned=False, address="2001:db8::1"),
        [
            {"ip": ip}
            for ip in ("2001:db8::1", "2001:DB8:0::1", "2001:0db8:0:0:0:0:0:1", "[2001:db8::1]")
        ],
    ),
    (
        "agent_banned_ip",
        events.BanReported(banned=True, address=ADDRESS),
        [
            *(
                {name: ADDRESS}
                for name in ("ip", "ipAddress", "ip_address", "address", "banned_ip")
            ),
            *({"ip": {name: ADDRESS}} for name in ("ip", "ipAddress", "address", "value")),
            {"ip": f" {ADDRESS} "},
            {"ip": f"::ffff:{ADDRESS}"},
            {"ip": None, "ipAddress": {"address": ADDRESS, "version": 4}},
        ],
    ),
    *(
        (f"sla_evaluation_{status}", events.SlaEvaluated(status=status, **SLA), EVALUATIONS)
        for status in ("breached", "achieved", "voided")
    ),
    (
        "sla_evaluation_pending",
        events.SlaEvaluationBegan(status="pending", **SLA),
        EVALUATIONS,
    ),
    (
        "sla_evaluation_breached",
        events.SlaEvaluated(status="breached"),
        [{}, {"sla": None}, {"sla": []}, {"sla": {}}, {"deadline": True}, {"deadline": 5}],
    ),
    (
        "conversation_custom_attribute_updated",
        events.CustomAttributesUpdated(values={"order": "A1"}),
        [
            *({name: [ATTRIBUTE]} for name in ("custom_attributes", "attributes")),
            *({name: ATTRIBUTE} for name in ("customAttribute", "attribute")),
            {"attributes": [{"name": "order", "value": "A1"}]},
            {"attributes": [{"identifier": None, "id": "order", "value": "A1"}]},
            {"attributes": [None, ATTRIBUTE, {"value": "nameless"}, "text"]},
            {"attributes": {"order": "A1"}},
            {"attributes": 5, "attribute": ATTRIBUTE},
        ],
    ),
    (
        "conversation_rated",
        events.Rated(type="Csat", score=5, comment="Quick help"),
        [
            {"type": "Csat", "score": 5, "comment": "Quick help"},
            {"ratingType": "Csat", "ratingScore": 5, "ratingComment": "Quick help"},
            {"rating_type": "Csat", "rating": 5, "message": "Quick help"},
            {"type": "Csat", "score": "5", "comment": "Quick help"},
            {"rating": {"type": "Csat", "score": 5, "comment": "Quick help"}},
            {"rating": {"score": "5"}, "type": "Csat", "comment": "Quick help"},
        ],
    ),
    (
        "conversation_tag_added",
        events.TagAdded(tag="vip"),
        [
            *({name: "vip"} for name in ("tag", "tagName", "tag_name")),
            {"tag": {"id": "2cef", "name": "vip"}},
            {"tag": {"id": "vip"}},
            {"tag": None, "tagName": "vip"},
        ],
    ),
    (
        "conversation_tag_removed",
        events.TagRemoved(tag=None),
        [{"tag": tag} for tag in (None, "", True, [], {}, {"name": {}}, {"name": True})],
    ),
    (
        "conversation_message_delivery_seen",
        events.DeliveryReported(fate="seen", message_id="m1"),
        [
            *({name: "m1"} for name in ("message_id", "messageId", "id")),
            *({"message": {name: "m1"}} for name in ("id", "message_id")),
            {"message": {"text": "Hello"}, "message_id": "m1"},
            {"message": "Hello", "messageId": "m1"},
        ],
    ),
    (
        "conversation_message_added",
        events.MessageAdded(direction="outbound", author=AGENT, message_id="m1"),
        [
            {"message_id": "m1", "direction": "outbound", "author": {"id": "a1"}},
            {"messageId": "m1", "direction": "OUTBOUND", "user": "a1"},
            {"id": "m1", "direction": "Outbound", "senderId": "a1"},
            {"message": {"id": "m1", "direction": "outbound", "author": {"id": "a1"}}},
            {"message": {"messageId": "m1"}, "direction": "outbound", "author": {"id": "a1"}},
        ],
    ),
    (
        "conversation_message_added",
        events.MessageAdded(channel="EMAIL", text="Hello", attachments=("tent.jpg", "receipt.pdf")),
        [
            {"channel": "EMAIL", "text": "Hello", "attachments": ["tent.jpg", "receipt.pdf"]},
            {"message": {"channel": "EMAIL", "body": "Hello"}, "files": FILES},
            {"channel": "EMAIL", "content": {"text": "Hello"}, "attachments": FILES},
            {"channel": "EMAIL", "content": "Hello", "attachments": [*FILES, None, {}, 5, ""]},
        ],
    ),
    (
        "conversation_note_added",
        events.NoteAdded(note_id="n1", text="Asked the carrier."),
        [
            {"note_id": "n1", "text": "Asked the carrier."},
            {"noteId": "n1", "body": "Asked the carrier."},
            {"id": "n1", "note": "Asked the carrier."},
        ],
    ),
]


@pytest.mark.parametrize(("name", "fact", "spellings"), SPELLINGS)
def test_every_spelling_of_the_data_makes_the_same_fact(
    name: str, fact: AnyFact, spellings: list[Body]
) -> None:
    for data in spellings:
        assert read(name, data).fact == fact, data


ACTORS = {
    "conversation_closed": ("author", "actor", "closedBy", "user", "agent"),
    "conversation_open": ("author", "opened_by"),
    "conversation_pending": ("pendingByUser",),
    "conversation_assigned": ("assignedBy", "user"),
    "conversation_unassigned": ("unassigned_by",),
    "conversation_transferred_to_agent": ("transferredBy",),
    "conversation_message_added": ("author", "sender"),
    "typing_started": ("agent", "author"),
    "agent_banned_enduser": ("agent", "banned_by"),
    "agent_unbanned_enduser": ("unbannedBy",),
    "agent_banned_ip": ("agent", "user"),
}


@pytest.mark.parametrize("name", ACTORS)
def test_the_actor_is_found_under_every_name(name: str) -> None:
    for data in user_places(*ACTORS[name]):
        assert read(name, data).actor == AGENT, data


@pytest.mark.parametrize("name", ["conversation_assigned", "conversation_transferred_to_agent"])
def test_the_agent_who_gets_a_conversation_is_not_the_actor(name: str) -> None:
    assert read(name, {"agent": IDA}).actor is None


def user(shown: Body) -> User:
    return User(**{**shown, "roles": tuple(shown.get("roles", ()))})


@pytest.mark.parametrize("data", [{}, {"agent": {"id": "a1"}}, {"agentId": "a1"}])
def test_what_an_event_leaves_out_its_snapshot_shows(data: Body) -> None:
    shown = {"assignee": IDA, "queue": {"id": "q1", "name": "Support"}, "requester": IDA}
    queue_data = {"queueId": "q1"} if data else {}
    replaced = {"newUserId": "a1"} if data else {}

    assert read("conversation_assigned", data, shown=shown).fact == events.Assigned(agent=user(IDA))
    assert read("conversation_enqueued", queue_data, shown=shown).fact == events.Enqueued(
        queue=Queue("q1", "Support")
    )
    assert read("conversation_end_user_replaced", replaced, shown=shown).fact == (
        events.EndUserReplaced(new=user(IDA))
    )


def test_what_an_event_names_is_believed_before_its_snapshot() -> None:
    shown = {"assignee": METTE, "queue": {"id": "q2"}}

    assert read("conversation_assigned", {"agent": IDA}, shown=shown).fact == (
        events.Assigned(agent=user(IDA))
    )
    assert read("conversation_enqueued", {"queue": "q1"}, shown=shown).fact == (
        events.Enqueued(queue=QUEUE)
    )


def test_what_shows_nowhere_is_unknown() -> None:
    assert read("conversation_assigned", {}).fact == events.Assigned(agent=UNSET)
    assert read("conversation_enqueued", {}).fact == events.Enqueued(queue=UNSET)
    assert read("conversation_pending_expired", {}).fact == events.FollowUpExpired(user=None)
    attributes = read("conversation_custom_attribute_updated", {"attributes": "text"})
    assert attributes.fact == events.CustomAttributesUpdated(values={})


@pytest.mark.parametrize(
    ("fqn", "data", "fact"),
    [
        ("_TO_AGENT", {}, events.TransferredToAgent(agent=user(IDA))),
        ("", {"destinationType": "Agent"}, events.TransferredToAgent(agent=user(IDA))),
        ("", {"agent": "a2"}, events.TransferredToAgent(agent=User("a2"))),
        ("", {"agent": "a2", "queue": "q1"}, events.TransferredToQueue(queue=QUEUE)),
        ("_TO_AGENT", {"agent": "a2", "queue": "q1"}, events.TransferredToAgent(agent=User("a2"))),
        ("", {"destinationType": "Queue"}, events.TransferredToQueue(queue=QUEUE)),
        ("_TO_QUEUE", {"agent": "a2"}, events.TransferredToQueue(queue=QUEUE)),
        ("", {}, events.TransferredToQueue(queue=QUEUE)),
    ],
)
def test_where_a_transfer_goes_is_told_by_its_name_or_its_data(
    fqn: str, data: Body, fact: AnyFact
) -> None:
    event = read(
        "conversation_transferred_to_agent",
        data,
        fqn=f"CONVERSATION_TRANSFERRED{fqn}",
        shown={"assignee": IDA, "queue": {"id": "q1"}},
    )

    assert (event.topic, event.fact) == ("conversation.transferred", fact)


@pytest.mark.parametrize(
    ("fqn", "data", "actor"),
    [
        ("_TO_QUEUE", {"queue": "q1", "agent": "a1"}, AGENT),
        ("", {"destinationType": "Queue", "destinationId": "q1", "agentId": "a1"}, AGENT),
        ("_TO_QUEUE", {"queue": "q1", "agent": "a2", "author": "a1"}, AGENT),
        ("", {"queue": "q1", "agent": "a1"}, None),
        ("_TO_AGENT", {"agent": "a1"}, None),
    ],
)
def test_the_agent_beside_the_queue_of_a_transfer_is_who_did_it(
    fqn: str, data: Body, actor: User | None
) -> None:
    name = f"CONVERSATION_TRANSFERRED{fqn}"
    assert read("conversation_transferred_to_queue", data, fqn=name).actor == actor


def test_a_ban_and_its_end_meet_in_one_stream_however_the_address_is_spelled() -> None:
    streams = set()
    for kind, ip in (("banned", "2001:DB8:0::1"), ("unbanned", "2001:0db8:0:0:0:0:0:1")):
        body = example(f"agent_{kind}_ip") | {"data": {"ip": ip}}
        streams.add(identify(json.dumps(body).encode()).stream)
    [stream] = streams
    assert stream.endswith("/2001:db8::1")


@pytest.mark.parametrize(
    ("data", "nested"),
    [
        ({"comment": "Good"}, {"type": "Csat", "score": 0}),
        ({}, {"type": "Csat", "score": 0, "comment": "Good"}),
        ({"type": None, "score": None, "comment": "Good"}, {"type": "Csat", "score": 0}),
        ({"type": "Csat", "score": 0, "comment": "Good"}, {"type": "Nps", "score": 5}),
        ({"type": [], "score": "?", "comment": "Good"}, {"type": "Csat", "score": 0}),
    ],
)
def test_a_rating_is_found_in_the_data_or_nested_in_the_conversation(
    data: Body, nested: Body
) -> None:
    fact = read("conversation_rated", data, shown=nested).fact

    assert fact == events.Rated(type="Csat", score=0, comment="Good")


@pytest.mark.parametrize("score", ["null", "true", "[]", "{}", "1e400", "7" * 400, '"five"'])
def test_a_score_that_is_no_number_is_hidden(score: str) -> None:
    raw = json.dumps(example("conversation_rated") | {"data": {"conversation": {"csid": 7}}})
    raw = raw.replace('{"csid": 7}', f'{{"csid": 7}}, "type": "Nps", "score": {score}')

    event = read_event(
        raw.encode(), topic="conversation.rated", received_at=RECEIVED, version=1, position=1
    )

    assert event.fact == events.Rated(type="Nps")


@pytest.mark.parametrize("data", [{}, {"enduser": {}}, {"enduser": {"id": []}}, {"ip": " "}])
@pytest.mark.parametrize("name", ["agent_banned_enduser", "agent_banned_ip"])
def test_a_ban_of_nobody_that_can_be_told_goes_to_the_organization(name: str, data: Body) -> None:
    body = example(name) | {"data": data}

    assert read_body(body).fact == events.BanReported(banned=True)
    stream = identify(json.dumps(body).encode()).stream
    assert stream == f"organization/{body['organization']['id']}"


def test_a_ban_that_names_nobody_is_on_the_requester_of_the_conversation_that_it_shows() -> None:
    fact = read("agent_banned_enduser", {}, shown={"requester": METTE}).fact

    assert fact == events.BanReported(banned=True, user=user(METTE))


def snapshot(**shown: object) -> Snapshot:
    found = read("conversation_closed", {}, shown=shown).snapshot
    assert found is not None
    return found


def test_a_conversation_in_the_rest_apis_spelling_shows_the_same() -> None:
    spelled = snapshot(
        id=7,
        contactPoint="chat",
        createdAt=DEADLINE,
        requester={
            "id": "e1",
            "displayName": "Mette Sand",
            "phoneNumber": METTE["phone"],
            "userType": "Contact",
        },
        customAttributes={"order": "A1"},
    )

    assert spelled == snapshot(
        contact_point="chat",
        created_at=DEADLINE,
        requester=METTE,
        custom_attributes={"order": "A1"},
    )
    assert spelled.requester == user(METTE)


@pytest.mark.parametrize("name", ["assignee", "queue"])
def test_null_shows_that_there_is_none_and_anything_odd_shows_nothing(name: str) -> None:
    assert getattr(snapshot(**{name: None}), name) is None
    assert getattr(snapshot(), name) is UNSET
    for odd in (True, 0, "", "text", [], [{}], {}, {"id": None}, {"id": []}, {"other": 1}):
        assert getattr(snapshot(**{name: odd}), name) is UNSET, odd


@pytest.mark.parametrize(
    ("tags", "names", "ids"),
    [
        ([], [], {}),
        ([{"id": "1", "name": "vip", "is_deactivated": False}], ["vip"], {"vip": "1"}),
        (["vip", {"id": 7, "name": "new"}], ["new", "vip"], {"new": "7"}),
        ([{"name": "vip"}, {"name": "vip"}], ["vip"], {}),
        ([{"id": "1", "name": "vip"}, {"name": None}], None, {"vip": "1"}),
        *((odd, None, {}) for odd in (None, "vip", {"name": "vip"}, 5, [None], [["vip"]], [""])),
        *((odd, None, {}) for odd in ([{"id": "1"}], [{"name": {}}])),
    ],
)
def test_tags_show_as_names_or_not_at_all(
    tags: object, names: list[str] | None, ids: dict[str, str]
) -> None:
    shown = snapshot(tags=tags)

    assert (shown.tags if shown.tags is None else sorted(shown.tags)) == names
    assert shown.tag_ids == ids


@pytest.mark.parametrize(
    ("attributes", "values", "ids"),
    [
        ([], {}, {}),
        ({}, {}, {}),
        ([ATTRIBUTE], {"order": "A1"}, {"order": "34e7"}),
        (ATTRIBUTE, {"order": "A1"}, {"order": "34e7"}),
        ({"order": "A1"}, {"order": "A1"}, {}),
        ([{"identifier": "order"}], {"order": None}, {}),
        ({"value": "A1"}, {"value": "A1"}, {}),
        ([{"id": "a", "value": [7]}, {"id": 5, "name": "b"}], {"a": [7], "b": None}, {"a": "a"}),
        *((odd, None, {}) for odd in (None, 5, "text", [5], [{"value": "nameless"}])),
    ],
)  # fmt: skip
def test_custom_attributes_show_as_a_map_or_not_at_all(
    attributes: object, values: Body | None, ids: dict[str, str]
) -> None:
    shown = snapshot(custom_attributes=attributes)

    assert (shown.custom_attributes, shown.attribute_ids) == (values, ids)


def test_a_part_of_a_wrong_type_shows_nothing_and_leaves_the_rest() -> None:
    for name in ("status", "channel", "direction", "contact_point", "created_at", "subject"):
        for odd in (None, True, [], {}, [["text"]]):
            assert snapshot(**{name: odd}) == snapshot(), (name, odd)
    for odd in ("soon", "", "2026-02-30T00:00:00Z"):
        assert snapshot(created_at=odd).created_at is None
    for odd in (None, True, 5, "text", [], {}, {"id": None, "name": []}):
        assert snapshot(requester=odd).requester is None
    for name, odd in (("name", []), ("email", {}), ("phone", True), ("roles", [None])):
        shown = snapshot(requester=METTE | {name: odd}).requester
        assert shown is not None
        assert (shown.id, getattr(shown, name)) == ("e1", () if name == "roles" else None)


def test_an_id_that_came_as_a_number_is_a_text() -> None:
    shown = snapshot(requester={"id": 12}, queue={"id": 7, "name": "Support"})

    assert (shown.requester, shown.queue) == (User("12"), Queue("7", "Support"))
    assert read("conversation_assigned", {"agentId": 12}).fact == events.Assigned(agent=User("12"))


@pytest.mark.parametrize("conversation", [None, 70431, "70431", [], True])
def test_a_conversation_of_a_wrong_type_shows_nothing(conversation: object) -> None:
    body = example("agent_banned_enduser")
    body["data"]["conversation"] = conversation

    assert read_body(body).snapshot is None


def test_a_conversation_that_shows_nothing_but_its_number_is_an_empty_snapshot() -> None:
    assert snapshot() == Snapshot()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(json_values)
def test_any_value_in_the_place_of_a_user_a_queue_a_text_or_attributes_can_be_read(
    value: object,
) -> None:
    found, queue, text = user_from(value), queue_from(value), text_from(value)

    assert found is None or found.key
    assert queue is None or queue.key
    assert text is None or text
    assert isinstance(attributes_from(value), dict | None)
