"""What has changed since a position: what a live stream follows."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from places import Place, histories, new_organization

from dixa_state import InvalidInputError
from dixa_state.questions.changes import MAX_CHANGES, changed_bans, changed_conversations


def banned(number: int, fqn: str = "AGENT_BANNED_ENDUSER", who: str = "per") -> dict[str, Any]:
    return {
        "event_id": f"ban {number}",
        "event_fqn": fqn,
        "event_timestamp": f"2026-03-02T08:{number:02}:00Z",
        "organization": {"id": "org"},
        "data": {"enduser": {"id": who}},
    }


def test_the_position_is_that_of_the_views(place: Place, day_lines: list[bytes]) -> None:
    assert place.reader.position() == 0
    place.receive(day_lines[:12])
    assert place.reader.position() == 12


def test_conversations_come_in_the_order_of_their_newest_events(
    place: Place, day_lines: list[bytes]
) -> None:
    place.receive(day_lines)
    every = changed_conversations(place.reader, 0)
    assert [state.position for state in every] == sorted(state.position for state in every)
    assert {state.csid for state in every} == {70431, 70432}
    first, second = every
    assert changed_conversations(place.reader, 0, limit=1) == [first]
    assert changed_conversations(place.reader, first.position) == [second]
    assert changed_conversations(place.reader, first.position - 1) == every
    assert changed_conversations(place.reader, second.position) == []


@given(data=st.data())
@settings(max_examples=settings().max_examples // 4)
def test_who_follows_the_changes_ends_with_every_conversation_as_it_is(
    place: Place, data: st.DataObject
) -> None:
    organization = new_organization()
    arriving = data.draw(histories(organization, least=3))
    seen, position = {}, place.reader.position()
    while arriving:
        size = data.draw(st.integers(1, 8))
        place.receive(arriving[:size])
        arriving = arriving[size:]
        while changed := changed_conversations(place.reader, position, limit=data.draw(limits)):
            assert all(state.position > position for state in changed)
            position = changed[-1].position
            seen |= {state.csid: state for state in changed}
    now = {state.csid: state for state, _ in place.conversations(organization)}
    assert {csid: state.version for csid, state in seen.items()} == {
        csid: state.version for csid, state in now.items()
    }
    assert seen == now


limits = st.integers(1, 3)


def test_bans_are_followed_in_the_same_way(place: Place) -> None:
    place.receive([banned(1), banned(2, who="bo")])
    first, second = changed_bans(place.reader, 0)
    assert [first.id, second.id] == ["per", "bo"]
    assert changed_bans(place.reader, first.position, limit=1) == [second]
    place.receive([banned(3, "AGENT_UNBANNED_ENDUSER")])
    [lifted] = changed_bans(place.reader, second.position)
    assert (lifted.id, lifted.banned, lifted.position) == ("per", False, 3)


@pytest.mark.parametrize("limit", [0, -1, MAX_CHANGES + 1, 10**30])
def test_an_impossible_limit_is_refused(shared_place: Place, limit: int) -> None:
    for ask in (changed_conversations, changed_bans):
        with pytest.raises(InvalidInputError, match=f"^limit: expected 1 to 1000, got {limit}$"):
            ask(shared_place.reader, 0, limit)


def test_a_position_may_be_any_number(place: Place, day_lines: list[bytes]) -> None:
    place.receive(day_lines)
    assert changed_conversations(place.reader, 10**30) == []
    assert changed_bans(place.reader, 10**30) == []
    assert len(changed_conversations(place.reader, -(10**30))) == 2
