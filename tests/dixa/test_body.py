"""From bodies to events: Dixa's examples, the door, and bodies that nobody ever sent."""

import json
from collections.abc import Iterable
from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import pytest
from hypothesis import example as such_as
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from dixa_state.dixa import body as reading
from dixa_state.dixa.body import Identity, Problem, UnreadableError, identify, read_event
from dixa_state.dixa.catalog import CATALOG, lookup
from dixa_state.dixa.streams import ban_stream
from dixa_state.domain import bans, events
from dixa_state.domain.bans import Ban
from dixa_state.domain.conversation import initial
from dixa_state.domain.events import Event, Queue, Snapshot, User
from dixa_state.domain.fold import evolve
from dixa_state.fold import Step
from dixa_state.questions import describe
from dixa_state.questions.bans import Ban as BanAnswer
from dixa_state.questions.timeline import describe_step

DATA = Path(__file__).parent.parent / "data"
EXAMPLES = {
    path.stem: path.read_bytes()
    for path in sorted(DATA.glob("*.json"))
    if path.stem != "day.expected"
}
DAY = (DATA / "day.jsonl").read_bytes().splitlines()
RECEIVED = datetime(2026, 3, 2, 13, tzinfo=UTC)
NOW = datetime(2026, 3, 3, tzinfo=UTC)

ORGANIZATION = "5b0d7a52-0f0e-4b7e-9a35-6f2c1f8a1c11"
TENT = f"conversation/{ORGANIZATION}/70431"
CALL = f"conversation/{ORGANIZATION}/70432"

agent = partial(User, phone=None, user_type="Member", roles=("Agent",))
customer = partial(User, user_type="Contact")
IDA = agent("ecaacea3-18ce-5d04-8767-788cc6344f63", "Ida Holm", "ida@aurora.example")
OMAR = agent("9fb1c2ca-39d3-5613-83af-c177862664bc", "Omar Lind", "omar@aurora.example")
METTE = customer(
    "0ab6b04f-f733-524b-b4da-009e7c30b101", "Mette Sand", "mette.sand@example.com", "+4520000001"
)
PER = customer("54fdc012-3e61-54eb-9a19-f15a2d214fee", "Per Sand", "per.sand@example.com")
JON = customer("353dffe8-ed5c-577a-af24-e1b392eabaab", "Jon Berg", "jon.berg@example.com")
SUPPORT = Queue("043fd835-7533-533e-aa05-ea32d363e711", "Support")
LOGISTICS = Queue("aafef812-1fe2-5696-9a3f-094f9bb26b55", "Logistics")


def read(body: bytes) -> Event:
    accepted = identify(body)
    return read_event(body, topic=accepted.topic, received_at=RECEIVED, version=3, position=7)


def tolerantly(body: bytes, topic: str) -> Event:
    """Read a body as if it were not spelled as documented."""
    with patch.object(reading, "decode", lambda *_: None):
        return read_event(body, topic=topic, received_at=RECEIVED, version=3, position=7)


class Expected(NamedTuple):
    """What an example is expected to say."""

    stream: str
    topic: str
    fact: events.AnyFact
    actor: User | None = None


def at(clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-02T{clock}+00:00")


def delivery(fate: events.DeliveryFate, message_id: str) -> Expected:
    return Expected(
        TENT,
        f"conversation.message_delivery_{fate}",
        events.DeliveryReported(fate=fate, message_id=message_id),
    )


ANSWER = "fec8dc33-6bf4-5126-bfe3-28b3228a11a1"
NOTE = events.NoteAdded(
    author=IDA, note_id="8e591736-c7fe-563e-a217-0b7189633165", text="Asked the carrier."
)
LAST_ANSWER = "b754ec8c-7efb-5995-bd3b-5c9407b863ac"

EXPECTED = {
    "agent_banned_enduser": Expected(
        f"enduser/{ORGANIZATION}/{JON.id}",
        "enduser.banned",
        events.BanReported(banned=True, user=JON),
        OMAR,
    ),
    "agent_banned_ip": Expected(
        f"ip/{ORGANIZATION}/203.0.113.7",
        "ip.banned",
        events.BanReported(banned=True, address="203.0.113.7"),
        OMAR,
    ),
    "agent_unbanned_enduser": Expected(
        f"enduser/{ORGANIZATION}/{JON.id}",
        "enduser.unbanned",
        events.BanReported(banned=False, user=JON),
        IDA,
    ),
    "agent_unbanned_ip": Expected(
        f"ip/{ORGANIZATION}/203.0.113.7",
        "ip.unbanned",
        events.BanReported(banned=False, address="203.0.113.7"),
        IDA,
    ),
    "conversation_abandoned": Expected(
        CALL, "conversation.abandoned", events.Abandoned(queue=SUPPORT)
    ),
    "conversation_assigned": Expected(TENT, "conversation.assigned", events.Assigned(agent=IDA)),
    "conversation_closed": Expected(TENT, "conversation.closed", events.Closed()),
    "conversation_created": Expected(TENT, "conversation.created", events.Created()),
    "conversation_custom_attribute_updated": Expected(
        TENT,
        "conversation.custom_attribute_updated",
        events.CustomAttributesUpdated(values={"order_number": "AU-1187"}),
    ),
    "conversation_end_user_replaced": Expected(
        TENT, "conversation.end_user_replaced", events.EndUserReplaced(new=PER, old=METTE), IDA
    ),
    "conversation_enqueued": Expected(
        TENT, "conversation.enqueued", events.Enqueued(queue=SUPPORT)
    ),
    "conversation_message_added": Expected(
        TENT,
        "conversation.message_added",
        events.MessageAdded(
            direction="inbound",
            author=METTE,
            message_id="881a758c-67f5-524c-89b3-1c303e0edb48",
            channel="WIDGET_CHAT",
            text="Where is my tent?",
        ),
        METTE,
    ),
    "conversation_message_delivery_delivered": delivery("delivered", ANSWER),
    "conversation_message_delivery_failed": delivery("failed", LAST_ANSWER),
    "conversation_message_delivery_info": delivery("info", LAST_ANSWER),
    "conversation_message_delivery_seen": delivery("seen", ANSWER),
    "conversation_message_delivery_sent": delivery("sent", ANSWER),
    "conversation_message_delivery_spam_complaint": delivery("spam_complaint", LAST_ANSWER),
    "conversation_note_added": Expected(TENT, "conversation.note_added", NOTE, IDA),
    "conversation_open": Expected(TENT, "conversation.open", events.Reopened()),
    "conversation_pending": Expected(TENT, "conversation.pending", events.FollowUpAdded()),
    "conversation_pending_expired": Expected(
        TENT, "conversation.pending_expired", events.FollowUpExpired(user=IDA)
    ),
    "conversation_rated": Expected(
        TENT, "conversation.rated", events.Rated(type="Csat", score=5, agent=OMAR)
    ),
    "conversation_tag_added": Expected(
        TENT, "conversation.tag_added", events.TagAdded(tag="delivery"), IDA
    ),
    "conversation_tag_removed": Expected(
        TENT, "conversation.tag_removed", events.TagRemoved(tag="delivery"), OMAR
    ),
    "conversation_transferred_to_agent": Expected(
        TENT, "conversation.transferred", events.TransferredToAgent(agent=OMAR), IDA
    ),
    "conversation_transferred_to_queue": Expected(
        TENT, "conversation.transferred", events.TransferredToQueue(queue=LOGISTICS), IDA
    ),
    "conversation_unassigned": Expected(
        TENT, "conversation.unassigned", events.Unassigned(agent=IDA)
    ),
    "sla_evaluation_achieved": Expected(
        TENT,
        "sla.achieved",
        events.SlaEvaluated(
            status="achieved",
            id="05d6f4d6-0f73-5fa5-85ef-67b6f521531f",
            policy="Chat, standard",
            metric="FirstResponse",
            deadline=at("08:15:00.300"),
        ),
    ),
    "sla_evaluation_breached": Expected(
        TENT,
        "sla.breached",
        events.SlaEvaluated(
            status="breached",
            id="82d6e8d3-a1b8-5779-bd2d-c36950b7712a",
            policy="Chat, standard",
            metric="NextResponse",
            deadline=at("11:30:00.200"),
        ),
    ),
    "sla_evaluation_pending": Expected(
        TENT,
        "sla.pending",
        events.SlaEvaluationBegan(
            status="pending",
            id="05d6f4d6-0f73-5fa5-85ef-67b6f521531f",
            policy="Chat, standard",
            metric="FirstResponse",
            deadline=at("08:15:00.300"),
        ),
    ),
    "sla_evaluation_voided": Expected(
        CALL,
        "sla.voided",
        events.SlaEvaluated(
            status="voided",
            id="8716a276-73bb-598f-869f-2301248340fb",
            policy="Phone",
            metric="FirstResponse",
            deadline=at("08:32:00.100"),
        ),
    ),
    "typing_started": Expected(TENT, "typing.started", events.TypingStarted(agent=IDA), IDA),
}


def test_there_is_an_example_of_every_event_and_a_fact_expected_of_every_example() -> None:
    assert set(EXAMPLES) == set(EXPECTED)
    assert {one.topic for one in EXPECTED.values()} == {kind.topic for kind in CATALOG}


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_accepted_into_its_stream_and_read_as_its_fact(name: str) -> None:
    body, expected = EXAMPLES[name], EXPECTED[name]
    envelope = json.loads(body)

    event = read(body)

    assert identify(body) == Identity(
        ORGANIZATION, envelope["event_id"], expected.topic, expected.stream
    )
    assert event.fact == expected.fact
    assert event.actor == expected.actor
    assert event.topic == expected.topic
    assert event.organization_id == ORGANIZATION
    assert event.event_id == envelope["event_id"]
    assert event.at == datetime.fromisoformat(envelope["event_timestamp"])
    assert (event.received_at, event.version, event.position) == (RECEIVED, 3, 7)
    assert not event.late
    assert tolerantly(body, event.topic) == event
    event_type = lookup(envelope["event_fqn"])
    assert event_type is not None
    assert reading.decode(body, event_type.topic) is not None


def test_a_ban_without_a_conversation_has_no_snapshot() -> None:
    assert read(EXAMPLES["agent_banned_enduser"]).snapshot is None
    assert read(EXAMPLES["agent_banned_ip"]).snapshot is None


def test_the_conversation_in_an_example_is_its_snapshot() -> None:
    assert read(EXAMPLES["conversation_closed"]).snapshot == Snapshot(
        status="CLOSED",
        channel="WIDGET_CHAT",
        direction="INBOUND",
        contact_point="chat.aurora.example",
        created_at=at("08:00:00"),
        requester=PER,
        assignee=OMAR,
        queue=LOGISTICS,
        subject=None,
        tags=frozenset({"replacement"}),
        tag_ids={"replacement": "2cef4666-7a0f-5d43-ae69-ce51740be8d1"},
        custom_attributes={"order_number": "AU-1187"},
        attribute_ids={"order_number": "34e722a1-8beb-5a66-b8e9-0d899c7cff6a"},
    )
    assert read(EXAMPLES["conversation_created"]).snapshot == Snapshot(
        status="OPEN",
        channel="WIDGET_CHAT",
        direction="INBOUND",
        contact_point="chat.aurora.example",
        created_at=at("08:00:00"),
        requester=METTE,
        assignee=None,
        queue=None,
        tags=frozenset(),
    )


def test_every_line_of_the_day_goes_into_the_stream_of_its_subject() -> None:
    streams = [identify(line).stream for line in DAY]

    assert {stream: streams.count(stream) for stream in streams} == {
        TENT: 35,
        CALL: 5,
        f"enduser/{ORGANIZATION}/{JON.id}": 2,
        f"ip/{ORGANIZATION}/203.0.113.7": 2,
        f"ip/{ORGANIZATION}/198.51.100.23": 1,
    }


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_in_another_spelling_of_its_fqn_is_read_the_same(name: str) -> None:
    body = EXAMPLES[name]
    fqn = json.loads(body)["event_fqn"]

    for spelled in (fqn.lower(), fqn.replace("_", ""), fqn.title()):
        other = body.replace(fqn.encode(), spelled.encode())
        assert identify(other) == identify(body)
        assert read(other) == read(body)


def test_an_event_that_the_catalogue_has_learned_since_is_read_by_what_it_is_today() -> None:
    body = EXAMPLES["conversation_closed"]

    event = read_event(body, topic="unrecognised", received_at=RECEIVED, version=3, position=7)

    assert event == read(body)
    assert event.topic == "conversation.closed"


ASSIGNED = EXAMPLES["conversation_assigned"]
EVENT_ID = "49eb84ca-cb22-57cb-b1c2-08b2ec372c3c"


def with_raw(name: str, value: str, base: bytes = ASSIGNED) -> bytes:
    """Put JSON text, as it is, in the place of a field: of the envelope, or of an inner part."""
    body = json.loads(base)
    *parents, last = name.split(".")
    place = body
    for parent in parents:
        place = place[parent]
    place[last] = "@here@"
    return json.dumps(body).replace('"@here@"', value).encode()


def without(name: str, base: bytes = ASSIGNED) -> bytes:
    body = json.loads(base)
    *parents, last = name.split(".")
    place = body
    for parent in parents:
        place = place[parent]
    del place[last]
    return json.dumps(body).encode()


def rejection(body: bytes) -> UnreadableError:
    with pytest.raises(UnreadableError) as caught:
        identify(body)
    return caught.value


with_csid = partial(with_raw, "data.conversation.csid")
with_time = partial(with_raw, "event_timestamp")


@pytest.mark.parametrize(
    ("body", "problem", "message"),
    [
        (b"", "not_json", "expected JSON, got nothing: EOF"),
        (b" \n", "not_json", r"expected JSON, got ' \n': EOF"),
        (b"hello", "not_json", "expected JSON, got 'hello': "),
        (b"csid=70431&x=1", "not_json", "expected JSON, got 'csid=70431&x=1': "),
        (b"{'event_id': 1}", "not_json", "expected JSON, got \"{'event_id': 1}\": "),
        (ASSIGNED[:-40], "not_json", "expected JSON, got '{\\n"),
        (ASSIGNED + b"{}", "not_json", "expected JSON, got '{"),
        (b'{"a":1,}', "not_json", "expected JSON, got '{\"a\":1,}': trailing comma"),
        (b"[" * 5_000_000, "not_json", "expected JSON, got '" + "[" * 79 + "…': recursion limit"),
        (b'{"a":' * 1_000, "not_json", 'expected JSON, got \'{"a":{"a":'),
        (b"7" * 5_000, "not_json", "expected JSON, got '" + "7" * 79 + "…': number out of range"),
        (with_raw("new", "NaN"), "not_json", "expected JSON, got '{"),
        (with_raw("new", "Infinity"), "not_json", "expected JSON, got '{"),
        (with_raw("new", "-Infinity"), "not_json", "expected JSON, got '{"),
        (with_raw("new", r'"\ud83d"'), "not_json", "expected JSON, got '{"),
        (with_raw("new", r'"\udc00"'), "not_json", "expected JSON, got '{"),
        (with_raw("new", '"@"').replace(b"@", b"\xff"), "not_json", "expected JSON, got '{"),
        (with_raw("new", '"@"').replace(b"@", b"\xed\xa0\x80"), "not_json", "expected JSON, got '"),
        (with_raw("new", '"@"').replace(b"@", b"\0"), "not_json", "expected JSON, got '{"),
        (ASSIGNED + b"\0", "not_json", "expected JSON, got '{"),
        (b"\xef\xbb\xbf" + ASSIGNED, "not_json", r"expected JSON, got '\ufeff{"),
        (ASSIGNED.decode().encode("utf-16"), "not_json", "expected JSON, got '"),
        (b"42", "not_an_object", "expected a JSON object, got 42"),
        (b"-1.5e3", "not_an_object", "expected a JSON object, got -1500.0"),
        (b"null", "not_an_object", "expected a JSON object, got None"),
        (b"true", "not_an_object", "expected a JSON object, got True"),
        (b'"text"', "not_an_object", "expected a JSON object, got 'text'"),
        (b"[" + ASSIGNED + b"]", "not_an_object", "expected a JSON object, got [{'event_id'"),
        (b"7" * 4_300, "not_an_object", "expected a JSON object, got " + "7" * 79 + "…"),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_what_is_no_json_object_is_rejected_and_shown(
    body: bytes, problem: Problem, message: str
) -> None:
    error = rejection(body)

    assert error.problem == problem
    assert str(error).startswith(message)
    assert len(str(error)) < 600
    assert str(error).isprintable()
    assert error.event_id is None


REQUIRED = {
    "event_id": "no_event_id",
    "event_fqn": "no_event_fqn",
    "event_timestamp": "no_timestamp",
}


@pytest.mark.parametrize(
    ("value", "came"),
    [
        ("null", "nothing"),
        ('""', "''"),
        ("70431", "70431"),
        ("1.5", "1.5"),
        ("true", "True"),
        ("[]", "[]"),
        ('{"id": "1"}', "{'id': '1'}"),
        (json.dumps(["x" * 500]), "['" + "x" * 77 + "…"),
    ],
)
@pytest.mark.parametrize("name", REQUIRED)
def test_without_a_usable_envelope_a_body_is_rejected(name: str, value: str, came: str) -> None:
    error = rejection(with_raw(name, value))

    assert error.problem == REQUIRED[name]
    assert str(error) == f"{name}: expected a text that is not empty, got {came}"
    assert error.event_id == (None if name == "event_id" else EVENT_ID)


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_field_of_the_envelope_is_named(name: str) -> None:
    error = rejection(without(name))

    assert error.problem == REQUIRED[name]
    assert str(error) == f"{name}: expected a text that is not empty, got nothing"


def test_an_empty_object_lacks_an_event_id_first_of_all() -> None:
    assert rejection(b"{}").problem == "no_event_id"


@pytest.mark.parametrize(
    "event_id", ["e578c093", "not a uuid", "x" * 10_000, "-", " ", "\0", "é/%", "\n"]
)
def test_an_event_id_is_any_text(event_id: str) -> None:
    body = with_raw("event_id", json.dumps(event_id))

    assert identify(body).event_id == event_id
    assert read(body).event_id == event_id


@pytest.mark.parametrize(
    ("time", "moment"),
    [
        ("2026-03-02T08:04:10.000Z", at("08:04:10")),
        ("2026-03-02T08:04:10", at("08:04:10")),
        ("2026-03-02T08:04:10+02:00", at("06:04:10")),
        ("2026-03-02T08:04:10.123456789Z", at("08:04:10.123456")),
        ("2026-03-02T08:04:10.581Z[GMT]", at("08:04:10.581")),
        ("9999-12-31T23:59:59.999Z", datetime(9999, 12, 31, 23, 59, 59, 999_000, tzinfo=UTC)),
        ("2026-03-02", at("00:00:00")),
    ],
)
def test_a_time_is_accepted_in_any_of_its_spellings(time: str, moment: datetime) -> None:
    assert read(with_time(json.dumps(time))).at == moment


@pytest.mark.parametrize(
    "time",
    ["garbage", "1772438650000", "2026-02-30T08:00:00Z", "9999-12-31T23:59:59-02:00", "\0", " "],
)
def test_a_time_that_is_none_is_rejected(time: str) -> None:
    error = rejection(with_time(json.dumps(time)))

    assert error.problem == "no_timestamp"
    assert error.event_id == EVENT_ID
    assert str(error) == (
        f"event_timestamp: expected a time such as 2026-03-02T08:00:00.000Z, got {time!r}"
    )


@pytest.mark.parametrize(
    ("value", "csid"),
    [
        ("70431", 70431),
        ('"70431"', 70431),
        ("70431.0", 70431),
        ("7.0431e4", 70431),
        ("9223372036854775807", 2**63 - 1),
    ],
)
def test_a_csid_is_accepted_in_any_of_its_spellings(value: str, csid: int) -> None:
    assert identify(with_csid(value)).stream == f"conversation/{ORGANIZATION}/{csid}"


@pytest.mark.parametrize(
    ("value", "came"),
    [
        ("null", "nothing"),
        ("70431.5", "70431.5"),
        ("0", "0"),
        ("-70431", "-70431"),
        ("9223372036854775808", "9223372036854775808"),
        ("1e400", "inf"),
        ("true", "True"),
        ('"seven"', "'seven'"),
        ('""', "''"),
        (json.dumps("7" * 10_000), "'" + "7" * 78 + "…"),
        ("7" * 4_300, "7" * 79 + "…"),
        ("[70431]", "[70431]"),
    ],
    ids=lambda value: value[:30],
)
def test_a_conversation_event_without_a_csid_is_rejected(value: str, came: str) -> None:
    error = rejection(with_csid(value))

    assert error.problem == "no_csid"
    assert error.event_id == EVENT_ID
    assert str(error) == (
        f"data.conversation.csid: expected a whole number from 1 to 9223372036854775807, got {came}"
    )


NOWHERE = ["null", "[]", '"text"', "{}", '{"conversation": null}', '{"conversation": [70431]}']


@pytest.mark.parametrize("data", NOWHERE)
def test_a_conversation_event_without_a_conversation_is_rejected(data: str) -> None:
    for body in (with_raw("data", data), without("data")):
        assert rejection(body).problem == "no_csid"
        assert str(rejection(body)).endswith("got nothing")


@pytest.mark.parametrize(
    "data",
    [
        '{"conversation": {"csid": 70431}}',
        '{"conversation": {"id": 70431}}',
        '{"csid": 70431}',
        '{"conversation_id": "70431"}',
        '{"conversationId": 70431, "conversation": null}',
        '{"conversation": {"csid": null}, "conversationId": 70431}',
    ],
)
def test_a_csid_is_found_in_the_conversation_or_beside_it(data: str) -> None:
    assert identify(with_raw("data", data)).stream == TENT


@pytest.mark.parametrize(
    "body",
    [
        without("organization"),
        with_raw("organization", "null"),
        with_raw("organization", "[]"),
        with_raw("organization", json.dumps(ORGANIZATION)),
        with_raw("organization", "{}"),
        without("organization.id"),
        with_raw("organization.id", "null"),
        with_raw("organization.id", '""'),
        with_raw("organization.id", "true"),
        with_raw("organization.id", "{}"),
    ],
)
def test_without_an_organization_an_event_is_accepted_as_nobodys(body: bytes) -> None:
    assert identify(body) == Identity(
        None, EVENT_ID, "conversation.assigned", "conversation/-/70431"
    )
    assert read(body).organization_id is None


def test_an_organization_that_is_a_number_is_a_text() -> None:
    body = with_raw("organization.id", "12")

    assert identify(body).stream == "conversation/12/70431"
    assert read(body).organization_id == "12"


@pytest.mark.parametrize("csid", ["70431", '"70431"'])
def test_an_unknown_event_goes_into_the_stream_of_the_conversation_that_it_names(csid: str) -> None:
    body = with_raw("event_fqn", '"CONVERSATION_MERGED"', with_csid(csid))

    assert identify(body) == Identity(ORGANIZATION, EVENT_ID, "unrecognised", TENT)
    assert read(body).fact == events.Unrecognised(fqn="CONVERSATION_MERGED")
    assert read(body).snapshot == read(ASSIGNED).snapshot


@pytest.mark.parametrize("data", [*NOWHERE, '{"conversation": {"csid": "?"}}'])
def test_an_unknown_event_that_names_no_conversation_goes_to_the_organization(data: str) -> None:
    body = with_raw("event_fqn", '"AGENT_RETIRED"', with_raw("data", data))

    assert identify(body) == Identity(
        ORGANIZATION, EVENT_ID, "unrecognised", f"organization/{ORGANIZATION}"
    )
    assert read(body).fact == events.Unrecognised(fqn="AGENT_RETIRED")


def test_an_escaped_nul_is_accepted_wherever_it_stands() -> None:
    body = with_raw("data.conversation.subject", r'"a\u0000b"')
    snapshot = read(body).snapshot

    assert snapshot is not None
    assert snapshot.subject == "a\0b"
    assert identify(with_raw("organization.id", r'"a\u0000b"')).stream == "conversation/a%00b/70431"


def test_white_space_around_a_body_changes_nothing() -> None:
    assert read(b" \r\n\t" + ASSIGNED + b"\n\n ") == read(ASSIGNED)


def test_a_number_beyond_any_float_is_accepted() -> None:
    assert identify(with_raw("new", "1e400")) == identify(ASSIGNED)


def test_two_hundred_levels_are_accepted_and_the_next_is_not() -> None:
    body = '{"event_id":"1","event_fqn":"NEW","event_timestamp":"2026-03-02","data":%s}'
    deep, deeper = (body % ("[" * n + "]" * n) for n in (200, 201))

    assert identify(deep.encode()).stream == "organization/-"
    assert rejection(deeper.encode()).problem == "not_json"


def test_of_a_key_that_stands_twice_the_last_is_read_at_the_door_and_ever_after() -> None:
    body = (
        b'{"event_id": 5, "event_fqn": "TYPING_STARTED", "event_timestamp": "garbage",'
        b' "organization": {"id": "a", "id": "b"}, "data": null,'
        b' "event_id": "1", "event_id": "2", "event_fqn": "CONVERSATION_ASSIGNED",'
        b' "event_timestamp": "2026-03-02T08:04:10.000Z", "data": {"conversation": {"csid": 1},'
        b' "conversation": {"csid": 2, "csid": 3, "status": "OPEN", "status": "CLOSED"},'
        b' "agent": {"id": "x"}, "agent": {"id": "y", "id": "z"}}}'
    )

    event = read(body)

    assert identify(body) == Identity("b", "2", "conversation.assigned", "conversation/b/3")
    assert (event.organization_id, event.event_id) == ("b", "2")
    assert event.fact == events.Assigned(agent=User(id="z"))
    assert event.snapshot == Snapshot(status="CLOSED")
    assert event.at == at("08:04:10")


def test_a_key_that_stands_twice_and_is_unusable_at_last_is_rejected() -> None:
    body = ASSIGNED.replace(b'"event_version"', b'"event_id": null, "event_version"')

    assert rejection(body).problem == "no_event_id"
    assert rejection(body).event_id is None


ODD_TOKENS = {
    "@huge@": "1e400",
    "@tiny@": "-1e-400",
    "@digits@": "7" * 4_300,
    "@nan@": "NaN",
    "@negative zero@": "-0",
}
TELLING = [
    "", "-", "/", "\0", "\ud800", "é", "true", "OPEN", "CLOSED", "pending", "inbound", "Agent",
    "70431", "70432", "7" * 10_000, "2026-03-02T08:00:00.000Z", "9999-12-31T23:59:59.999Z",
    "0001-01-01T00:00:00+02:00", "x" * 400, *ODD_TOKENS, *(kind.key for kind in CATALOG),
]  # fmt: skip
KEYS = [
    "id", "name", "value", "identifier", "csid", "agent", "agentId", "queue", "score", "type",
    "comment", "sla", "policy", "deadline", "enduser", "user", "ip", "address", "tag", "message",
    "newUser", "userType", "displayName", "author", "destinationType", "destinationId",
    "customAttributes", "closedBy", "",
]  # fmt: skip

good_bodies = st.sampled_from([*EXAMPLES.values(), with_raw("event_fqn", '"CONVERSATION_MERGED"')])
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**62, 2**66)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(TELLING)
)
json_values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=8,
)


def paths(value: object, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Name every place in a JSON value."""
    inner: list[tuple[Any, ...]] = []
    if isinstance(value, dict):
        inner = [place for key, part in value.items() for place in paths(part, (*path, key))]
    if isinstance(value, list):
        inner = [place for index, part in enumerate(value) for place in paths(part, (*path, index))]
    return [path, *inner]


def place_of(body: Any, path: Iterable[Any]) -> Any:
    for step in path:
        body = body[step]
    return body


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Draw a good body in which some parts, mostly inner ones, are changed, deleted or added."""
    body = json.loads(draw(good_bodies))
    for _ in range(draw(st.integers(1, 4))):
        everywhere = [path for path in paths(body) if path]
        inside = [path for path in everywhere if path[0] == "data" and len(path) > 1]
        below = bool(inside) and draw(st.integers(0, 9)) > 0
        *parents, last = draw(st.sampled_from(inside if below else everywhere))
        place = place_of(body, parents)
        change = draw(st.sampled_from(["replace", "replace", "delete", "add", "move"]))
        if change == "replace":
            place[last] = draw(leaves | json_values)
        elif change == "delete":
            del place[last]
        elif change == "add" and isinstance(place, dict):
            place[draw(st.sampled_from(KEYS))] = draw(json_values)
        elif change == "move" and isinstance(place, dict):
            body["data" if draw(st.booleans()) else last] = deepcopy(place[last])
    text = json.dumps(body, ensure_ascii=draw(st.booleans()))
    for mark, token in ODD_TOKENS.items():
        text = text.replace(f'"{mark}"', token)
    return text.encode("utf-8", "surrogatepass")


@st.composite
def torn(draw: st.DrawFn) -> bytes:
    """Draw the bytes of a good body with some of them cut out, doubled or overwritten."""
    body = draw(good_bodies)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 40)))
        body = (
            body[:start] + draw(st.binary(max_size=6) | st.just(body[start:end] * 2)) + body[end:]
        )
    return body


def outcome(body: bytes) -> Identity | UnreadableError:
    try:
        return identify(body)
    except UnreadableError as error:
        return error


def must_end_well(*bodies: bytes) -> None:
    """Whatever bodies are: they are accepted and can be read, folded and shown, or are rejected."""
    told = [event for body in bodies if (event := must_be_read_or_rejected(body))]
    before = initial(None, 70431)
    after = evolve(before, *sorted(told, key=lambda event: event.order))

    assert to_json(describe(after, now=NOW))
    for event in told:
        assert to_json(describe_step(Step(event, before, after)))


def must_be_read_or_rejected(body: bytes) -> Event | None:
    accepted = outcome(body)
    if isinstance(accepted, UnreadableError):
        assert str(accepted).isprintable()
        assert len(str(accepted)) < 1_000
        return None
    event = read(body)
    assert tolerantly(body, accepted.topic) == event
    assert (event.organization_id, event.event_id, event.topic) == accepted[:3]
    if event.topic.startswith(("enduser.", "ip.")):
        must_be_a_ban(event, accepted)
    return event


def must_be_a_ban(event: Event, accepted: Identity) -> None:
    kind: bans.BanKind = "enduser" if event.topic.startswith("enduser.") else "ip"
    subject = bans.subject(event.fact)
    ban = bans.fold(Ban(accepted.organization_id, kind, subject), [event])

    assert to_json(BanAnswer.model_validate(ban))
    if subject:
        assert accepted.stream == ban_stream(kind, accepted.organization_id, subject)
    else:
        assert accepted.stream.startswith("organization/")


@settings(max_examples=4 * settings().max_examples)
@given(st.binary() | torn())
def test_any_bytes_are_accepted_and_readable_or_rejected(body: bytes) -> None:
    must_end_well(body)


@settings(max_examples=8 * settings().max_examples)
@given(st.lists(mutated(), min_size=1, max_size=3))
@such_as([with_raw("data.agent", "7" * 4_300)])
@such_as([with_raw("data.tag", "1e400", EXAMPLES["conversation_tag_added"])])
@such_as([with_raw("data.score", "1e400", EXAMPLES["conversation_rated"])])
@such_as([with_raw("data.score", "7" * 4_300, EXAMPLES["conversation_rated"])])
@such_as([with_raw("data.custom_attributes", '{"a": 1e400}')])
@such_as([with_raw("data.conversation.custom_attributes", "[" * 197 + "]" * 197)])
@such_as([with_raw("data.conversation.custom_attributes", '{"a":' * 197 + "1" + "}" * 197)])
@such_as([with_raw("data.tag", '{"name":' * 197 + "1" + "}" * 197)])
def test_any_value_anywhere_in_a_body_is_accepted_and_readable_or_rejected(
    bodies: list[bytes],
) -> None:
    must_end_well(*bodies)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(-23, 23))
def test_any_moment_in_any_zone_is_read_as_that_moment_or_rejected(
    moment: datetime, hours: int
) -> None:
    try:
        local = moment.astimezone(timezone(timedelta(hours=hours)))
    except OverflowError:
        return

    assert read(with_time(json.dumps(local.isoformat()))).at == moment
