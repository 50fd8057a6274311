"""What has changed since a position: what a live stream follows."""

from hypothesis import given, settings
from hypothesis import strategies as st
from places import Place, histories, new_organization

from dixa_state.questions.changes import changed_conversations


def test_the_position_is_that_of_the_views(place: Place, day_lines: list[bytes]) -> None:
    assert place.reader.position() == 0
    place.receive(day_lines[:12])
    assert place.reader.position() == 12


def test_conversations_come_in_the_order_of_their_newest_events(
    place: Place, day_lines: list[bytes]
) -> None:
    place.receive(day_lines)
    every = changed_conversations(place.reader, 0, 10)
    assert [state.position for state in every] == sorted(state.position for state in every)
    assert {state.csid for state in every} == {70431, 70432}
    first, second = every
    assert changed_conversations(place.reader, 0, 1) == [first]
    assert changed_conversations(place.reader, first.position, 10) == [second]
    assert changed_conversations(place.reader, first.position - 1, 10) == every
    assert changed_conversations(place.reader, second.position, 10) == []


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
        while changed := changed_conversations(place.reader, position, data.draw(limits)):
            assert all(state.position > position for state in changed)
            position = changed[-1].position
            seen |= {state.csid: state for state in changed}
    now = {state.csid: state for state, _ in place.conversations(organization)}
    assert {csid: state.version for csid, state in seen.items()} == {
        csid: state.version for csid, state in now.items()
    }
    assert seen == now


limits = st.integers(1, 3)
