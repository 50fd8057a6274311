"""Search: each field and operator by Dixa's words, judged in SQL, in memory and by this file."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import (
    CSIDS,
    Place,
    draw_few,
    histories,
    in_pages,
    moments,
    new_organization,
    whole,
)

from dixa_state import InvalidInputError
from dixa_state.bootstrap import open_place
from dixa_state.domain.conversation import Conversation
from dixa_state.questions import SORTS, Asked, Page, Search, read_search
from dixa_state.questions.conditions import hold
from dixa_state.questions.search import LENGTHS, MOMENTS, OPERATORS, PRESENCE
from dixa_state.questions.searching import search_conditions
from dixa_state.views.rows import rows
from dixa_state.views.tables import ConversationRow, group, micros
from dixa_state.views.verify import verify

CHOICES: dict[str, list[Any]] = {
    "Status": ["open", "pending", "closed", "abandoned", "Open", "Closed", "AwaitingPending"],
    "Channel": ["EMAIL", "Email", "WidgetChat", "widget_chat", "PSTN_PHONE"],
    "Direction": ["INBOUND", "Inbound", "OUTBOUND"],
    "AgentId": ["ida", "other-ida", "nameless", "Ida", ""],
    "QueueId": ["q1", "q2", "q3", "q4", "Support"],
    "ContactId": ["per", "mette", "bo@example.com", "Per Sand"],
    "ConversationId": [*CSIDS, 99],
    "TagId": ["tent", "t1", "boat", "oar", "t3", "sail"],
    "CustomAttribute": ["AU-1", "AU-2", "5", "true", '{"a":[1]}', "nothing"],
}


@st.composite
def conditions(draw: st.DrawFn, field: str | None = None) -> Asked:
    name = field or draw(st.sampled_from(sorted(OPERATORS)))
    operator = draw(st.sampled_from(OPERATORS[name]))
    attributes = ["order", "size", "a1"] if name == "CustomAttribute" else [None]
    attribute = draw(st.sampled_from(attributes))
    if operator in PRESENCE:
        return Asked(name, operator, attribute=attribute)
    if operator in MOMENTS:
        since, until = sorted((draw(moments), draw(moments)))
        return Asked(
            name,
            operator,
            since=since if operator != "Until" else None,
            until=until if operator != "Since" else None,
        )
    if operator in LENGTHS:
        return Asked(name, operator, seconds=draw(st.sampled_from([0, 1, 10, 600.5, 1e9])))
    values = draw(st.lists(st.sampled_from(CHOICES[name]), min_size=1, max_size=3).map(tuple))
    return Asked(name, operator, values, attribute=attribute)


searches = st.builds(
    Search,
    text=st.sampled_from([None, None, "tent", "LEAK", "boat oa", "sand", "bo@"]),
    exact=st.booleans(),
    strategy=st.sampled_from(["All", "Any"]),
    conditions=st.lists(conditions(), max_size=3).map(tuple),
)


def fits(state: Conversation, search: Search) -> bool:
    """Judge a search by Dixa's words."""
    strategy = all if search.strategy == "All" or not search.conditions else any
    return says(state, search) and strategy(judged(state, asked) for asked in search.conditions)


def says(state: Conversation, search: Search) -> bool:
    customer = state.requester
    texts = [str(state.csid), state.subject]
    texts += [customer.name, customer.email, customer.phone] if customer else []
    said, wanted = split(" ".join(filter(None, texts))), split(search.text or "")
    if search.exact:
        return all(word in said for word in wanted)
    return all(any(word.startswith(one) for word in said) for one in wanted)


def split(text: str) -> list[str]:
    for mark in ",@.":
        text = text.replace(mark, " ")
    return text.casefold().split()


def judged(state: Conversation, asked: Asked) -> bool:
    """Judge one condition."""
    if asked.operator in MOMENTS:
        at = moment(state, asked.field)
        since, until = asked.since or datetime.min.replace(tzinfo=UTC), asked.until
        return at is not None and since <= at and (until is None or at < until)
    if asked.operator in LENGTHS:
        return lasts(state, asked)
    had, wanted = having(state, asked), [meant(asked.field, value) for value in asked.values]
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
    }[asked.operator]


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


def lasts(state: Conversation, asked: Asked) -> bool:
    began, ended = moment(state, "CreationDate"), datetime.now(UTC)
    if state.status in ("closed", "abandoned"):
        ended = moment(state, "ClosedDate") or ended
    assert began is not None
    seconds, bound = max((ended - began).total_seconds(), 0.0), asked.seconds or 0.0
    return seconds >= bound if asked.operator.startswith("Longer") else seconds <= bound


def having(  # noqa: PLR0911 — one arm per field
    state: Conversation, asked: Asked
) -> set[Any]:
    """Give all values that a conversation has of a field, by each of their names."""
    agent, queue, customer = state.assignee, state.queue, state.requester
    match asked.field:
        case "Status":
            shown = state.dixa_status == "AWAITING_PENDING"
            return {state.status} | ({"awaiting"} if shown else set()) - {None}
        case "Channel" | "Direction":
            return {getattr(state, asked.field.lower())} - {None}
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
            return attribute_values(state, str(asked.attribute))
        case _:
            at = moment(state, asked.field)
            return set() if at is None else {at}


def attribute_values(state: Conversation, name: str) -> set[str]:
    texts = {"AU-1": "AU-1", "AU-2": "AU-2", "5": "5", "5.0": "5", "True": "true"}
    texts["{'a': [1]}"] = '{"a":[1]}'
    values: list[Any] = []
    for identifier, value in state.custom_attributes.items():
        if name in (identifier, state.attribute_ids.get(identifier)):
            values += value if isinstance(value, list) else [value]
    return {texts[str(value)] for value in values if value not in (None, "")}


def meant(field: str, value: object) -> list[object]:
    """Give what a value finds, in our words."""
    if field == "Status":
        return {
            "Open": ["open"],
            "Closed": ["closed", "abandoned"],
            "AwaitingPending": ["awaiting"],
        }.get(str(value), [value])
    if field in ("Channel", "Direction"):
        return ["WIDGET_CHAT" if value == "WidgetChat" else str(value).upper()]
    return [value]


def in_memory(search: Search, states: list[Conversation], now: int) -> set[int]:
    """Judge by the conditions' own tests."""
    found = set()
    for state in states:
        made = group(rows("stream", state))
        [row] = made["conversations"]
        assert isinstance(row, ConversationRow)
        if hold(search_conditions(search, now), row, made):
            found.add(state.csid)
    return found


@given(data=st.data())
@settings(max_examples=60)
def test_a_search_finds_what_fits_in_sql_as_in_memory_in_order_and_in_pages(
    place: Place, data: st.DataObject
) -> None:
    draw_few(data)
    organization = new_organization()
    place.receive(data.draw(histories(organization)))
    states = [state for state, _ in place.conversations(organization)]
    for _ in range(4):
        search, sort = data.draw(searches), data.draw(st.sampled_from(SORTS))
        ask = partial(place.queries.search, search, organization=organization, sort=sort)
        listed = whole(ask)
        expected = {state.csid: state for state in states if fits(state, search)}
        assert {state.csid: state for state in listed} == expected
        assert in_memory(search, states, micros(datetime.now(UTC))) == set(expected)
        by = SORT_BY[sort.removeprefix("-")]
        assert list(map(by, listed)) == sorted(map(by, listed), reverse=sort.startswith("-"))
        assert in_pages(ask, cycle(data.draw(sizes))) == listed


SORT_BY: dict[str, Callable[[Conversation], Any]] = {
    "created_at": partial(moment, field="CreationDate"),
    "last_event_at": lambda state: state.last_event_at,
    "csid": lambda state: state.csid,
}
sizes = st.lists(st.integers(1, 4), min_size=1, max_size=3)


@pytest.mark.parametrize("field", OPERATORS)
@given(data=st.data())
@settings(max_examples=15)
def test_each_field_means_what_its_operators_say(
    place: Place, field: str, data: st.DataObject
) -> None:
    organization = new_organization()
    place.receive(data.draw(histories(organization, least=4)))
    states = [state for state, _ in place.conversations(organization)]
    for _ in range(6):
        search = Search(conditions=(data.draw(conditions(field)),))
        listed = whole(partial(place.queries.search, search, organization=organization))
        assert {state.csid for state in listed} == {s.csid for s in states if fits(s, search)}


@given(data=st.data())
@settings(max_examples=30)
def test_pages_of_a_search_are_those_of_the_first_one_whatever_arrives_meanwhile(
    place: Place, data: st.DataObject
) -> None:
    draw_few(data)
    organization = new_organization()
    arriving = data.draw(histories(organization, least=6))
    early = data.draw(st.integers(1, len(arriving) - 1))
    place.receive(arriving[:early])
    search, sort = data.draw(searches), data.draw(st.sampled_from(SORTS))
    ask = partial(place.queries.search, search, organization=organization, sort=sort)
    expected = whole(ask)
    batches = in_batches(arriving[early:], data.draw(st.integers(1, 5)))
    pages = in_pages(ask, cycle(data.draw(sizes)), between=lambda: place.receive(next(batches, [])))
    assert pages == expected


def in_batches(items: list[Any], size: int) -> Iterator[list[Any]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


@given(data=st.data())
@settings(max_examples=10)
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
    place: Place, day_lines: list[bytes], field: str, operator: dict[str, Any], csids: list[int]
) -> None:
    place.receive(day_lines)
    condition = {"field": {"_type": field, "operator": operator}}
    search = read_search({"filters": {"conditions": [condition]}})
    assert [state.csid for state in whole(partial(place.queries.search, search))] == csids


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
    place: Place, day_lines: list[bytes], name: str, operator: dict[str, Any], csids: list[int]
) -> None:
    place.receive(day_lines)
    condition = {"field": {"_type": "CustomAttribute", "id": name, "operator": operator}}
    search = read_search({"filters": {"conditions": [condition]}})
    assert [state.csid for state in whole(partial(place.queries.search, search))] == csids


def test_words_are_found_by_their_beginnings_or_whole(place: Place, day_lines: list[bytes]) -> None:
    place.receive(day_lines)

    def found(text: str, *, exact: bool) -> list[int]:
        search = read_search({"query": {"value": text, "exactMatch": exact}})
        return [state.csid for state in whole(partial(place.queries.search, search))]

    assert found("SAN pe", exact=False) == [TENT]
    assert found("SAN pe", exact=True) == []
    assert found("sand PER", exact=True) == [TENT]
    assert found("", exact=True) == [TENT, CALL]


def test_words_must_be_found_whatever_the_strategy(place: Place, day_lines: list[bytes]) -> None:
    place.receive(day_lines)
    condition = {"field": "ConversationId", "operator": "IsOneOf", "value": [TENT, CALL]}
    body = {
        "query": {"value": "sand"},
        "filters": {"strategy": "Any", "conditions": [condition]},
    }
    found = whole(partial(place.queries.search, read_search(body)))
    assert [state.csid for state in found] == [TENT]


def test_a_running_duration_is_measured_to_the_moment_of_the_first_page(place: Place) -> None:
    for csid in CSIDS:
        place.receive([created(csid)])
    began = datetime.fromisoformat("2026-03-02T08:00:00Z")
    seconds = (place.tracker.now() - began).total_seconds() + 0.3
    search = Search(conditions=(Asked("Duration", "ShorterThanOrEqualTo", seconds=seconds),))
    ask = partial(place.queries.search, search, limit=1)
    page = ask()
    seen = [state.csid for state in page.items]
    while place.tracker.now().timestamp() < began.timestamp() + seconds:
        pass
    while page.next_key is not None:
        page = ask(page_key=page.next_key)
        seen += [state.csid for state in page.items]
    assert sorted(seen) == list(CSIDS)
    assert ask().items == []


def test_a_page_key_belongs_to_its_search(place: Place, day_lines: list[bytes]) -> None:
    place.receive(day_lines)
    key = place.queries.search(Search(), limit=1).next_key
    assert key is not None
    others: list[Callable[..., Page[Any]]] = [
        partial(place.queries.search, Search(text="tent")),
        partial(place.queries.search, Search(), sort="csid"),
        partial(place.queries.search, Search(), organization="org"),
        partial(place.queries.search, Search(strategy="Any")),
        place.queries.conversations,
    ]
    for ask in others:
        with pytest.raises(InvalidInputError, match=r"^pageKey: expected one that this very query"):
            ask(page_key=key)


def test_the_largest_search_that_is_read_is_answered(place: Place, day_lines: list[bytes]) -> None:
    place.receive(day_lines)
    many = [f"tag-{n}" for n in range(19)]
    condition = {"field": "TagId", "operator": "IncludesAll", "values": many}
    words = " ".join(chr(0x4E00 + n) for n in range(50))
    for strategy in ("All", "Any"):
        filters = {"strategy": strategy, "conditions": [condition] * 50}
        search = read_search({"query": {"value": words}, "filters": filters})
        assert whole(partial(place.queries.search, search)) == []


def test_any_text_may_be_looked_for(place: Place) -> None:
    place.receive([created(1)])
    for value in ("\0", "\udcff", "'; DROP TABLE x", "%", "é", "x" * 10_000):
        for field in ("Channel", "Direction", "AgentId", "QueueId", "ContactId"):
            assert found_by(place, Asked(field, "IsOneOf", (value,))) == 0
            assert found_by(place, Asked(field, "IsNotOneOf", (value,))) == 1
        assert found_by(place, Asked("TagId", "IncludesAll", (value,))) == 0
        assert found_by(place, Asked("CustomAttribute", "IsOneOf", (value,), attribute=value)) == 0


def found_by(place: Place, asked: Asked) -> int:
    return len(whole(partial(place.queries.search, Search(conditions=(asked,)))))


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
        assert found_by(place, Asked(field, "IsOneOf", (long,))) == 1
        assert found_by(place, Asked(field, "IsOneOf", (f"{long}!",))) == 0
    assert found_by(place, Asked("TagId", "IncludesAll", (long,))) == 1
    for name in (long, f"{long}!"):
        assert found_by(place, Asked("CustomAttribute", "IsOneOf", (long,), attribute=name)) == 1
        assert found_by(place, Asked("CustomAttribute", "IsOneOf", ("?",), attribute=name)) == 0


def created(csid: int) -> dict[str, Any]:
    return {
        "event_id": f"created {csid}",
        "event_fqn": "CONVERSATION_CREATED",
        "event_timestamp": "2026-03-02T08:00:00Z",
        "organization": {"id": "org"},
        "data": {"conversation": {"csid": csid}},
    }
