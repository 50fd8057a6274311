"""Search: each field and operator by Dixa's words, judged in SQL, in memory and by this file."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import CSIDS, EIGHT, Place, draw_few, histories, in_batches, new_organization
from searches import LENGTHS, OPERATORS, SECONDS, TIMES, Body, bodies, body, condition, conditions

from dixa_state.bootstrap import open_place
from dixa_state.domain.conversation import Conversation
from dixa_state.questions import Search, SearchBody
from dixa_state.questions.conditions import hold
from dixa_state.views.rows import rows
from dixa_state.views.tables import ConversationRow, group, micros
from dixa_state.views.verify import verify


def search(*conditions: Body, **more: Any) -> Search:
    return Search(body=body(*conditions), **more)


def fits(state: Conversation, wanted: Body) -> bool:
    """Judge a search by Dixa's words."""
    filters = wanted["filters"]
    asked = [one["field"] for one in filters["conditions"]]
    strategy = all if filters["strategy"] == "All" or not asked else any
    return says(state, wanted.get("query")) and strategy(judged(state, one) for one in asked)


def says(state: Conversation, query: Body | None) -> bool:
    customer, query = state.requester, query or {"value": ""}
    texts = [str(state.csid), state.subject]
    texts += [customer.name, customer.email, customer.phone] if customer else []
    said, wanted = split(" ".join(filter(None, texts))), split(query["value"])
    if query.get("exactMatch"):
        return all(word in said for word in wanted)
    return all(any(word.startswith(one) for word in said) for one in wanted)


def split(text: str) -> list[str]:
    for mark in ",@.":
        text = text.replace(mark, " ")
    return text.casefold().split()


def judged(state: Conversation, asked: Body) -> bool:
    """Judge one condition."""
    field, operator = asked["_type"], asked["operator"]
    if operator["_type"] in TIMES:
        return happened(moment(state, field), operator)
    if operator["_type"] in LENGTHS:
        return lasts(state, operator)
    had = having(state, field, asked.get("id"))
    wanted = [meant(field, value) for value in operator.get("values", ())]
    found = [any(value in had for value in synonyms) for synonyms in wanted]
    return {
        "IsOneOf": any(found),
        "IncludesOne": any(found),
        "IsNotOneOf": not any(found),
        "ExcludesAll": not any(found),
        "IncludesAll": all(found),
        "ExcludesOne": not all(found),
        "IsEmpty": not had,
        "IsNotEmpty": bool(had),
    }[operator["_type"]]


def happened(at: datetime | None, operator: Body) -> bool:
    value, kind = operator.get("value"), operator["_type"]
    since = operator.get("from") or (value if kind == "Since" else None)
    until = operator.get("to") or (value if kind == "Until" else None)
    return (
        at is not None
        and (since is None or datetime.fromisoformat(since) <= at)
        and (until is None or at < datetime.fromisoformat(until))
    )


def moment(state: Conversation, field: str) -> datetime | None:
    ends = [move.at for move in state.life.transitions if move.after in ("closed", "abandoned")]
    held = [hold.since for hold in state.assignments if hold.until is None]
    return {
        "CreationDate": state.created_at or state.first_event_at,
        "ClosedDate": ends[-1] if ends else None,
        "AssignedDate": held[-1] if held else None,
        "LastActivity": state.last_event_at,
        "LastMessage": state.messages.last_at,
    }[field]


def lasts(state: Conversation, operator: Body) -> bool:
    began, ended = moment(state, "CreationDate"), datetime.now(UTC)
    if state.status in ("closed", "abandoned"):
        ended = moment(state, "ClosedDate") or ended
    assert began is not None
    seconds, bound = max((ended - began).total_seconds(), 0.0), SECONDS[operator["value"]]
    return seconds >= bound if operator["_type"].startswith("Longer") else seconds <= bound


def having(  # noqa: PLR0911 — one arm per field
    state: Conversation, field: str, attribute: str | None
) -> set[Any]:
    """Return all values that a conversation has of a field, by each of their names."""
    agent, queue, customer = state.assignee, state.queue, state.requester
    match field:
        case "Status":
            shown = state.dixa_status == "AWAITING_PENDING"
            return {state.status} | ({"awaiting"} if shown else set()) - {None}
        case "Channel" | "Direction":
            return {getattr(state, field.lower())} - {None}
        case "AgentId":
            return {agent.key} if agent else set()
        case "QueueId":
            return {queue.key} if queue else set()
        case "ContactId":
            return {customer.key} if customer else set()
        case "ConversationId":
            return {state.csid}
        case "TagId":
            return set(state.tags) | {state.tag_ids[t] for t in state.tags if t in state.tag_ids}
        case "CustomAttribute":
            return attribute_values(state, str(attribute))
        case _:
            at = moment(state, field)
            return set() if at is None else {at}


TEXTS = {"5.0": "5", "True": "true", "{'a': [1]}": '{"a":[1]}'}


def attribute_values(state: Conversation, name: str) -> set[str]:
    values: list[Any] = []
    for identifier, value in state.custom_attributes.items():
        if name in (identifier, state.attribute_ids.get(identifier)):
            values += value if isinstance(value, list) else [value]
    return {TEXTS.get(str(value), str(value)) for value in values if value not in (None, "")}


def meant(field: str, value: object) -> list[object]:
    """Return what a value finds, in our words."""
    if field == "Status":
        return {
            "Open": ["open"],
            "Closed": ["closed", "abandoned"],
            "AwaitingPending": ["awaiting"],
        }.get(str(value), [value])
    if field in ("Channel", "Direction"):
        return ["WIDGET_CHAT" if value == "WidgetChat" else str(value).upper()]
    return [TEXTS.get(str(value), str(value)) if field == "CustomAttribute" else value]


def in_memory(wanted: Body, states: list[Conversation], now: int) -> set[int]:
    """Judge by the conditions' own tests."""
    found, judging = set(), SearchBody.model_validate(wanted).conditions(now)
    for state in states:
        made = group(rows("stream", state))
        [row] = made["conversations"]
        assert isinstance(row, ConversationRow)
        if hold(judging, row, made):
            found.add(state.csid)
    return found


@given(data=st.data())
@settings(max_examples=settings().max_examples // 2)
def test_a_search_finds_what_fits_in_sql_as_in_memory_in_order_and_in_pages(
    shared_place: Place, data: st.DataObject
) -> None:
    draw_few(data)
    organization = new_organization()
    shared_place.receive(data.draw(histories(organization)))
    states = [state for state, _ in shared_place.conversations(organization)]
    for _ in range(4):
        wanted, sort = data.draw(bodies), data.draw(st.sampled_from(SORTS))
        question = Search(body=wanted, organization=organization, sort=sort)
        listed = shared_place.whole(question)
        expected = {state.csid: state for state in states if fits(state, wanted)}
        assert {state.csid: state for state in listed} == expected
        assert in_memory(wanted, states, micros(datetime.now(UTC))) == set(expected)
        by = SORT_BY[sort.removeprefix("-")]
        assert list(map(by, listed)) == sorted(map(by, listed), reverse=sort.startswith("-"))
        assert shared_place.in_pages(question, cycle(data.draw(sizes))) == listed
        assert [one.csid for one in shared_place.reader.every(question)] == [
            one.csid for one in listed
        ]


SORT_BY: dict[str, Callable[[Conversation], Any]] = {
    "created_at": partial(moment, field="CreationDate"),
    "last_event_at": lambda state: state.last_event_at,
    "csid": lambda state: state.csid,
}
SORTS = [sign + name for name in SORT_BY for sign in ("", "-")]
"""Those that leave nobody out; the others list only what waits, is open or has a deadline."""
sizes = st.lists(st.integers(1, 4), min_size=1, max_size=3)


@pytest.mark.parametrize("field", OPERATORS)
@given(data=st.data())
@settings(max_examples=settings().max_examples // 5)
def test_each_field_means_what_its_operators_say(
    shared_place: Place, field: str, data: st.DataObject
) -> None:
    organization = new_organization()
    shared_place.receive(data.draw(histories(organization, least=4)))
    states = [state for state, _ in shared_place.conversations(organization)]
    for _ in range(6):
        wanted = body(data.draw(conditions(field)))
        listed = shared_place.whole(Search(body=wanted, organization=organization))
        assert {state.csid for state in listed} == {s.csid for s in states if fits(s, wanted)}


@given(data=st.data())
@settings(max_examples=settings().max_examples // 3)
def test_pages_of_a_search_are_those_of_the_first_one_whatever_arrives_meanwhile(
    shared_place: Place, data: st.DataObject
) -> None:
    draw_few(data)
    organization = new_organization()
    arriving = data.draw(histories(organization, least=6))
    early = data.draw(st.integers(1, len(arriving) - 1))
    shared_place.receive(arriving[:early])
    sort = data.draw(st.sampled_from(SORTS))
    question = Search(body=data.draw(bodies), organization=organization, sort=sort)
    expected = shared_place.whole(question)
    batches = in_batches(arriving[early:], data.draw(st.integers(1, 5)))
    receive_more = lambda: shared_place.receive(next(batches, []))  # noqa: E731
    assert shared_place.in_pages(question, cycle(data.draw(sizes)), receive_more) == expected


@given(data=st.data())
@settings(max_examples=settings().max_examples // 6)
def test_what_is_searched_is_what_a_rebuild_gives(
    store_url: str, place: Place, data: st.DataObject
) -> None:
    for webhook in data.draw(histories(new_organization(), least=4)):
        place.receive([webhook])
    here = (place.tracker, place.views)
    assert list(verify(here, partial(open_place, store_url))) == []


PER = "54fdc012-3e61-54eb-9a19-f15a2d214fee"
TENT, CALL = 70431, 70432
NOON = "2026-03-02T12:00:00Z"


@pytest.mark.parametrize(
    ("field", "operator", "csids"),
    [
        ("Status", {"_type": "IsOneOf", "values": ["Closed"]}, [TENT, CALL]),
        ("Status", {"_type": "IsOneOf", "values": ["closed"]}, [TENT]),
        ("Status", {"_type": "IsOneOf", "values": ["abandoned"]}, [CALL]),
        ("Status", {"_type": "IsOneOf", "values": ["CLOSED"]}, [TENT, CALL]),
        ("Status", {"_type": "IsNotOneOf", "values": ["Closed"]}, []),
        ("Status", {"_type": "IsNotOneOf", "values": ["closed", "Open"]}, [CALL]),
        ("Status", {"_type": "IsOneOf", "values": ["AwaitingPending"]}, []),
        ("Channel", {"_type": "IsOneOf", "values": ["WidgetChat"]}, [TENT]),
        ("Channel", {"_type": "IsNotOneOf", "values": ["WIDGET_CHAT"]}, [CALL]),
        ("Direction", {"_type": "IsOneOf", "values": ["Inbound"]}, [TENT, CALL]),
        ("AgentId", {"_type": "IsEmpty"}, [CALL]),
        ("AgentId", {"_type": "IsNotEmpty"}, [TENT]),
        ("AgentId", {"_type": "IsNotOneOf", "values": ["nobody"]}, [TENT, CALL]),
        ("QueueId", {"_type": "IsNotEmpty"}, [TENT, CALL]),
        ("ContactId", {"_type": "IsOneOf", "values": ["nobody", PER]}, [TENT]),
        ("ContactId", {"_type": "IsNotOneOf", "values": [PER]}, [CALL]),
        ("ConversationId", {"_type": "IsOneOf", "values": [70431, "70432"]}, [TENT, CALL]),
        ("ConversationId", {"_type": "IsNotOneOf", "values": ["70431"]}, [CALL]),
        ("TagId", {"_type": "IncludesAll", "values": ["replacement"]}, [TENT]),
        (
            "TagId",
            {"_type": "IncludesOne", "values": ["2cef4666-7a0f-5d43-ae69-ce51740be8d1", "sail"]},
            [TENT],
        ),
        ("TagId", {"_type": "IncludesAll", "values": ["replacement", "sail"]}, []),
        ("TagId", {"_type": "ExcludesAll", "values": ["replacement", "sail"]}, [CALL]),
        ("TagId", {"_type": "ExcludesOne", "values": ["replacement", "sail"]}, [TENT, CALL]),
        ("TagId", {"_type": "IsEmpty"}, [CALL]),
        ("TagId", {"_type": "IncludesOne", "values": ["delivery"]}, []),
        ("CreationDate", {"_type": "Since", "value": "2026-03-02T08:30:00Z"}, [CALL]),
        ("CreationDate", {"_type": "Until", "value": "2026-03-02T08:30:00Z"}, [TENT]),
        ("ClosedDate", {"_type": "Until", "value": "2026-03-02T09:30:00Z"}, [CALL]),
        ("ClosedDate", {"_type": "IsNotEmpty"}, [TENT, CALL]),
        ("AssignedDate", {"_type": "IsEmpty"}, [CALL]),
        ("AssignedDate", {"_type": "Until", "value": NOON}, [TENT]),
        ("LastActivity", {"_type": "Until", "value": NOON}, [TENT, CALL]),
        ("LastMessage", {"_type": "IsEmpty"}, [CALL]),
        ("LastMessage", {"_type": "Between", "from": "2026-03-02", "to": NOON}, [TENT]),
        ("Duration", {"_type": "ShorterThanOrEqualTo", "value": "PT30M"}, [CALL]),
        ("Duration", {"_type": "LongerThanOrEqualTo", "value": 1800.0}, [TENT]),
    ],
    ids=str,
)
def test_the_example_day_by_each_field(
    day: Place, field: str, operator: dict[str, Any], csids: list[int]
) -> None:
    question = search({"field": {"_type": field, "operator": operator}})
    assert [state.csid for state in day.whole(question)] == csids


@pytest.mark.parametrize("name", ["order_number", "34e722a1-8beb-5a66-b8e9-0d899c7cff6a"])
@pytest.mark.parametrize(
    ("operator", "csids"),
    [
        ({"_type": "IsOneOf", "values": ["AU-1187"]}, [TENT]),
        ({"_type": "IsOneOf", "values": ["au-1187"]}, []),
        ({"_type": "IsNotOneOf", "values": ["AU-1187"]}, [CALL]),
        ({"_type": "IsEmpty"}, [CALL]),
        ({"_type": "IsNotEmpty"}, [TENT]),
    ],
)
def test_a_custom_attribute_is_found_by_its_identifier_and_by_its_id(
    day: Place, name: str, operator: dict[str, Any], csids: list[int]
) -> None:
    question = search({"field": {"_type": "CustomAttribute", "id": name, "operator": operator}})
    assert [state.csid for state in day.whole(question)] == csids


def test_words_are_found_by_their_beginnings_or_whole(day: Place) -> None:
    def found(text: str, *, exact: bool) -> list[int]:
        question = Search(body={"query": {"value": text, "exactMatch": exact}})
        return [state.csid for state in day.whole(question)]

    assert found("SAN pe", exact=False) == [TENT]
    assert found("SAN pe", exact=True) == []
    assert found("sand PER", exact=True) == [TENT]
    assert found("", exact=True) == [TENT, CALL]


def test_words_must_be_found_whatever_the_strategy(day: Place) -> None:
    either = body(condition("ConversationId", "IsOneOf", TENT, CALL), strategy="Any")
    question = Search(body={"query": {"value": "sand"}, **either})
    assert [state.csid for state in day.whole(question)] == [TENT]


def test_a_running_duration_is_measured_to_the_moment_of_the_first_page(place: Place) -> None:
    for csid in CSIDS:
        place.receive([created(csid)])
    seconds = (place.tracker.now() - EIGHT).total_seconds() + 0.3
    question = search(condition("Duration", "ShorterThanOrEqualTo", value=seconds))
    page = place.page(question, limit=1)
    seen = [state.csid for state in page.items]
    while place.tracker.now().timestamp() < EIGHT.timestamp() + seconds:
        pass
    while page.next_key is not None:
        page = place.page(question, limit=1, key=page.next_key)
        seen += [state.csid for state in page.items]
    assert sorted(seen) == list(CSIDS)
    assert place.whole(question) == []


def test_the_largest_search_that_is_read_is_answered(day: Place) -> None:
    many = [condition("TagId", "IncludesAll", *(f"tag-{n}" for n in range(20)))] * 50
    words = " ".join(chr(0x4E00 + n) for n in range(50))
    for strategy in ("All", "Any"):
        wanted = {"query": {"value": words}, **body(*many, strategy=strategy)}
        assert day.whole(Search(body=wanted)) == []


def test_any_text_may_be_looked_for(place: Place) -> None:
    place.receive([created(1)])
    for value in ("\0", "'; DROP TABLE x", "%", "é", "x" * 10_000):
        for field in ("Channel", "Direction", "AgentId", "QueueId", "ContactId"):
            assert count(place, condition(field, "IsOneOf", value)) == 0
            assert count(place, condition(field, "IsNotOneOf", value)) == 1
        assert count(place, condition("TagId", "IncludesAll", value)) == 0
        assert count(place, condition("CustomAttribute", "IsOneOf", value, id=value)) == 0


def count(place: Place, asked: Body) -> int:
    return len(place.whole(search(asked)))


@pytest.mark.parametrize("long", ["é" * 3_000, "".join(chr(0x4E00 + n) for n in range(9_000))])
def test_texts_beyond_what_an_index_takes_are_found_whole(place: Place, long: str) -> None:
    webhook = created(1)
    webhook["data"]["conversation"] |= {
        "channel": long,
        "assignee": {"id": long, "name": long},
        "queue": {"id": long},
        "requester": {"id": long, "email": long},
        "tags": [{"id": long, "name": long}],
        "custom_attributes": [{"id": long, "identifier": f"{long}!", "value": [long, f"{long}?"]}],
    }
    place.receive([webhook])
    for field in ("AgentId", "QueueId", "ContactId"):
        assert count(place, condition(field, "IsOneOf", long)) == 1
        assert count(place, condition(field, "IsOneOf", f"{long}!")) == 0
    assert count(place, condition("TagId", "IncludesAll", long)) == 1
    for name in (long, f"{long}!"):
        assert count(place, condition("CustomAttribute", "IsOneOf", long, id=name)) == 1
        assert count(place, condition("CustomAttribute", "IsOneOf", "?", id=name)) == 0


def created(csid: int) -> dict[str, Any]:
    return {
        "event_id": f"created {csid}",
        "event_fqn": "CONVERSATION_CREATED",
        "event_timestamp": "2026-03-02T08:00:00Z",
        "organization": {"id": "org"},
        "data": {"conversation": {"csid": csid}},
    }
