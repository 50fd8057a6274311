"""Names of queues, agents and tags: in any case, and refused where nothing ever had one."""

from typing import Any

import pytest
from places import Place

from dixa_state.errors import InvalidInputError, NotFoundError, UnknownNameError
from dixa_state.questions import Attainment, Conversations, Question, SlaEvaluations

KNOWN = [("queue", "Support"), ("assignee", "Omar Lind"), ("tag", "replacement")]


def found(place: Place, **names: str) -> list[int]:
    question = Conversations(**{name: (value,) for name, value in names.items()})
    return [state.csid for state in place.reader.every(question)]


@pytest.mark.parametrize(("name", "value"), KNOWN)
def test_a_name_is_found_in_any_case(
    place: Place, day_lines: list[bytes], name: str, value: str
) -> None:
    place.receive(day_lines)
    wanted = found(place, **{name: value})
    assert wanted
    for spelled in (value.lower(), value.upper()):
        assert found(place, **{name: spelled}) == wanted


def test_a_name_that_was_in_use_once_is_known(place: Place, day_lines: list[bytes]) -> None:
    place.receive(day_lines)
    assert found(place, assignee="Ida Holm") == found(place, assignee="ida holm") == []
    assert found(place, queue="none") == []


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Conversations(queue=("Suport",)), "queue: .* got 'Suport'; the nearest known: Support"),
        (Conversations(assignee=("Ida",)), "assignee: .* known assignee.*Ida Holm"),
        (Conversations(tag=("Support", "zzz")), "tag: .* 'Support'; none of the 2 known is like"),
        (SlaEvaluations(agent=("omar",)), "agent: .*: Omar Lind"),
        (Attainment(tag=("replacment",)), "tag: .*: replacement"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(
    place: Place, day_lines: list[bytes], question: Question[Any], message: str
) -> None:
    place.receive(day_lines)
    with pytest.raises(UnknownNameError, match=message) as raised:
        place.reader.ask(question)
    assert isinstance(raised.value, NotFoundError)
    assert isinstance(raised.value, InvalidInputError)


def test_in_an_empty_store_no_name_is_known(place: Place) -> None:
    with pytest.raises(UnknownNameError, match="'Support'; none is known yet"):
        found(place, queue="Support")


def test_a_channel_is_shown_as_dixa_spelled_it_and_found_in_any_case(
    place: Place, day_lines: list[bytes]
) -> None:
    place.receive([line.replace(b'"WIDGET_CHAT"', b'"WidgetChat"') for line in day_lines])
    evaluations = list(place.reader.every(SlaEvaluations(channel=("widgetchat",))))
    conversations = list(place.reader.every(Conversations(channel=("WIDGETCHAT",))))
    assert evaluations
    assert conversations
    assert {found.channel for found in [*evaluations, *conversations]} == {"WidgetChat"}
